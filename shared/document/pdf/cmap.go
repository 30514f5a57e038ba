package pdf

import (
	"bytes"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// cmap tells how codes are cut out of a text and what they mean.
type cmap struct {
	spaces  []codespace
	unicode map[uint32]string // by code
	cids    map[uint32]uint32
	wide    bool // codes without a codespace have two bytes
}

type codespace struct {
	size      int
	low, high uint32
}

func bigEndian(s text) uint32 {
	var n uint32
	for i := range len(s) {
		n = n<<8 | uint32(s[i])
	}
	return n
}

// utf16Text decodes the destination of a mapping.
func utf16Text(s text) string {
	if len(s) == 1 {
		return string(rune(s[0]))
	}
	units := make([]uint16, len(s)/2)
	for i := range units {
		units[i] = uint16(s[2*i])<<8 | uint16(s[2*i+1])
	}
	return string(utf16.Decode(units))
}

// parseCMap reads an embedded character map. What is too much work is left out.
func (f *file) parseCMap(data []byte) *cmap {
	m := &cmap{unicode: map[uint32]string{}, cids: map[uint32]uint32{}}
	l := &lexer{data: data}
	for {
		switch t := l.token(); t {
		case endOfData:
			return m
		case keyword("begincodespacerange"):
			m.entries(l, 2, func(v []any) {
				low, ok1 := v[0].(text)
				high, ok2 := v[1].(text)
				if ok1 && ok2 && len(low) == len(high) && len(low) > 0 && len(low) <= 4 {
					m.spaces = append(m.spaces, codespace{len(low), bigEndian(low), bigEndian(high)})
				}
			})
		case keyword("beginbfchar"):
			m.entries(l, 2, func(v []any) {
				code, ok1 := v[0].(text)
				to, ok2 := v[1].(text)
				if ok1 && ok2 {
					m.unicode[bigEndian(code)] = utf16Text(to)
				}
			})
		case keyword("beginbfrange"):
			m.entries(l, 3, func(v []any) { m.bfrange(f, v) })
		case keyword("begincidchar"):
			m.entries(l, 2, func(v []any) {
				code, ok1 := v[0].(text)
				cid, ok2 := v[1].(int64)
				if ok1 && ok2 && cid >= 0 {
					m.cids[bigEndian(code)] = uint32(cid) //nolint:gosec // cut to what is looked up
				}
			})
		case keyword("begincidrange"):
			m.entries(l, 3, func(v []any) { m.cidrange(f, v) })
		}
	}
}

// entries reads groups of size values up to the end of a section.
func (m *cmap) entries(l *lexer, size int, fn func([]any)) {
	var group []any
	for {
		v := l.object(0)
		if _, end := v.(keyword); end {
			return
		}
		if group = append(group, v); len(group) == size {
			fn(group)
			group = group[:0]
		}
	}
}

func (m *cmap) bfrange(f *file, v []any) {
	low, ok1 := v[0].(text)
	high, ok2 := v[1].(text)
	if !ok1 || !ok2 {
		return
	}
	from, to := bigEndian(low), bigEndian(high)
	switch dst := v[2].(type) {
	case array:
		for i := range dst {
			if s, ok := dst[i].(text); ok && from+uint32(i) <= to { //nolint:gosec // bounded by the file
				m.unicode[from+uint32(i)] = utf16Text(s) //nolint:gosec // bounded by the file
			}
		}
	case text:
		first := []rune(utf16Text(dst))
		for code := from; code <= to && len(first) > 0 && f.spend(1); code++ {
			m.unicode[code] = string(first)
			if code == to {
				return
			}
			first[len(first)-1]++
		}
	}
}

func (m *cmap) cidrange(f *file, v []any) {
	low, ok1 := v[0].(text)
	high, ok2 := v[1].(text)
	cid, ok3 := v[2].(int64)
	if !ok1 || !ok2 || !ok3 || cid < 0 {
		return
	}
	for from, to := bigEndian(low), bigEndian(high); from <= to && f.spend(1); from++ {
		m.cids[from] = uint32(cid) //nolint:gosec // cut to what is looked up
		if cid++; from == to {
			return
		}
	}
}

// next cuts a code off s.
func (m *cmap) next(s text) (code uint32, size int) {
	for size := 1; size <= 4 && size <= len(s); size++ {
		code = code<<8 | uint32(s[size-1])
		for _, space := range m.spaces {
			if space.size == size && space.holds(code) {
				return code, size
			}
		}
	}
	size = 1
	if len(m.spaces) > 0 {
		size = m.spaces[0].size
	} else if m.wide {
		size = 2
	}
	size = min(size, len(s))
	return bigEndian(s[:size]), size
}

// holds compares byte by byte, as codespaces are rectangles.
func (c codespace) holds(code uint32) bool {
	for shift := 0; shift < c.size*8; shift += 8 {
		if b := code >> shift & 0xff; b < c.low>>shift&0xff || b > c.high>>shift&0xff {
			return false
		}
	}
	return true
}

// legacy is a predefined character map of an East Asian character set.
type legacy struct {
	enc     encoding.Encoding
	next    func(s text) int // bytes of the first code
	prepare func(code text) []byte
}

func leadFrom(from byte) func(text) int {
	return func(s text) int {
		if s[0] >= from && s[0] != 0xff {
			return 2
		}
		return 1
	}
}

// predefined returns the character map of a name without its -H or -V. The
// code's meaning follows from its encoding; no tables of glyphs are needed.
func predefined(n string) (legacy, bool) {
	same := func(code text) []byte { return []byte(code) }
	switch {
	case strings.HasPrefix(n, "Uni") && strings.HasSuffix(n, "UTF8"), strings.HasPrefix(n, "Uni") && strings.HasSuffix(n, "UTF32"):
		return legacy{}, false
	case strings.HasPrefix(n, "Uni"): // UCS2 and UTF16, also with -HW
		return legacy{next: func(s text) int {
			if s[0] >= 0xd8 && s[0] < 0xdc {
				return 4
			}
			return 2
		}}, true
	case n == "GB-EUC" || n == "GBK-EUC" || n == "GBKp-EUC" || n == "GBpc-EUC":
		return legacy{simplifiedchinese.GBK, leadFrom(0x81), same}, true
	case n == "GBK2K":
		return legacy{simplifiedchinese.GB18030, func(s text) int {
			if s[0] >= 0x81 && len(s) > 3 && s[1] >= '0' && s[1] <= '9' {
				return 4
			}
			return leadFrom(0x81)(s)
		}, same}, true
	case n == "B5pc" || n == "ETen-B5" || n == "ETenms-B5" || n == "HKscs-B5":
		return legacy{traditionalchinese.Big5, leadFrom(0x81), same}, true
	case n == "KSC-EUC" || n == "KSCms-UHC" || n == "KSCms-UHC-HW" || n == "KSCpc-EUC":
		return legacy{korean.EUCKR, leadFrom(0x81), same}, true
	case strings.HasSuffix(n, "-RKSJ"):
		return legacy{japanese.ShiftJIS, func(s text) int {
			if s[0] >= 0x81 && s[0] <= 0x9f || s[0] >= 0xe0 && s[0] <= 0xfc {
				return 2
			}
			return 1
		}, same}, true
	case n == "EUC":
		return legacy{japanese.EUCJP, func(s text) int {
			if s[0] == 0x8e || s[0] >= 0xa1 && s[0] != 0xff {
				return 2
			}
			return 1
		}, same}, true
	case n == "H" || n == "V" || n == "Ext" || n == "Add": // JIS in seven bits
		return legacy{japanese.EUCJP, func(text) int { return 2 }, func(code text) []byte {
			out := []byte(code)
			for i := range out {
				out[i] |= 0x80
			}
			return out
		}}, true
	}
	return legacy{}, false
}

// decode returns what a code means.
func (l legacy) decode(code text) string {
	if l.enc == nil {
		return utf16Text(code)
	}
	out, err := l.enc.NewDecoder().Bytes(l.prepare(code))
	if err != nil || bytes.ContainsRune(out, '\uFFFD') {
		return ""
	}
	return string(out)
}
