package sandbox

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// exponential is a text that the contract reads as a number.
var exponential = regexp.MustCompile(`^-?\d+\.?\d*e[+-]\d+$`)

// readExponentials makes numbers of the texts in raw that look like 1.5e+10, as
// the contract does. raw is valid JSON; everything else in it stays as it is,
// the order of keys included.
func readExponentials(raw []byte) []byte {
	if !bytes.Contains(raw, []byte("e+")) && !bytes.Contains(raw, []byte("e-")) {
		return raw
	}
	var out []byte
	copied := 0
	for i := 0; i < len(raw); i++ {
		if raw[i] != '"' {
			continue
		}
		end := i + 1
		for raw[end] != '"' {
			if raw[end] == '\\' {
				end++
			}
			end++
		}
		text := raw[i+1 : end]
		isKey := bytes.HasPrefix(bytes.TrimLeft(raw[end+1:], " \t\r\n"), []byte(":"))
		if !isKey && exponential.Match(text) {
			if number, ok := float(string(text)); ok {
				out = append(append(out, raw[copied:i]...), number...)
				copied = end + 1
			}
		}
		i = end
	}
	return append(out, raw[copied:]...)
}

func float(text string) (string, bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return "", false
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s, true
}
