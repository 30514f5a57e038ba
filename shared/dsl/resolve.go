package dsl

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// patterns of plain scalars in YAML 1.1. They are compiled once and never
// written to.
var (
	floatPattern = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|` +
		`[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	intPattern = regexp.MustCompile(`^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|` +
		`[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	timePattern = regexp.MustCompile(`^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:` +
		`[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$`)
)

// resolve returns what a plain scalar stands for. Times stay text: nothing in
// an app document is a time.
func resolve(s string) any {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false
	}
	if !strings.ContainsAny(s[:1], "+-.0123456789") {
		return s
	}
	if intPattern.MatchString(s) {
		return resolveInt(strings.ReplaceAll(s, "_", ""))
	}
	if floatPattern.MatchString(s) {
		return resolveFloat(strings.ToLower(strings.ReplaceAll(s, "_", "")))
	}
	return s
}

func resolveInt(s string) any {
	digits, negative := strings.CutPrefix(strings.TrimPrefix(s, "+"), "-")
	n := new(big.Int)
	switch {
	case strings.Contains(digits, ":"):
		for part := range strings.SplitSeq(digits, ":") {
			d, _ := strconv.Atoi(part)
			n.Add(n.Mul(n, big.NewInt(60)), big.NewInt(int64(d)))
		}
	case strings.HasPrefix(digits, "0b"):
		n.SetString(digits[2:], 2)
	case strings.HasPrefix(digits, "0x"):
		n.SetString(digits[2:], 16)
	case len(digits) > 1 && digits[0] == '0':
		n.SetString(digits[1:], 8)
	default:
		n.SetString(digits, 10)
	}
	if negative {
		n.Neg(n)
	}
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

func resolveFloat(s string) any {
	digits, negative := strings.CutPrefix(strings.TrimPrefix(s, "+"), "-")
	var f float64
	switch {
	case digits == ".inf":
		f = math.Inf(1)
	case digits == ".nan":
		f = math.NaN()
	case strings.Contains(digits, ":"):
		for part := range strings.SplitSeq(digits, ":") {
			d, _ := strconv.ParseFloat(part, 64)
			f = f*60 + d
		}
	default:
		f, _ = strconv.ParseFloat(digits, 64)
	}
	if negative {
		f = -f
	}
	return f
}

// plainIsText reports whether s, written without quotes, is read as that text.
func plainIsText(s string) bool {
	if s == "<<" || s == "=" || timePattern.MatchString(s) {
		return false
	}
	_, ok := resolve(s).(string)
	return ok
}
