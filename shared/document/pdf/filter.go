package pdf

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
)

// errTooLarge is returned for files that unpack to more than they may.
var errTooLarge = errors.New("the document is too large")

// decode returns the content of a stream, undone of its filters. Damaged
// compressed data gives what was readable.
func (f *file) decode(s *stream) ([]byte, error) {
	data := s.raw
	names, parms := f.list(s.dict, "Filter", "F"), f.list(s.dict, "DecodeParms", "DP")
	own := len(names) > 0 && f.resolve(names[0]) == name("Crypt") || f.resolve(s.dict["Type"]) == name("XRef")
	if f.crypt != nil && !own {
		data = f.crypt.stream(s.id, data)
	}
	if len(names) > 8 {
		return nil, errors.New("a stream has too many filters")
	}
	for i, filter := range names {
		var p dict
		if i < len(parms) {
			p, _ = f.resolve(parms[i]).(dict)
		}
		n, _ := f.resolve(filter).(name)
		out, err := f.undo(n, p, data)
		if err != nil {
			return nil, err
		}
		if f.left -= int64(len(out)); f.left < 0 {
			return nil, errTooLarge
		}
		data = out
	}
	return data, nil
}

// list returns an entry that may be one value or an array of them.
func (f *file) list(d dict, keys ...name) array {
	for _, k := range keys {
		switch v := f.resolve(d[k]).(type) {
		case nil:
		case array:
			return v
		default:
			return array{v}
		}
	}
	return nil
}

func (f *file) undo(filter name, p dict, data []byte) ([]byte, error) {
	switch filter {
	case "FlateDecode", "Fl":
		return f.predict(p, f.inflate(data))
	case "LZWDecode", "LZW":
		early := true
		if n, ok := f.resolve(p["EarlyChange"]).(int64); ok {
			early = n != 0
		}
		return f.predict(p, unLZW(data, early, f.left))
	case "ASCIIHexDecode", "AHx":
		l := lexer{data: data}
		return []byte(l.hex()), nil
	case "ASCII85Decode", "A85":
		return un85(data), nil
	case "RunLengthDecode", "RL":
		return unRunLength(data, f.left), nil
	case "Crypt":
		return data, nil
	}
	return nil, fmt.Errorf("unknown filter %q", string(filter))
}

// inflate reads at most one byte more than may still be unpacked.
func (f *file) inflate(data []byte) []byte {
	body := data
	if len(data) > 2 && data[0]&0x0f == 8 && (int(data[0])<<8|int(data[1]))%31 == 0 {
		body = data[2:]
	}
	out, _ := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(body)), f.left+1)) //nolint:errcheck // what came before the damage counts
	return out
}

func unLZW(data []byte, early bool, most int64) []byte {
	const clearCode, endCode = 256, 257
	type entry struct {
		prefix int
		last   byte
		size   int
	}
	table := make([]entry, 258, 4096)
	for i := range 256 {
		table[i] = entry{-1, byte(i), 1}
	}
	var out []byte
	width, prev := 9, -1
	bits, have := uint32(0), 0
	for _, c := range data {
		bits, have = bits<<8|uint32(c), have+8
		if have < width {
			continue
		}
		code := int(bits >> (have - width) & (1<<width - 1))
		have -= width
		switch {
		case code == endCode:
			return out
		case code == clearCode:
			table, width, prev = table[:258], 9, -1
			continue
		case code > len(table) || code == len(table) && prev < 0:
			return out
		}
		at := len(out)
		if code < len(table) {
			out = append(out, make([]byte, table[code].size)...)
			for i, n := code, table[code].size; n > 0; i = table[i].prefix {
				n--
				out[at+n] = table[i].last
			}
		} else {
			size := table[prev].size
			out = append(out, out[at-size:at]...)
			out = append(out, out[at])
		}
		if prev >= 0 && len(table) < 4096 {
			table = append(table, entry{prev, out[at], table[prev].size + 1})
		}
		prev = code
		next := len(table)
		if early {
			next++
		}
		for width < 12 && next >= 1<<width {
			width++
		}
		if int64(len(out)) > most {
			return out
		}
	}
	return out
}

func un85(data []byte) []byte {
	var out []byte
	var group [5]byte
	n := 0
	flush := func(count int) {
		var v uint32
		for _, d := range group {
			v = v*85 + uint32(d)
		}
		word := []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
		out = append(out, word[:count]...)
		n = 0
	}
	for i, c := range data {
		switch {
		case c == '~' && i > 1:
			data = nil
		case c == 'z' && n == 0:
			out = append(out, 0, 0, 0, 0)
		case c >= '!' && c <= 'u':
			group[n] = c - '!'
			if n++; n == 5 {
				flush(4)
			}
		}
		if data == nil {
			break
		}
	}
	if n > 1 {
		count := n - 1
		for i := n; i < 5; i++ {
			group[i] = 84
		}
		flush(count)
	}
	return out
}

func unRunLength(data []byte, most int64) []byte {
	var out []byte
	for i := 0; i < len(data) && int64(len(out)) <= most; {
		n := int(data[i])
		i++
		switch {
		case n == 128:
			return out
		case n < 128:
			end := min(i+n+1, len(data))
			out = append(out, data[i:end]...)
			i = end
		case i < len(data):
			out = append(out, bytes.Repeat(data[i:i+1], 257-n)...)
			i++
		}
	}
	return out
}

// predict undoes the differences to neighbours that a filter was told to take.
func (f *file) predict(p dict, data []byte) ([]byte, error) {
	number := func(key name, otherwise, most int) int {
		if n, ok := f.resolve(p[key]).(int64); ok && n > 0 && n <= int64(most) {
			return int(n)
		}
		return otherwise
	}
	predictor := number("Predictor", 1, 15)
	if predictor < 2 {
		return data, nil
	}
	colors, bits, columns := number("Colors", 1, 32), number("BitsPerComponent", 8, 16), number("Columns", 1, 1<<20)
	pixel, row := max(1, colors*bits/8), (colors*bits*columns+7)/8
	if predictor == 2 {
		if bits != 8 {
			return nil, errors.New("unknown predictor")
		}
		for start := 0; start+row <= len(data); start += row {
			for i := start + pixel; i < start+row; i++ {
				data[i] += data[i-pixel]
			}
		}
		return data, nil
	}
	var out []byte
	before := make([]byte, row)
	for len(data) > 1 {
		kind := data[0]
		line := make([]byte, row)
		data = data[1+copy(line, data[1:]):]
		unfilter(kind, line, before, pixel)
		out, before = append(out, line...), line
	}
	return out, nil
}

func unfilter(kind byte, line, before []byte, pixel int) {
	for i := range line {
		var left, corner byte
		if i >= pixel {
			left, corner = line[i-pixel], before[i-pixel]
		}
		up := before[i]
		switch kind {
		case 1:
			line[i] += left
		case 2:
			line[i] += up
		case 3:
			line[i] += byte((int(left) + int(up)) / 2)
		case 4:
			line[i] += paeth(left, up, corner)
		}
	}
}

func paeth(a, b, c byte) byte {
	p := int(a) + int(b) - int(c)
	distance := func(v byte) int { return max(p-int(v), int(v)-p) }
	switch da, db, dc := distance(a), distance(b), distance(c); {
	case da <= db && da <= dc:
		return a
	case db <= dc:
		return b
	}
	return c
}
