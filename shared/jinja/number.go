package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxBits bounds integers: beyond it arithmetic fails instead of eating memory.
const maxBits = 1 << 17

// maxDigits is Python's limit for converting integers to and from text.
const maxDigits = 4300

// normBig gives the smallest representation of an integer.
func normBig(b *big.Int) any {
	if b.IsInt64() {
		return int(b.Int64())
	}
	if b.BitLen() > maxBits {
		raise(KindLimit, "an integer of the template is too large")
	}
	return b
}

// bigOf gives an integer value as a big.Int, nil when v is none.
func bigOf(v any) *big.Int {
	switch v := v.(type) {
	case *big.Int:
		return v
	case int:
		return big.NewInt(int64(v))
	case bool:
		n, _ := intOf(v)
		return big.NewInt(int64(n))
	}
	return nil
}

// floatOf converts a number to float64.
func floatOf(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case bool:
		n, _ := intOf(v)
		return float64(n), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		if math.IsInf(f, 0) {
			raise(KindOverflow, "int too large to convert to float")
		}
		return f, true
	}
	return 0, false
}

func isNumber(v any) bool {
	switch v.(type) {
	case int, bool, float64, *big.Int:
		return true
	}
	return false
}

func opSymbol(op string) string {
	switch op {
	case "add":
		return "+"
	case "sub":
		return "-"
	case "mul":
		return "*"
	case "div":
		return "/"
	case "floordiv":
		return "//"
	case "mod":
		return "%"
	}
	return "** or pow()"
}

// arith applies an arithmetic operator to two numbers.
func (it *interp) arith(op string, a, b any) any {
	_, fa := a.(float64)
	_, fb := b.(float64)
	if fa || fb {
		x, _ := floatOf(a)
		y, _ := floatOf(b)
		return floatArith(op, x, y)
	}
	x, okx := intOf(a)
	y, oky := intOf(b)
	if okx && oky {
		if v, ok := intArith(op, x, y); ok {
			return v
		}
	}
	return it.bigArith(op, bigOf(a), bigOf(b))
}

// intArith is the fast path; ok is false when the result may not fit.
func intArith(op string, x, y int) (any, bool) {
	switch op {
	case "add":
		s := x + y
		return s, (s > x) == (y > 0)
	case "sub":
		s := x - y
		return s, (s < x) == (y > 0)
	case "mul":
		if x == 0 || y == 0 {
			return 0, true
		}
		p := x * y
		return p, p/y == x && x != math.MinInt && y != math.MinInt
	case "div":
		if y == 0 {
			raise(KindZeroDivision, "division by zero")
		}
		const exact = 1 << 53
		if x > -exact && x < exact && y > -exact && y < exact {
			return float64(x) / float64(y), true
		}
	case "floordiv", "mod":
		if y == 0 {
			if op == "mod" {
				raise(KindZeroDivision, "integer modulo by zero")
			}
			raise(KindZeroDivision, "integer division or modulo by zero")
		}
		if x == math.MinInt {
			return nil, false
		}
		q, r := x/y, x%y
		if r != 0 && (r < 0) != (y < 0) {
			q--
			r += y
		}
		if op == "mod" {
			return r, true
		}
		return q, true
	}
	return nil, false
}

func (it *interp) bigArith(op string, x, y *big.Int) any {
	it.charge((x.BitLen() + y.BitLen()) / 64)
	z := new(big.Int)
	switch op {
	case "add":
		return normBig(z.Add(x, y))
	case "sub":
		return normBig(z.Sub(x, y))
	case "mul":
		if x.BitLen()+y.BitLen() > maxBits {
			raise(KindLimit, "an integer of the template is too large")
		}
		return normBig(z.Mul(x, y))
	case "div":
		if y.Sign() == 0 {
			raise(KindZeroDivision, "division by zero")
		}
		f, _ := new(big.Rat).SetFrac(x, y).Float64()
		if math.IsInf(f, 0) {
			raise(KindOverflow, "integer division result too large for a float")
		}
		return f
	case "floordiv", "mod":
		if y.Sign() == 0 && op == "mod" {
			raise(KindZeroDivision, "integer modulo by zero")
		}
		if y.Sign() == 0 {
			raise(KindZeroDivision, "integer division or modulo by zero")
		}
		m := new(big.Int)
		z.DivMod(x, y, m)
		if y.Sign() < 0 && m.Sign() != 0 { // Euclidean to floored
			z.Sub(z, big.NewInt(1))
			m.Add(m, y)
		}
		if op == "mod" {
			return normBig(m)
		}
		return normBig(z)
	}
	return it.bigPow(x, y)
}

func (it *interp) bigPow(x, y *big.Int) any {
	if y.Sign() < 0 {
		if x.Sign() == 0 {
			raise(KindZeroDivision, "0.0 cannot be raised to a negative power")
		}
		fx, _ := floatOf(normBig(x))
		fy, _ := floatOf(normBig(y))
		return floatArith("pow", fx, fy)
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > maxBits || int64(x.BitLen()-1)*y.Int64() > maxBits) {
		raise(KindLimit, "an integer of the template is too large")
	}
	if x.BitLen() <= 1 { // -1, 0, 1
		switch {
		case y.Sign() == 0:
			return 1
		case x.Sign() >= 0 || y.Bit(0) == 1:
			return normBig(x)
		}
		return 1
	}
	it.charge(x.BitLen() * int(y.Int64()) / 64)
	return normBig(new(big.Int).Exp(x, y, nil))
}

