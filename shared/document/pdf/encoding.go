package pdf

import (
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// glyphNames are names whose characters cannot be made out of the name itself.
const glyphNames = `space   exclam ! quotedbl " numbersign # dollar $ percent % ampersand & quotesingle ' parenleft ( parenright ) asterisk * plus +
comma , hyphen - period . slash / zero 0 one 1 two 2 three 3 four 4 five 5 six 6 seven 7 eight 8 nine 9 colon : semicolon ; less <
equal = greater > question ? at @ bracketleft [ backslash \ bracketright ] asciicircum ^ underscore _ grave ` + "`" + ` braceleft { bar |
braceright } asciitilde ~ exclamdown ¡ cent ¢ sterling £ currency ¤ yen ¥ brokenbar ¦ section § dieresis ¨ copyright © ordfeminine ª
guillemotleft « logicalnot ¬ registered ® macron ¯ degree ° plusminus ± twosuperior ² threesuperior ³ acute ´ mu µ paragraph ¶
periodcentered · cedilla ¸ onesuperior ¹ ordmasculine º guillemotright » onequarter ¼ onehalf ½ threequarters ¾ questiondown ¿
AE Æ Eth Ð multiply × Oslash Ø Thorn Þ germandbls ß ae æ eth ð divide ÷ oslash ø thorn þ dotlessi ı OE Œ oe œ Lslash Ł lslash ł
Dcroat Đ dcroat đ Hbar Ħ hbar ħ kgreenlandic ĸ Eng Ŋ eng ŋ florin ƒ circumflex ˆ caron ˇ breve ˘ dotaccent ˙ ring ˚ ogonek ˛ tilde ˜
hungarumlaut ˝ endash – emdash — quoteleft ‘ quoteright ’ quotesinglbase ‚ quotedblleft “ quotedblright ” quotedblbase „ dagger †
daggerdbl ‡ bullet • ellipsis … perthousand ‰ guilsinglleft ‹ guilsinglright › fraction ⁄ Euro € trademark ™ minus − fi fi fl fl ff ff
ffi ffi ffl ffl partialdiff ∂ product ∏ summation ∑ radical √ infinity ∞ integral ∫ approxequal ≈ notequal ≠ lessequal ≤ greaterequal ≥
lozenge ◊ Delta ∆ Omega Ω arrowleft ← arrowup ↑ arrowright → arrowdown ↓ nbspace   sfthyphen - Alpha Α Beta Β Gamma Γ Epsilon Ε Zeta Ζ
Eta Η Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν Xi Ξ Omicron Ο Pi Π Rho Ρ Sigma Σ Tau Τ Upsilon Υ Phi Φ Chi Χ Psi Ψ alpha α beta β
gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ nu ν xi ξ omicron ο pi π rho ρ sigma σ sigma1 ς tau τ upsilon υ
phi φ chi χ psi ψ omega ω`

// accents are the combining characters that end the names of letters.
const accents = `grave ̀ acute ́ circumflex ̂ tilde ̃ macron ̄ breve ̆ dotaccent ̇ dieresis ̈ ring ̊ hungarumlaut ̋ caron ̌ cedilla ̧ commaaccent ̧ ogonek ̨`

// glyphs knows what the names of glyphs mean.
type glyphs struct {
	names map[string]string
	marks [][2]string
}

func newGlyphs() *glyphs {
	g := &glyphs{names: map[string]string{"space": " ", "nbspace": "\u00a0"}}
	words := strings.Split(strings.ReplaceAll(glyphNames, "\n", " "), " ")
	for i := 0; i+1 < len(words); {
		if words[i] == "space" || words[i] == "nbspace" || words[i] == "" {
			i++
			continue
		}
		g.names[words[i]] = words[i+1]
		i += 2
	}
	words = strings.Fields(accents)
	for i := 0; i+1 < len(words); i += 2 {
		g.marks = append(g.marks, [2]string{words[i], words[i+1]})
	}
	return g
}

// text returns the characters of a glyph's name, "" when it says none.
func (g *glyphs) text(n string) string {
	n, _, _ = strings.Cut(n, ".")
	if s, ok := g.names[n]; ok {
		return s
	}
	if len(n) == 1 {
		return n
	}
	if hex, ok := strings.CutPrefix(n, "uni"); ok && len(hex) >= 4 && len(hex)%4 == 0 {
		var out []rune
		for ; len(hex) >= 4; hex = hex[4:] {
			c, err := strconv.ParseUint(hex[:4], 16, 16)
			if err != nil {
				return ""
			}
			out = append(out, rune(c)) //nolint:gosec // 16 bits
		}
		return string(out)
	}
	if hex, ok := strings.CutPrefix(n, "u"); ok && len(hex) >= 4 && len(hex) <= 6 {
		if c, err := strconv.ParseUint(hex, 16, 21); err == nil {
			return string(rune(c)) //nolint:gosec // 21 bits
		}
	}
	for _, mark := range g.marks {
		if base, ok := strings.CutSuffix(n, mark[0]); ok && len(base) == 1 {
			return norm.NFC.String(base + mark[1])
		}
	}
	if base, accented := strings.CutSuffix(n, "small"); accented && len(base) == 1 {
		return strings.ToLower(base)
	}
	if parts := strings.Split(n, "_"); len(parts) > 1 && len(parts) < 8 {
		out := ""
		for _, p := range parts {
			out += g.text(p)
		}
		return out
	}
	return ""
}

// base returns the characters of a simple font's 256 codes.
func baseEncoding(n name) [256]string {
	var out [256]string
	for i := range 256 {
		c := byte(i)
		switch {
		case n == "MacRomanEncoding":
			out[i] = string(charmap.Macintosh.DecodeByte(c))
		case n == "WinAnsiEncoding" || n == "PDFDocEncoding" || c < 0x80:
			if out[i] = string(charmap.Windows1252.DecodeByte(c)); out[i] == "\uFFFD" {
				out[i] = "•" // as the format has it
			}
		}
		if c < 0x20 || c == 0x7f {
			out[i] = ""
		}
	}
	if n != "WinAnsiEncoding" && n != "MacRomanEncoding" {
		standardEncoding(&out)
	}
	return out
}

// standardEncoding changes what Adobe's standard encoding has elsewhere.
func standardEncoding(out *[256]string) {
	out['\''], out['`'] = "’", "‘"
	upper := []rune("¡¢£⁄¥ƒ§¤'“«‹›ﬁﬂ\x00–†‡·\x00¶•‚„”»…‰\x00¿\x00`´ˆ˜¯˘˙¨\x00˚¸\x00˝˛ˇ—")
	for i, c := range upper {
		if c != 0 {
			out[0xa1+i] = string(c)
		}
	}
	for code, c := range map[byte]string{
		0xe1: "Æ", 0xe3: "ª", 0xe8: "Ł", 0xe9: "Ø", 0xea: "Œ", 0xeb: "º", 0xf1: "æ", 0xf5: "ı", 0xf8: "ł", 0xf9: "ø", 0xfa: "œ", 0xfb: "ß",
	} {
		out[code] = c
	}
}

// The widths of the characters 32 to 126 in the fonts that no file brings along.
const (
	sansWidths = `278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 584 584 584 556 1015
667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556
333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584`
	serifWidths = `250 333 408 500 500 833 778 180 333 333 500 564 250 333 250 278 500 500 500 500 500 500 500 500 500 500 278 278 564 564 564 444 921
722 667 667 722 611 556 722 722 333 389 722 611 889 722 722 556 722 667 556 611 722 722 944 722 722 611 333 278 333 469 500
333 444 500 444 500 444 333 500 500 278 278 500 278 778 500 500 500 500 333 389 278 500 500 722 500 500 444 480 200 480 541`
)

// standardWidths returns the widths of a font that is not embedded.
func standardWidths(font string) func(code uint32) float64 {
	font = strings.ToLower(font)
	if strings.Contains(font, "courier") || strings.Contains(font, "mono") {
		return func(uint32) float64 { return 600 }
	}
	table := sansWidths
	if strings.Contains(font, "times") || strings.Contains(font, "serif") || strings.Contains(font, "roman") {
		table = serifWidths
	}
	widths := make([]float64, 0, 95)
	for _, w := range strings.Fields(table) {
		n, err := strconv.Atoi(w)
		if err != nil {
			n = 500 // the tables above hold numbers
		}
		widths = append(widths, float64(n))
	}
	return func(code uint32) float64 {
		if code < 32 || int(code-32) >= len(widths) {
			return 500
		}
		return widths[code-32]
	}
}
