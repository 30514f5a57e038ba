package llm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Decimal is an exact decimal number that remembers its scale, because the
// contract prints prices with it ("0", "0.0", "0E-7"). The zero value is "0".
type Decimal struct {
	// coefficient × 10^-scale; a nil coefficient is 0.
	coefficient *big.Int
	scale       int
}

// ParseDecimal reads a decimal number such as "0.000001", "2.5" or "1E-6".
func ParseDecimal(s string) (Decimal, error) {
	text, exp := strings.TrimSpace(s), 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		n, err := strconv.Atoi(text[i+1:])
		if err != nil || n > 1000 || n < -1000 {
			return Decimal{}, fmt.Errorf("not a decimal number: %q", s)
		}
		text, exp = text[:i], n
	}
	whole, frac, _ := strings.Cut(text, ".")
	c, ok := new(big.Int).SetString(whole+frac, 10)
	if !ok || strings.ContainsAny(whole+frac, "_") {
		return Decimal{}, fmt.Errorf("not a decimal number: %q", s)
	}
	return Decimal{coefficient: c, scale: len(frac) - exp}, nil
}

// MustDecimal is ParseDecimal for constants; it panics on anything else.
func MustDecimal(s string) Decimal {
	d, err := ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return d
}

func (d Decimal) big() *big.Int {
	if d.coefficient == nil {
		return new(big.Int)
	}
	return d.coefficient
}

// IsZero reports whether the number is 0, whatever its scale.
func (d Decimal) IsZero() bool { return d.big().Sign() == 0 }

// Add returns d + o with the larger scale of the two.
func (d Decimal) Add(o Decimal) Decimal {
	scale := max(d.scale, o.scale)
	return Decimal{coefficient: new(big.Int).Add(d.at(scale), o.at(scale)), scale: scale}
}

// Mul returns d × o exactly.
func (d Decimal) Mul(o Decimal) Decimal {
	return Decimal{coefficient: new(big.Int).Mul(d.big(), o.big()), scale: d.scale + o.scale}
}

// MulInt returns d × n exactly.
func (d Decimal) MulInt(n int) Decimal {
	return Decimal{coefficient: new(big.Int).Mul(d.big(), big.NewInt(int64(n))), scale: d.scale}
}

// at returns the coefficient for a scale that is not smaller than d's.
func (d Decimal) at(scale int) *big.Int {
	return new(big.Int).Mul(d.big(), pow10(scale-d.scale))
}

// Round returns d with exactly scale digits after the point, half up.
func (d Decimal) Round(scale int) Decimal {
	if d.scale <= scale {
		return Decimal{coefficient: d.at(scale), scale: scale}
	}
	div := pow10(d.scale - scale)
	abs := new(big.Int).Abs(d.big())
	q, r := new(big.Int).QuoRem(abs, div, new(big.Int))
	if r.Lsh(r, 1).Cmp(div) >= 0 {
		q.Add(q, big.NewInt(1))
	}
	if d.big().Sign() < 0 {
		q.Neg(q)
	}
	return Decimal{coefficient: q, scale: scale}
}

// String prints the number with its scale, in scientific form where the
// contract's decimals do: a positive exponent, or more than six zeros in front.
func (d Decimal) String() string {
	digits, sign := d.big().String(), ""
	if strings.HasPrefix(digits, "-") {
		digits, sign = digits[1:], "-"
	}
	left := len(digits) - d.scale
	if d.scale < 0 || left <= -6 {
		exp := left - 1
		mantissa := digits[:1]
		if len(digits) > 1 {
			mantissa += "." + digits[1:]
		}
		return fmt.Sprintf("%s%sE%+d", sign, mantissa, exp)
	}
	if left <= 0 {
		return sign + "0." + strings.Repeat("0", -left) + digits
	}
	if d.scale == 0 {
		return sign + digits
	}
	return sign + digits[:left] + "." + digits[left:]
}

// MarshalJSON writes the number as text.
func (d Decimal) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads text or a number; null is 0.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	text := string(bytes.Trim(data, `"`))
	if text == "null" || text == "" {
		*d = Decimal{}
		return nil
	}
	v, err := ParseDecimal(text)
	*d = v
	return err
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
