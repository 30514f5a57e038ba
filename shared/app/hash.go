package app

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/millrace/millrace/shared/workflow/value"
)

// GraphHash identifies the state of a graph. Clients send it back with their
// changes, so it is computed exactly as the contract does: over the JSON text
// with sorted keys, followed by the text of an empty feature set.
func GraphHash(graph string) string {
	v, err := value.Decode([]byte(graph))
	if err != nil {
		v = value.NewObject(0)
	}
	sum := sha256.Sum256([]byte(value.JSONASCII(value.Obj("graph", sorted(v))) + "None"))
	return hex.EncodeToString(sum[:])
}

func sorted(v any) any {
	switch v := v.(type) {
	case *value.Object:
		keys := slices.Clone(v.Keys())
		slices.Sort(keys)
		out := value.NewObject(len(keys))
		for _, k := range keys {
			out.Set(k, sorted(v.Value(k)))
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = sorted(x)
		}
		return out
	}
	return v
}
