package pdf

import (
	"bytes"
	"strings"
)

// font turns the codes of shown texts into characters and widths.
type font struct {
	simple   [256]string
	codes    *cmap             // composite fonts with codes of their own
	known    *legacy           // composite fonts with a predefined map
	unicode  map[uint32]string // ToUnicode, which goes before everything else
	widths   map[uint32]float64
	standard func(uint32) float64
	width    float64 // of what widths has not
	scale    float64 // of widths, to text space
	vertical bool
	space    float64 // width of a blank in text space, 0 when unknown
}

// char is one shown code.
type char struct {
	text  string
	width float64 // in text space of size 1
	blank bool    // a single byte 32, which word spacing applies to
}

func (f *file) font(v any) *font {
	r, shared := v.(ref)
	if shared {
		if fo, ok := f.fonts[r.num]; ok {
			return fo
		}
	}
	d, _ := f.resolve(v).(dict)
	fo := f.newFont(d)
	if shared {
		f.fonts[r.num] = fo
	}
	return fo
}

func (f *file) newFont(d dict) *font {
	if !f.spend(100) {
		return &font{}
	}
	fo := &font{widths: map[uint32]float64{}, scale: 0.001, width: 1000}
	if m := f.embeddedMap(d["ToUnicode"]); m != nil {
		fo.unicode = m.unicode
		fo.codes = m
	}
	if f.resolve(d["Subtype"]) == name("Type0") {
		f.composite(fo, d)
	} else {
		fo.codes = nil
		f.plain(fo, d)
	}
	if w, ok := fo.widths[32]; ok && w > 0 && fo.known == nil && fo.codes == nil {
		fo.space = w * fo.scale
	}
	return fo
}

func (f *file) embeddedMap(v any) *cmap {
	s, _ := f.resolve(v).(*stream)
	if s == nil {
		return nil
	}
	data, err := f.decode(s)
	if err != nil {
		return nil
	}
	return f.parseCMap(data)
}

func (f *file) composite(fo *font, d dict) {
	own := fo.codes
	fo.codes = &cmap{wide: true}
	switch enc := f.resolve(d["Encoding"]).(type) {
	case name:
		n := string(enc)
		fo.vertical = strings.HasSuffix(n, "-V") || n == "V"
		if l, ok := predefined(strings.TrimSuffix(strings.TrimSuffix(n, "-H"), "-V")); ok {
			fo.known = &l
		}
	case *stream:
		if m := f.embeddedMap(enc); m != nil {
			fo.codes = m
			if used, ok := f.resolve(enc.dict["UseCMap"]).(name); ok && len(m.spaces) == 0 {
				if l, ok := predefined(strings.TrimSuffix(strings.TrimSuffix(string(used), "-H"), "-V")); ok {
					fo.known = &l
				}
			}
		}
		fo.vertical = f.resolve(enc.dict["WMode"]) == int64(1)
	default:
		if own != nil {
			fo.codes = own
		}
	}
	kids, _ := f.resolve(d["DescendantFonts"]).(array)
	if len(kids) == 0 {
		return
	}
	kid, _ := f.resolve(kids[0]).(dict)
	if w, ok := f.number(kid["DW"]); ok {
		fo.width = w
	}
	if fo.unicode == nil && fo.known == nil {
		fo.unicode = f.glyphText(kid)
	}
	list, _ := f.resolve(kid["W"]).(array)
	for i := 0; i+1 < len(list); {
		from, ok := f.number(list[i])
		if !ok || from < 0 {
			return
		}
		if each, ok := f.resolve(list[i+1]).(array); ok {
			for j := range each {
				if w, ok := f.number(each[j]); ok {
					fo.widths[uint32(from)+uint32(j)] = w //nolint:gosec // bounded by the file
				}
			}
			i += 2
			continue
		}
		if i+2 >= len(list) {
			return
		}
		to, ok1 := f.number(list[i+1])
		w, ok2 := f.number(list[i+2])
		if !ok1 || !ok2 || to-from > 0xffff {
			return
		}
		for c := from; c <= to && f.spend(1); c++ {
			fo.widths[uint32(c)] = w
		}
		i += 3
	}
}

