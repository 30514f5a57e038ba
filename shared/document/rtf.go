package document

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// rtfReader reads the text of the Rich Text Format.
type rtfReader struct {
	data    []byte
	pos     int
	out     strings.Builder
	group   rtfGroup
	outer   []rtfGroup
	charset string
	pending []byte // bytes of one encoding that are not yet characters
	skip    int    // characters that stand in for a Unicode one
	high    rune   // the first half of a surrogate pair
}

type rtfGroup struct {
	hidden bool
	wide   int  // how many characters stand in for a Unicode one
	start  bool // nothing was in it yet
}

// rtfHidden lists the groups that hold no text.
const rtfHidden = ` fonttbl colortbl stylesheet info pict object themedata colorschememapping datastore latentstyles listtable
	listoverridetable rsidtbl generator xmlnstbl fldinst header footer headerl headerr headerf footerl footerr footerf footnote annotation
	bkmkstart bkmkend mhtmltag pntext nonshppict filetbl revtbl objdata wgrffmtfilter `

// rtfText returns the text of an RTF document.
func rtfText(data []byte, most int64) (string, error) {
	r := &rtfReader{data: data, charset: "windows-1252"}
	r.group.wide = 1
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		r.pos++
		switch c {
		case '{':
			r.flush()
			if len(r.outer) >= maxDepth {
				return "", errTooDeep
			}
			r.outer = append(r.outer, r.group)
			r.group.start = true
		case '}':
			r.flush()
			if n := len(r.outer); n > 0 {
				r.group, r.outer = r.outer[n-1], r.outer[:n-1]
			}
		case '\\':
			r.control()
			r.group.start = false
		case '\r', '\n', 0:
		default:
			r.literal(c)
			r.group.start = false
		}
		if int64(r.out.Len()) > most {
			return "", errTooLarge
		}
	}
	r.flush()
	return strings.TrimRight(r.out.String(), "\n"), nil
}

// literal takes a byte of text.
func (r *rtfReader) literal(c byte) {
	if r.skip > 0 {
		r.skip--
		return
	}
	if !r.group.hidden {
		r.pending = append(r.pending, c)
	}
}

// flush turns the bytes that are pending into characters.
func (r *rtfReader) flush() {
	if len(r.pending) == 0 {
		return
	}
	text, ok := decodeAs(r.pending, r.charset)
	if !ok {
		text, _ = decodeAs(r.pending, "windows-1252")
	}
	r.out.WriteString(text)
	r.pending = r.pending[:0]
}

func (r *rtfReader) write(text string) {
	r.flush()
	if !r.group.hidden {
		r.out.WriteString(text)
	}
}

func (r *rtfReader) control() {
	if r.pos >= len(r.data) {
		return
	}
	c := r.data[r.pos]
	if c|0x20 < 'a' || c|0x20 > 'z' {
		r.pos++
		r.symbol(c)
		return
	}
	start := r.pos
	for r.pos < len(r.data) && r.data[r.pos]|0x20 >= 'a' && r.data[r.pos]|0x20 <= 'z' {
		r.pos++
	}
	word := string(r.data[start:r.pos])
	start = r.pos
	if r.pos < len(r.data) && r.data[r.pos] == '-' {
		r.pos++
	}
	for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
		r.pos++
	}
	n, err := strconv.Atoi(string(r.data[start:r.pos]))
	if r.pos < len(r.data) && r.data[r.pos] == ' ' {
		r.pos++
	}
	r.word(word, n, err == nil)
}

func (r *rtfReader) symbol(c byte) {
	switch c {
	case '\'':
		if r.pos+2 <= len(r.data) {
			if b, err := strconv.ParseUint(string(r.data[r.pos:r.pos+2]), 16, 8); err == nil {
				r.literal(byte(b))
			}
			r.pos += 2
		}
	case '*':
		r.group.hidden = true
	case '~':
		r.write("\u00a0")
	case '_':
		r.write("-")
	case '\\', '{', '}':
		r.literal(c)
	case '\r', '\n':
		r.write("\n")
	}
}

func (r *rtfReader) word(word string, n int, hasNumber bool) {
	switch word {
	case "par", "line", "sect", "page", "row":
		r.write("\n")
	case "tab", "cell":
		r.write("\t")
	case "emdash":
		r.write("—")
	case "endash":
		r.write("–")
	case "lquote":
		r.write("‘")
	case "rquote":
		r.write("’")
	case "ldblquote":
		r.write("“")
	case "rdblquote":
		r.write("”")
	case "bullet":
		r.write("•")
	case "ansicpg":
		if name := codePage(n); name != "" {
			r.charset = name
		}
	case "uc":
		r.group.wide = max(0, min(n, 16))
	case "u":
		r.unicode(rune(n & 0xffff)) //nolint:gosec // 16 bits
	case "bin":
		r.pos = min(len(r.data), r.pos+max(0, n))
	case "htmlrtf":
		r.group.hidden = !hasNumber || n != 0
	case "v":
		r.group.hidden = r.group.hidden || !hasNumber || n != 0
	default:
		if strings.Contains(rtfHidden, " "+word+" ") {
			r.group.hidden = true
		}
	}
}

func (r *rtfReader) unicode(c rune) {
	r.flush()
	r.skip = r.group.wide
	switch {
	case utf16.IsSurrogate(c) && r.high == 0:
		r.high = c
		return
	case r.high != 0:
		c = utf16.DecodeRune(r.high, c)
		r.high = 0
	}
	if !r.group.hidden && utf8.ValidRune(c) {
		r.out.WriteRune(c)
	}
}

// codePage names the encoding of a Windows code page, "" when it is unknown.
func codePage(n int) string {
	switch n {
	case 932:
		return "shift_jis"
	case 936, 54936:
		return "gb18030"
	case 949:
		return "euc-kr"
	case 950:
		return "big5"
	case 866:
		return "ibm866"
	case 874:
		return "windows-874"
	case 10000:
		return "macintosh"
	case 20866:
		return "koi8-r"
	case 20932, 51932:
		return "euc-jp"
	case 50220:
		return "iso-2022-jp"
	case 65001, 20127:
		return "utf-8"
	case 1200:
		return "utf-16le"
	}
	switch {
	case n >= 1250 && n <= 1258:
		return "windows-" + strconv.Itoa(n)
	case n == 28591:
		return "windows-1252"
	case n > 28591 && n <= 28606:
		return "iso-8859-" + strconv.Itoa(n-28590)
	}
	return ""
}
