package assigner

import (
	"fmt"
	"math"
	"math/big"

	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/millrace/millrace/shared/workflow/vartype"
)

// The operations that only the second version has.
const (
	opSet         = "set"
	opExtend      = "extend"
	opAdd         = "+="
	opSubtract    = "-="
	opMultiply    = "*="
	opDivide      = "/="
	opRemoveFirst = "remove-first"
	opRemoveLast  = "remove-last"
)

// Where the value of an operation comes from.
const (
	inputConstant = "constant"
	inputVariable = "variable"
)

func isOperation(op string) bool {
	switch op {
	case opOverwrite, opClear, opAppend, opExtend, opSet, opAdd, opSubtract, opMultiply, opDivide, opRemoveFirst, opRemoveLast:
		return true
	default:
		return false
	}
}

func (it *item) inputType() string {
	if it.constant {
		return inputConstant
	}
	return inputVariable
}

// needsValue reports whether the operation has an operand.
func (it *item) needsValue() bool {
	return it.op != opClear && it.op != opRemoveFirst && it.op != opRemoveLast
}

func (it *item) isArithmetic() bool {
	return it.op == opAdd || it.op == opSubtract || it.op == opMultiply || it.op == opDivide
}

// supports reports whether variables of the type have the operation.
func (it *item) supports(typ string) bool {
	switch {
	case it.op == opOverwrite, it.op == opClear:
		return true
	case it.op == opSet:
		return typ == vartype.String || typ == vartype.Object || typ == vartype.Boolean || vartype.IsNumber(typ)
	case it.isArithmetic():
		return vartype.IsNumber(typ)
	default:
		_, array := vartype.Element(typ)
		return array
	}
}

// takesInput reports whether the operand may come from where it does.
func (it *item) takesInput(typ string) bool {
	if !it.constant {
		return it.op != opSet && !it.isArithmetic()
	}
	switch {
	case typ == vartype.String, typ == vartype.Object, typ == vartype.Boolean:
		return it.op == opOverwrite || it.op == opSet
	case vartype.IsNumber(typ):
		return it.op == opOverwrite || it.op == opSet || it.isArithmetic()
	default:
		return false
	}
}

// accepts reports whether the operand is of the right type.
func (it *item) accepts(typ string, v any) bool {
	if !it.needsValue() {
		return true
	}
	element, array := vartype.Element(typ)
	switch {
	case array && it.op == opAppend:
		return isElement(element, v)
	case array:
		list, ok := v.([]any)
		for _, x := range list {
			ok = ok && isElement(element, x)
		}
		return ok
	case vartype.IsNumber(typ):
		n, ok := numeric(v)
		return ok && (it.op != opDivide || !isZero(n))
	default:
		return typ != vartype.None && vartype.Fits(typ, v)
	}
}

// isElement reports whether an array of that element type takes v.
func isElement(element string, v any) bool {
	switch element {
	case vartype.Any:
		switch v.(type) {
		case string, bool, int64, float64, *big.Int, *value.Object:
			return true
		}
		return false
	case vartype.Number:
		_, ok := numeric(v)
		return ok
	default:
		return vartype.Fits(element, v)
	}
}

// compute returns the new value of a variable; the operand is accepted.
func (it *item) compute(typ string, have, given any) (any, error) {
	list, _ := have.([]any)
	switch it.op {
	case opClear:
		return zero(typ)
	case opAppend:
		return join(list, given), nil
	case opExtend:
		more, _ := given.([]any)
		return join(list, more...), nil
	case opRemoveFirst:
		return join(list[min(1, len(list)):]), nil
	case opRemoveLast:
		return join(list[:max(0, len(list)-1)]), nil
	case opOverwrite, opSet:
		if vartype.IsNumber(typ) {
			given, _ = numeric(given)
		}
		return given, nil
	}
	a, ok := numeric(have)
	if !ok {
		return nil, invalid(have) // a declared number that holds something else
	}
	b, _ := numeric(given)
	return calculate(it.op, a, b)
}

// numeric returns a number; as in the contract booleans count as 0 and 1.
func numeric(v any) (any, bool) {
	switch v := v.(type) {
	case int64, float64, *big.Int:
		return v, true
	case bool:
		if v {
			return int64(1), true
		}
		return int64(0), true
	default:
		return nil, false
	}
}

func isZero(n any) bool {
	switch n := n.(type) {
	case int64:
		return n == 0
	case float64:
		return n == 0
	case *big.Int:
		return n.Sign() == 0
	default:
		return false
	}
}

// maxBits bounds whole numbers: about as many digits as the contract can write.
const maxBits = 14000

// calculate works like Python: whole numbers stay whole and exact except in
// divisions, whose result is always a float.
func calculate(op string, a, b any) (any, error) {
	x, wholeA := integer(a)
	y, wholeB := integer(b)
	if wholeA && wholeB && op != opDivide {
		z := new(big.Int)
		switch op {
		case opAdd:
			z.Add(x, y)
		case opSubtract:
			z.Sub(x, y)
		default:
			z.Mul(x, y)
		}
		if z.BitLen() > maxBits {
			return nil, errTooLarge()
		}
		if z.IsInt64() {
			return z.Int64(), nil
		}
		return z, nil
	}
	f, g := float(a), float(b)
	if wholeA && wholeB { // exact, as the operands may not fit into floats
		r, _ := new(big.Rat).SetFrac(x, y).Float64()
		return finite(r)
	}
	switch op {
	case opAdd:
		f += g
	case opSubtract:
		f -= g
	case opMultiply:
		f *= g
	default:
		f /= g
	}
	return finite(f)
}

func integer(v any) (*big.Int, bool) {
	switch v := v.(type) {
	case int64:
		return big.NewInt(v), true
	case *big.Int:
		return v, true
	default:
		return nil, false
	}
}

func float(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	default:
		return 0
	}
}

// finite refuses results that no JSON can carry.
func finite(f float64) (any, error) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, errTooLarge()
	}
	return f, nil
}

func errTooLarge() error { return fmt.Errorf("the result is too large a number") }
