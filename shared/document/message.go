package document

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// readMSG returns the body of a message that Outlook saved: its plain text,
// otherwise the text of its HTML or RTF. Attachments are left out.
func readMSG(data []byte, most int64) (string, error) {
	c, err := openCompound(data)
	if err != nil {
		return "", err
	}
	if _, ok := c["__properties_version1.0"]; !ok {
		return "", errDamaged
	}
	charset := c.charset(most)
	get := func(property string) (text string, found bool, err error) {
		for _, kind := range []string{"001F", "001E", "0102"} {
			name := "__substg1.0_" + property + kind
			if _, ok := c[name]; !ok {
				continue
			}
			raw, err := c.stream(name, most)
			if err != nil {
				return "", false, err
			}
			switch kind {
			case "001F":
				text = utf16Text(raw)
			case "001E":
				text = decodeIn(raw, charset)
			default:
				text = string(raw)
			}
			return text, true, nil
		}
		return "", false, nil
	}
	if text, ok, err := get("1000"); err != nil || ok && strings.TrimSpace(text) != "" {
		return tidyBody(text), err
	}
	if page, ok, err := get("1013"); err != nil || ok {
		return htmlText(decodeIn([]byte(page), charset)), err
	}
	packed, ok, err := get("1009")
	if err != nil || !ok {
		return "", err
	}
	rtf, err := unpackRTF([]byte(packed), most)
	if err != nil {
		return "", err
	}
	text, err := rtfText(rtf, most)
	return tidyBody(text), err
}

func tidyBody(text string) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.TrimRight(text, "\x00"), "\r\n", "\n"))
}

func utf16Text(raw []byte) string {
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i]) | uint16(raw[2*i+1])<<8
	}
	return string(utf16.Decode(units))
}

// decodeIn decodes from an encoding, or from the probable one without.
func decodeIn(raw []byte, charset string) string {
	if charset != "" {
		if text, ok := decodeAs(raw, charset); ok {
			return text
		}
	}
	return decode(raw)
}

// charset reads the message's code page from its properties: the body's, then
// that of all texts.
func (c compound) charset(most int64) string {
	raw, err := c.stream("__properties_version1.0", most)
	if err != nil {
		return ""
	}
	props := window(raw)
	found := map[int]string{}
	for at := 32; at+16 <= len(props); at += 16 {
		switch tag := props.u32(at); tag {
		case 0x3fde0003, 0x3ffd0003:
			found[tag] = codePage(props.u32(at + 8))
		}
	}
	return first(found[0x3fde0003], found[0x3ffd0003])
}

// rtfDictionary is what compressed RTF starts out with.
const rtfDictionary = `{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0` +
	"\r\n" + `\par \pard\plain\f0\fs20\b\i\u\tab\tx`

// unpackRTF undoes the compression of RTF in messages.
func unpackRTF(data []byte, most int64) ([]byte, error) {
	w := window(data)
	size := int64(w.u32(4))
	if size > most {
		return nil, errTooLarge
	}
	switch w.u32(8) {
	case 0x414c454d: // not compressed
		return w.cut(16, int(size)), nil
	case 0x75465a4c:
	default:
		return nil, fmt.Errorf("the message's text is packed in an unknown way")
	}
	var ring [4096]byte
	at := copy(ring[:], rtfDictionary)
	out := make([]byte, 0, min(size, 1<<20))
	put := func(c byte) {
		ring[at%4096] = c
		at++
		out = append(out, c)
	}
	in := w.cut(16, len(w))
	for len(in) > 0 && int64(len(out)) < size {
		flags := in[0]
		in = in[1:]
		for bit := 0; bit < 8 && len(in) > 0; bit++ {
			if flags>>bit&1 == 0 {
				put(in[0])
				in = in[1:]
				continue
			}
			if len(in) < 2 {
				return out, nil
			}
			from, count := int(in[0])<<4|int(in[1])>>4, int(in[1]&0x0f)+2
			in = in[2:]
			if from == at%4096 {
				return out, nil
			}
			for i := range count {
				put(ring[(from+i)%4096])
			}
		}
	}
	return out, nil
}
