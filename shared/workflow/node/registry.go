// Package node holds the registry of node types. Each type is a package of its
// own below this one; the composition root lists them in one call of
// NewRegistry, so nothing registers itself.
package node

import (
	"slices"

	"github.com/millrace/millrace/shared/workflow"
)

// Registry finds node types by name. It does not change once made.
type Registry struct {
	types map[string]workflow.Type
}

// NewRegistry returns a registry of the given types. Of two types with the same
// name the later one counts.
func NewRegistry(types ...workflow.Type) *Registry {
	r := &Registry{types: make(map[string]workflow.Type, len(types))}
	for _, t := range types {
		r.types[t.Name()] = t
	}
	return r
}

// Lookup returns the type with that DSL name.
func (r *Registry) Lookup(name string) (workflow.Type, bool) {
	t, ok := r.types[name]
	return t, ok
}

// Names returns the registered names in order.
func (r *Registry) Names() []string {
	out := make([]string, 0, len(r.types))
	for name := range r.types {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
