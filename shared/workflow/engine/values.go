package engine

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// defaultOutputs are the outputs of a failed node with default values. Text
// given for another type is parsed.
func defaultOutputs(list []workflow.DefaultValue) *value.Object {
	out := value.NewObject(len(list) + 2)
	for _, d := range list {
		out.Set(d.Key, defaultValue(d))
	}
	return out
}

func defaultValue(d workflow.DefaultValue) any {
	s, ok := d.Value.(string)
	if !ok || d.Type == "string" {
		return d.Value
	}
	if d.Type == "number" {
		if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			return f
		}
		return d.Value
	}
	if v, err := value.Decode([]byte(s)); err == nil {
		return value.Revive(v)
	}
	return d.Value
}

// addUsage sums model usage the way the contract's run totals are made: counts
// and prices add up, unit prices and timings are those of the later call.
func addUsage(sum, u *workflow.Usage) *workflow.Usage {
	if sum == nil {
		c := *u
		c.Provider, c.Model, c.Latency = "", "", 0 // a sum
		return &c
	}
	out := &workflow.Usage{
		PromptTokens:     sum.PromptTokens + u.PromptTokens,
		CompletionTokens: sum.CompletionTokens + u.CompletionTokens,
		TotalTokens:      sum.TotalTokens + u.TotalTokens,
		TotalPrice:       addDecimal(sum.TotalPrice, u.TotalPrice),
		Currency:         u.Currency,
	}
	switch {
	case u.Object == nil:
		out.Object = sum.Object
	case sum.Object == nil:
		out.Object = u.Object
	default:
		out.Object = addUsageObjects(sum.Object, u.Object)
	}
	return out
}

func addUsageObjects(a, b *value.Object) *value.Object {
	out := value.NewObject(b.Len())
	for k, v := range b.All() {
		switch k {
		case "prompt_tokens", "completion_tokens", "total_tokens":
			x, _ := a.Value(k).(int64)
			y, _ := v.(int64)
			v = x + y
		case "prompt_price", "completion_price", "total_price":
			v = addDecimal(a.String(k), value.Str(v))
		case "latency":
			v = number(a.Value(k)) + number(v)
		}
		out.Set(k, v)
	}
	return out
}

func number(v any) float64 {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case float64:
		return n
	}
	return 0
}

// addDecimal adds two decimal numbers exactly, with as many decimals as the
// longer one has. Text that is no plain decimal counts as zero.
func addDecimal(a, b string) string {
	x, xs, okx := parseDecimal(a)
	y, ys, oky := parseDecimal(b)
	switch {
	case !okx && !oky:
		return "0"
	case !okx:
		return b
	case !oky:
		return a
	}
	scale := max(xs, ys)
	ten := big.NewInt(10)
	x.Mul(x, new(big.Int).Exp(ten, big.NewInt(int64(scale-xs)), nil))
	y.Mul(y, new(big.Int).Exp(ten, big.NewInt(int64(scale-ys)), nil))
	x.Add(x, y)
	if scale == 0 {
		return x.String()
	}
	sign := ""
	if x.Sign() < 0 {
		sign = "-"
		x.Neg(x)
	}
	digits := x.String()
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale-len(digits)+1) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

func parseDecimal(s string) (n *big.Int, scale int, ok bool) {
	mantissa, exp, hasExp := strings.Cut(strings.ToLower(s), "e")
	whole, frac, _ := strings.Cut(mantissa, ".")
	n, ok = new(big.Int).SetString(whole+frac, 10)
	if !ok {
		return nil, 0, false
	}
	scale = len(frac)
	if hasExp {
		e, err := strconv.Atoi(exp)
		if err != nil || e > 100 || e < -100 {
			return nil, 0, false
		}
		scale -= e
	}
	if scale < 0 {
		n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-scale)), nil))
		scale = 0
	}
	return n, scale, true
}
