// Package value holds the values that flow between workflow nodes: JSON values
// whose objects keep their key order and whose numbers keep the difference
// between integers and floats, plus files. It also renders them as text in
// the three ways that the contract knows (see text.go).
//
// A value is one of: nil, bool, string, int64, float64, *big.Int (integers
// beyond int64), []any, *Object, *File. Nothing else may be put into a
// variable pool; From brings ordinary Go values into this form.
package value

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Object is a JSON object that keeps the order in which keys were first set.
// The zero value is an empty object; a nil *Object reads as empty.
//
// Most objects have a handful of keys, which are found faster by looking at each
// than by hashing; larger ones have an index.
type Object struct {
	keys   []string
	values []any
	index  map[string]int // of the keys; nil for small objects
}

// indexed is the number of keys from which on an object has an index.
const indexed = 12

// NewObject returns an empty object with room for n keys.
func NewObject(n int) *Object {
	return &Object{keys: make([]string, 0, n), values: make([]any, 0, n)}
}

// find returns the place of key, -1 when it is not there.
func (o *Object) find(key string) int {
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			return i
		}
		return -1
	}
	for i, k := range o.keys {
		if k == key {
			return i
		}
	}
	return -1
}

// reindex makes the index that an object of this size needs.
func (o *Object) reindex() {
	o.index = nil
	if len(o.keys) < indexed {
		return
	}
	o.index = make(map[string]int, 2*len(o.keys))
	for i, k := range o.keys {
		o.index[k] = i
	}
}

// Obj builds an object from alternating keys and values; it panics when the
// arguments do not alternate, which is a programming error.
func Obj(kv ...any) *Object {
	o := NewObject(len(kv) / 2)
	for i := 0; i < len(kv); i += 2 {
		o.Set(kv[i].(string), kv[i+1])
	}
	return o
}

// Set stores v under key. A new key goes to the end.
func (o *Object) Set(key string, v any) {
	if i := o.find(key); i >= 0 {
		o.values[i] = v
		return
	}
	o.keys, o.values = append(o.keys, key), append(o.values, v)
	switch {
	case o.index != nil:
		o.index[key] = len(o.keys) - 1
	case len(o.keys) == indexed:
		o.reindex()
	}
}

// Get returns the value under key and whether there is one.
func (o *Object) Get(key string) (any, bool) {
	if o == nil {
		return nil, false
	}
	if i := o.find(key); i >= 0 {
		return o.values[i], true
	}
	return nil, false
}

// Value returns the value under key, nil when there is none.
func (o *Object) Value(key string) any {
	v, _ := o.Get(key)
	return v
}

// String returns the string under key, "" when there is none or it is no string.
func (o *Object) String(key string) string {
	s, _ := o.Value(key).(string)
	return s
}

// Delete removes key.
func (o *Object) Delete(key string) {
	if o == nil {
		return
	}
	i := o.find(key)
	if i < 0 {
		return
	}
	// Who iterates meanwhile keeps the old slices.
	o.keys = append(o.keys[:i:i], o.keys[i+1:]...)
	o.values = append(o.values[:i:i], o.values[i+1:]...)
	o.reindex()
}

// Len returns the number of keys.
func (o *Object) Len() int {
	if o == nil {
		return 0
	}
	return len(o.keys)
}

// Keys returns the keys in order. The caller may not modify the slice.
func (o *Object) Keys() []string {
	if o == nil {
		return nil
	}
	return o.keys
}

// All iterates over keys and values in order.
func (o *Object) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		if o == nil {
			return
		}
		keys, values := o.keys, o.values
		for i, k := range keys {
			if !yield(k, values[i]) {
				return
			}
		}
	}
}

// Clone returns a shallow copy.
func (o *Object) Clone() *Object {
	c := NewObject(o.Len())
	if o != nil {
		c.keys, c.values = append(c.keys, o.keys...), append(c.values, o.values...)
		c.reindex()
	}
	return c
}

// MarshalJSON writes the keys in order; HTML characters are not escaped. A nil
// object is null.
func (o *Object) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte("null"), nil
	}
	var b bytes.Buffer
	if err := writeJSON(&b, o, jsonStyle{item: ",", colon: ":"}, 0); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// UnmarshalJSON reads an object and keeps the order of its keys.
func (o *Object) UnmarshalJSON(data []byte) error {
	v, err := Decode(data)
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		*o = Object{}
	case *Object:
		*o = *v
	default:
		return &json.UnmarshalTypeError{Value: "non-object", Offset: 0}
	}
	return nil
}