// glyphText makes a table of characters for a font that came without one, from
// the font itself.
func (f *file) glyphText(kid dict) map[uint32]string {
	descriptor, _ := f.resolve(kid["FontDescriptor"]).(dict)
	s, _ := f.resolve(descriptor["FontFile2"]).(*stream)
	if s == nil {
		return nil
	}
	data, err := f.decode(s)
	if err != nil {
		return nil
	}
	runes, out := f.glyphRunes(data), map[uint32]string{}
	m, _ := f.resolve(kid["CIDToGIDMap"]).(*stream)
	if m == nil { // glyph numbers are the codes
		for glyph, c := range runes {
			out[glyph] = string(c)
		}
		return out
	}
	glyphs, err := f.decode(m)
	if err != nil {
		return nil
	}
	for cid := 0; 2*cid+1 < len(glyphs) && f.spend(1); cid++ {
		if c, ok := runes[uint32(u16(glyphs, 2*cid))]; ok { //nolint:gosec // 16 bits
			out[uint32(cid)] = string(c) //nolint:gosec // bounded by the file
		}
	}
	return out
}

func (f *file) number(v any) (float64, bool) {
	switch n := f.resolve(v).(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// plain reads a font whose codes are single bytes.
func (f *file) plain(fo *font, d dict) {
	subtype, _ := f.resolve(d["Subtype"]).(name)
	descriptor, _ := f.resolve(d["FontDescriptor"]).(dict)
	base := name("StandardEncoding")
	if subtype == "TrueType" {
		base = "WinAnsiEncoding"
	}
	var differences array
	switch enc := f.resolve(d["Encoding"]).(type) {
	case name:
		base = enc
	case dict:
		if n, ok := f.resolve(enc["BaseEncoding"]).(name); ok {
			base = n
		}
		differences, _ = f.resolve(enc["Differences"]).(array)
	}
	fo.simple = baseEncoding(base)
	g := f.glyphs
	if s, ok := f.resolve(descriptor["FontFile"]).(*stream); ok && d["Encoding"] == nil {
		if data, err := f.decode(s); err == nil {
			builtIn(data, g, &fo.simple)
		}
	}
	code := 0
	for _, v := range differences {
		switch v := f.resolve(v).(type) {
		case int64:
			code = int(v & 0xff)
		case name:
			if code < 256 {
				fo.simple[code] = g.text(string(v))
			}
			code++
		}
	}
	if subtype == "Type3" {
		if m, ok := f.resolve(d["FontMatrix"]).(array); ok && len(m) == 6 {
			if n, ok := f.number(m[0]); ok && n != 0 {
				fo.scale = max(n, -n)
			}
		}
	}
	first, _ := f.number(d["FirstChar"])
	widths, ok := f.resolve(d["Widths"]).(array)
	for i := range widths {
		if w, ok := f.number(widths[i]); ok {
			fo.widths[uint32(first)+uint32(i)] = w //nolint:gosec // bounded by the file
		}
	}
	if fo.width, _ = f.number(descriptor["MissingWidth"]); !ok {
		n, _ := f.resolve(d["BaseFont"]).(name)
		fo.standard = standardWidths(string(n))
	}
}

// builtIn reads the encoding inside a Type 1 font: dup 65 /A put.
func builtIn(data []byte, g *glyphs, out *[256]string) {
	at := bytes.Index(data, []byte("/Encoding"))
	if at < 0 {
		return
	}
	l := &lexer{data: data, pos: at + len("/Encoding")}
	if l.token() == keyword("StandardEncoding") {
		return
	}
	for range 4096 {
		switch l.token() {
		case endOfData, keyword("def"), keyword("readonly"):
			return
		case keyword("dup"):
			code, ok1 := l.token().(int64)
			n, ok2 := l.token().(name)
			if ok1 && ok2 && code >= 0 && code < 256 {
				out[code] = g.text(string(n))
			}
		}
	}
}

// next cuts the first code off s, which is not empty.
func (fo *font) next(s text) (char, text) {
	var c char
	code, size := uint32(s[0]), 1
	switch {
	case fo.known != nil:
		size = min(fo.known.next(s), len(s))
		code = bigEndian(s[:size])
		c.text = fo.known.decode(s[:size])
	case fo.codes != nil:
		code, size = fo.codes.next(s)
	default:
		c.text = fo.simple[s[0]]
	}
	size = max(size, 1)
	if t, ok := fo.unicode[code]; ok {
		c.text = t
	}
	c.width = fo.widthOf(code, size) * fo.scale
	c.blank = size == 1 && s[0] == ' '
	return c, s[size:]
}

func (fo *font) widthOf(code uint32, size int) float64 {
	if fo.known != nil { // its glyph numbers are not known
		if size == 1 {
			return fo.width / 2
		}
		return fo.width
	}
	if fo.codes != nil && fo.codes.cids != nil {
		if cid, ok := fo.codes.cids[code]; ok {
			code = cid
		}
	}
	if w, ok := fo.widths[code]; ok {
		return w
	}
	if fo.standard != nil {
		return fo.standard(code)
	}
	return fo.width
}
