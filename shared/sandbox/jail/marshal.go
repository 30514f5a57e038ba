package jail

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// encodeMarshal writes a request in the serialization that Python's marshal
// module reads. Unlike JSON it needs no Python module that takes time to
// import. Integers and floats stay apart and keys keep their order.
func encodeMarshal(code string, path []string, inputs json.RawMessage) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	marshalText(&b, "code")
	marshalText(&b, code)
	marshalText(&b, "path")
	b.WriteByte('[')
	marshalInt32(&b, len(path))
	for _, p := range path {
		marshalText(&b, p)
	}
	marshalText(&b, "inputs")
	dec := json.NewDecoder(bytes.NewReader(inputs))
	dec.UseNumber()
	if err := marshalNext(&b, dec); err != nil {
		return nil, fmt.Errorf("encode the inputs: %w", err)
	}
	b.WriteByte('0')
	return b.Bytes(), nil
}

// marshalNext writes the next value of dec.
func marshalNext(b *bytes.Buffer, dec *json.Decoder) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	switch x := tok.(type) {
	case nil:
		b.WriteByte('N')
	case bool:
		if x {
			b.WriteByte('T')
		} else {
			b.WriteByte('F')
		}
	case string:
		marshalText(b, x)
	case json.Number:
		return marshalNumber(b, string(x))
	case json.Delim:
		if x == '{' {
			return marshalObject(b, dec)
		}
		return marshalList(b, dec)
	}
	return nil
}

func marshalObject(b *bytes.Buffer, dec *json.Decoder) error {
	b.WriteByte('{')
	for dec.More() {
		if err := marshalNext(b, dec); err != nil { // the key, a string
			return err
		}
		if err := marshalNext(b, dec); err != nil {
			return err
		}
	}
	b.WriteByte('0')
	_, err := dec.Token()
	return err
}

// marshalList writes the length afterwards: only then it is known.
func marshalList(b *bytes.Buffer, dec *json.Decoder) error {
	b.WriteByte('[')
	at, n := b.Len(), 0
	marshalInt32(b, 0)
	for dec.More() {
		if err := marshalNext(b, dec); err != nil {
			return err
		}
		n++
	}
	binary.LittleEndian.PutUint32(b.Bytes()[at:], uint32(n)) //nolint:gosec // far below 2^31
	_, err := dec.Token()
	return err
}

func marshalInt32(b *bytes.Buffer, n int) {
	var raw [4]byte
	binary.LittleEndian.PutUint32(raw[:], uint32(int32(n))) //nolint:gosec // lengths here are far below 2^31
	b.Write(raw[:])
}

func marshalText(b *bytes.Buffer, s string) {
	b.WriteByte('u')
	s = strings.ToValidUTF8(s, "\ufffd")
	marshalInt32(b, len(s))
	b.WriteString(s)
}

func marshalNumber(b *bytes.Buffer, s string) error {
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range is an infinity, as in Python
			return fmt.Errorf("%q is no number", s)
		}
		b.WriteByte('g')
		var raw [8]byte
		binary.LittleEndian.PutUint64(raw[:], math.Float64bits(f))
		b.Write(raw[:])
		return nil
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return fmt.Errorf("%q is no number", s)
	}
	// A big integer is its count of 15-bit digits, negative for negative
	// numbers, and the digits, least significant first.
	abs := new(big.Int).Abs(n)
	mask := big.NewInt(1<<15 - 1)
	var digits []uint16
	for abs.Sign() > 0 {
		digits = append(digits, uint16(new(big.Int).And(abs, mask).Uint64())) //nolint:gosec // 15 bits
		abs.Rsh(abs, 15)
	}
	count := len(digits)
	if n.Sign() < 0 {
		count = -count
	}
	b.WriteByte('l')
	marshalInt32(b, count)
	for _, d := range digits {
		b.WriteByte(byte(d))
		b.WriteByte(byte(d >> 8))
	}
	return nil
}
