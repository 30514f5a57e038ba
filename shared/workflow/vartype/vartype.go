// Package vartype knows the types of variables: which type a value has, which
// values a type takes, what an empty variable holds and how large one may be.
//
// It does not keep variables: a workflow.Pool does, and a declared type is the
// business of who declares it. START HERE: Of and Fits.
package vartype

import (
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow/value"
)

// The types of variables. Arrays of one of them are Array(type).
const (
	String  = "string"
	Secret  = "secret"
	Number  = "number" // an integer or a float
	Integer = "integer"
	Float   = "float"
	Boolean = "boolean"
	Object  = "object"
	File    = "file"
	None    = "none"
	Any     = "any" // of the elements of an array
)

// Array is the type of arrays of an element type.
func Array(element string) string { return "array[" + element + "]" }

// Element returns the type of an array's elements; ok is false for a type that
// is no array.
func Element(typ string) (element string, ok bool) {
	element, ok = strings.CutPrefix(typ, "array[")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(element, "]")
}

// IsNumber reports whether values of the type are numbers.
func IsNumber(typ string) bool { return typ == Number || typ == Integer || typ == Float }

// Shown is the type as users see it: both kinds of numbers are numbers.
func Shown(typ string) string {
	if IsNumber(typ) {
		return Number
	}
	return typ
}

// Of is the type that a value has by itself.
func Of(v any) string {
	switch v := v.(type) {
	case nil:
		return None
	case string:
		return String
	case bool:
		return Boolean
	case int64, *big.Int:
		return Integer
	case float64:
		return Float
	case *value.Object:
		return Object
	case *value.File:
		return File
	case []any:
		return Array(elementOf(v))
	default:
		return None
	}
}

// elementOf is the type that all elements have; numbers of both kinds mix.
func elementOf(list []any) string {
	common := Any
	for i, x := range list {
		typ := Shown(Of(x))
		if _, nested := Element(typ); nested || typ == None || i > 0 && typ != common {
			return Any
		}
		common = typ
	}
	return common
}

// Fits reports whether a variable of the type may have the value.
func Fits(typ string, v any) bool {
	if element, ok := Element(typ); ok {
		list, isList := v.([]any)
		for _, x := range list {
			isList = isList && (element == Any || Fits(element, x))
		}
		return isList
	}
	have := Of(v)
	switch typ {
	case Secret:
		return have == String
	case Number, Integer, Float:
		return IsNumber(have)
	default:
		return have == typ
	}
}

// Zero is what a variable of the type holds when it is empty; ok is false for
// types that have no such value.
func Zero(typ string) (v any, ok bool) {
	if _, array := Element(typ); array {
		return []any{}, true
	}
	switch typ {
	case String, Secret:
		return "", true
	case Number, Integer:
		return int64(0), true
	case Float:
		return 0.0, true
	case Boolean:
		return false, true
	case Object:
		return value.NewObject(0), true
	case None:
		return nil, true
	default:
		return nil, false
	}
}

// MaxSize is how large the value of a kept variable may be, as Size counts.
const MaxSize = 204800

// CheckSize returns the contract's error for a value that is too large to keep.
func CheckSize(v any) error {
	if size := Size(v); size > MaxSize {
		return fmt.Errorf("variable size %d exceeds limit %d", size, MaxSize)
	}
	return nil
}

// Size is about what the contract counts as the size of a value: the memory of
// a text, and the JSON text of what has parts.
func Size(v any) int {
	s, ok := v.(string)
	if !ok {
		return len(value.JSON(v))
	}
	const header, wideHeader = 41, 58
	if utf8.RuneCountInString(s) == len(s) {
		return header + len(s)
	}
	width := 1
	n := 0
	for _, r := range s {
		n++
		switch {
		case r > 0xffff:
			width = 4
		case r > 0xff:
			width = max(width, 2)
		}
	}
	return wideHeader + n*width
}
