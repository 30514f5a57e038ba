package pdf

import "encoding/binary"

// glyphRunes reads from a TrueType font which characters its glyphs are for. A
// font that does not say has none.
func (f *file) glyphRunes(font []byte) map[uint32]rune {
	out := map[uint32]rune{}
	table := sfntTable(font, "cmap")
	best, rank := []byte(nil), 0
	for i := range u16(table, 2) {
		platform, encoding, offset := u16(table, 4+8*i), u16(table, 6+8*i), u32(table, 8+8*i)
		r := 0
		switch {
		case platform == 3 && encoding == 10, platform == 0 && encoding >= 4 && encoding != 5:
			r = 3
		case platform == 3 && encoding == 1:
			r = 2
		case platform == 0 && encoding < 4:
			r = 1
		}
		if r > rank && offset < len(table) {
			best, rank = table[offset:], r
		}
	}
	add := func(glyph int, c int) bool {
		if glyph > 0 && c > 0 && c <= 0x10ffff {
			if have, ok := out[uint32(glyph)]; !ok || rune(c) < have {
				out[uint32(glyph)] = rune(c)
			}
		}
		return f.spend(1)
	}
	switch u16(best, 0) {
	case 4:
		readSegments(best, add)
	case 12:
		for i := range u32(best, 12) {
			at := 16 + 12*i
			if at+12 > len(best) {
				break
			}
			from, to, glyph := u32(best, at), u32(best, at+4), u32(best, at+8)
			for c := from; c <= to && c <= 0x10ffff; c++ {
				if !add(glyph+c-from, c) {
					return out
				}
			}
		}
	}
	return out
}

// readSegments reads format 4, whose segments are four arrays.
func readSegments(t []byte, add func(glyph, c int) bool) {
	size := u16(t, 6) &^ 1
	for i := 0; i < size && 16+4*size <= len(t); i += 2 {
		from, to := u16(t, 16+size+i), u16(t, 14+i)
		delta, at := u16(t, 16+2*size+i), 16+3*size+i
		offset := u16(t, at)
		for c := from; c <= to && c < 0xffff; c++ {
			glyph := c
			if offset != 0 {
				if glyph = u16(t, at+offset+2*(c-from)); glyph == 0 {
					continue
				}
			}
			if !add((glyph+delta)&0xffff, c) {
				return
			}
		}
	}
}

func sfntTable(font []byte, tag string) []byte {
	for i := range u16(font, 4) {
		at := 12 + 16*i
		if at+16 > len(font) {
			return nil
		}
		if string(font[at:at+4]) == tag {
			start, size := u32(font, at+8), u32(font, at+12)
			if start > len(font) {
				return nil
			}
			return font[start:min(len(font), start+size)]
		}
	}
	return nil
}

// u16 reads a number; behind the end all are zero.
func u16(b []byte, at int) int {
	if at < 0 || at+2 > len(b) {
		return 0
	}
	return int(binary.BigEndian.Uint16(b[at:]))
}

func u32(b []byte, at int) int {
	if at < 0 || at+4 > len(b) {
		return 0
	}
	return int(binary.BigEndian.Uint32(b[at:]))
}
