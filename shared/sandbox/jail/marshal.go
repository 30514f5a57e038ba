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

// encodeMarshal writes v in the serialization that Python's marshal module
// reads. Unlike JSON it needs no Python module that takes time to import, and
// it keeps integers and floats apart. v consists of what encoding/json decodes
// with UseNumber.
func encodeMarshal(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := marshalTo(&b, v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func marshalTo(b *bytes.Buffer, v any) error {
	switch x := v.(type) {
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
	case []any:
		b.WriteByte('[')
		marshalInt32(b, len(x))
		for _, e := range x {
			if err := marshalTo(b, e); err != nil {
				return err
			}
		}
	case map[string]any:
		b.WriteByte('{')
		for k, e := range x {
			marshalText(b, k)
			if err := marshalTo(b, e); err != nil {
				return err
			}
		}
		b.WriteByte('0')
	default:
		return fmt.Errorf("a %T cannot be passed to Python", v)
	}
	return nil
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