func floatArith(op string, x, y float64) any {
	switch op {
	case "add":
		return x + y
	case "sub":
		return x - y
	case "mul":
		return x * y
	case "div":
		if y == 0 {
			raise(KindZeroDivision, "float division by zero")
		}
		return x / y
	case "floordiv", "mod":
		if y == 0 {
			if op == "mod" {
				raise(KindZeroDivision, "float modulo")
			}
			raise(KindZeroDivision, "float floor division by zero")
		}
		m := math.Mod(x, y)
		q := (x - m) / y
		if m != 0 && (m < 0) != (y < 0) {
			m += y
			q--
		} else if m == 0 {
			m = math.Copysign(0, y)
		}
		if op == "mod" {
			return m
		}
		if q == 0 {
			return math.Copysign(0, x/y)
		}
		if f := math.Floor(q); q-f > 0.5 {
			return f + 1
		}
		return math.Floor(q)
	}
	if x == 0 && y < 0 {
		raise(KindZeroDivision, "0.0 cannot be raised to a negative power")
	}
	if x < 0 && y != math.Trunc(y) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		raise(KindType, "complex numbers are not supported")
	}
	r := math.Pow(x, y)
	if math.IsInf(r, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		raise(KindOverflow, "(34, 'Numerical result out of range')")
	}
	return r
}

// reprFloat is repr(float).
func reprFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func reprBig(b *big.Int) string {
	if b.BitLen() > maxDigits*4 { // cheap check before the costly conversion
		raise(KindValue, "Exceeds the limit (%d digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit", maxDigits)
	}
	s := b.String()
	if len(strings.TrimPrefix(s, "-")) > maxDigits {
		raise(KindValue, "Exceeds the limit (%d digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit", maxDigits)
	}
	return s
}

// parsePyInt is int(s, base); base 0 reads the prefix. ok is false for text
// that is no integer.
func parsePyInt(s string, base int) (any, bool) {
	s = strings.TrimFunc(s, isPySpace)
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			sign = "-"
		}
		s = s[1:]
	}
	if len(s) > 1 && s[0] == '0' {
		p := s[1] | 0x20
		want := map[byte]int{'x': 16, 'o': 8, 'b': 2}[p]
		if want != 0 && (base == want || base == 0) {
			base = want
			s = strings.TrimPrefix(s[2:], "_")
		}
	}
	if base == 0 {
		base = 10
		if t := strings.Trim(s, "0_"); len(s) > 1 && s[0] == '0' && t != "" {
			return nil, false
		}
	}
	if s == "" || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") || strings.ContainsAny(s, "+-") {
		return nil, false
	}
	s = asciiDigits(strings.ReplaceAll(s, "_", ""))
	if len(s) > maxDigits {
		raise(KindValue, "Exceeds the limit (%d digits) for integer string conversion: value has %d digits; use sys.set_int_max_str_digits() to increase the limit", maxDigits, len(s))
	}
	if v, err := strconv.ParseInt(sign+s, base, 64); err == nil {
		return int(v), true
	}
	b, ok := new(big.Int).SetString(sign+s, base)
	if !ok {
		return nil, false
	}
	return normBig(b), true
}

// parsePyFloat reads a float literal; the lexer has checked its form.
func parsePyFloat(s string) float64 {
	f, _ := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	return f
}

// parseFloatText is float(s) for text.
func parseFloatText(s string) (float64, bool) {
	s = asciiDigits(strings.TrimFunc(s, isPySpace))
	t := strings.ToLower(strings.TrimLeft(s, "+-"))
	switch t {
	case "inf", "infinity", "nan":
	default:
		for i := 0; i < len(t); i++ {
			c := t[i]
			if c == '_' && (i == 0 || i == len(t)-1 || !isDigit(t[i-1]) || !isDigit(t[i+1])) {
				return 0, false
			}
			if !isDigit(c) && c != '_' && c != '.' && c != 'e' && c != '+' && c != '-' {
				return 0, false
			}
		}
		s = strings.ReplaceAll(s, "_", "")
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// roundFloat is round(x, n) for floats: correctly rounded, ties to even.
func roundFloat(x float64, n int) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) || n > 323 {
		return x
	}
	if n >= 0 {
		f, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'f', n, 64), 64)
		return f
	}
	if n < -308 {
		return math.Copysign(0, x)
	}
	p := math.Pow(10, float64(-n))
	return math.RoundToEven(x/p) * p
}

// roundInt is round(x, n) for integers.
func (it *interp) roundInt(x *big.Int, n int) any {
	if n >= 0 {
		return normBig(new(big.Int).Set(x))
	}
	if -n > maxDigits {
		return 0
	}
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-n)), nil)
	q, m := new(big.Int).DivMod(x, p, new(big.Int))
	switch new(big.Int).Lsh(m, 1).Cmp(p) {
	case 1:
		q.Add(q, big.NewInt(1))
	case 0:
		if q.Bit(0) == 1 {
			q.Add(q, big.NewInt(1))
		}
	}
	return normBig(q.Mul(q, p))
}
