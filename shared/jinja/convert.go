package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"reflect"
	"sort"
	"strconv"
)

// OrderedMap is how a caller hands in an object whose key order matters, as
// Python dicts have one. Any type with these methods will do; Dict is one.
type OrderedMap interface {
	// Len is the number of keys.
	Len() int
	// Range calls f for each key in order until f returns false.
	Range(f func(key string, value any) bool)
}

// Dict is an OrderedMap of JSON values in insertion order. The zero value is
// an empty one. It is not safe for concurrent writing.
type Dict struct {
	keys []string
	vals map[string]any
}

// Set adds a key at the end or replaces the value of an existing one.
func (d *Dict) Set(key string, value any) {
	if d.vals == nil {
		d.vals = map[string]any{}
	}
	if _, ok := d.vals[key]; !ok {
		d.keys = append(d.keys, key)
	}
	d.vals[key] = value
}

// Get returns the value of a key and whether it is there.
func (d *Dict) Get(key string) (any, bool) {
	v, ok := d.vals[key]
	return v, ok
}

// Len is the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

// Range calls f for each key in insertion order until f returns false.
func (d *Dict) Range(f func(key string, value any) bool) {
	for _, k := range d.keys {
		if !f(k, d.vals[k]) {
			return
		}
	}
}

// DecodeJSON reads one JSON document keeping the order of object keys (as
// *Dict) and the exact text of numbers (as json.Number).
func DecodeJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := decodeValue(dec)
	if err != nil {
		return nil, fmt.Errorf("jinja: decode json: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("jinja: decode json: trailing data")
	}
	return v, nil
}

func decodeValue(dec *json.Decoder) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if delim == '[' {
		out := []any{}
		for dec.More() {
			v, err := decodeValue(dec)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		_, err = dec.Token()
		return out, err
	}
	d := &Dict{}
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, err
		}
		v, err := decodeValue(dec)
		if err != nil {
			return nil, err
		}
		d.Set(k.(string), v)
	}
	_, err = dec.Token()
	return d, err
}

const maxInputDepth = 500

// fromGo turns a Go JSON value into a template value. Containers are copied:
// a template may change its own lists but never the caller's.
func fromGo(v any, depth int) any {
	if depth > maxInputDepth {
		raise(KindLimit, "a variable is nested too deeply")
	}
	switch v := v.(type) {
	case nil:
		return none{}
	case bool, string, float64, int:
		return v
	case int64:
		return int(v)
	case json.Number:
		return fromNumber(v)
	case *big.Int:
		return normBig(new(big.Int).Set(v))
	case []any:
		l := &list{items: make([]any, len(v))}
		for i, x := range v {
			l.items[i] = fromGo(x, depth+1)
		}
		return l
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		d := newDict(len(v))
		for _, k := range keys {
			d.set(k, fromGo(v[k], depth+1))
		}
		return d
	case OrderedMap:
		d := newDict(v.Len())
		v.Range(func(k string, x any) bool {
			d.set(k, fromGo(x, depth+1))
			return true
		})
		return d
	}
	return fromReflect(v, depth)
}

// fromReflect takes the other Go kinds a JSON-like value may have: narrow
// numbers, typed slices and typed maps. Structs, functions and channels are
// refused; a template never sees a host object.
func fromReflect(v any, depth int) any {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return int(rv.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return normBig(new(big.Int).SetUint64(rv.Uint()))
	case reflect.Float32, reflect.Float64:
		return rv.Float()
	case reflect.Bool:
		return rv.Bool()
	case reflect.String:
		return rv.String()
	case reflect.Slice, reflect.Array:
		l := &list{items: make([]any, rv.Len())}
		for i := range l.items {
			l.items[i] = fromGo(rv.Index(i).Interface(), depth+1)
		}
		return l
	case reflect.Map:
		if rv.Type().Key().Kind() == reflect.String {
			m := make(map[string]any, rv.Len())
			for _, k := range rv.MapKeys() {
				m[k.String()] = rv.MapIndex(k).Interface()
			}
			return fromGo(m, depth)
		}
	}
	raiseType("a variable has the unsupported type %T", v)
	return nil
}

func fromNumber(n json.Number) any {
	s := n.String()
	if i, err := strconv.Atoi(s); err == nil && s != "-0" {
		return i
	}
	if b, ok := new(big.Int).SetString(s, 10); ok {
		return normBig(b)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		raise(KindValue, "a variable holds the malformed number %q", s)
	}
	return f
}
