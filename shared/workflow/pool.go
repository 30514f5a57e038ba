package workflow

import (
	"maps"

	"github.com/millrace/millrace/shared/workflow/value"
)

// Pool holds the variables of one run. It is not safe for concurrent writes:
// the engine alone writes, between node executions; nodes read a snapshot that
// does not change while they run (see Snapshot).
type Pool struct {
	scopes  map[string]map[string]any
	secrets map[string]bool // names of env variables whose text is masked in logs
	shared  bool            // scopes is shared with a snapshot
	owned   map[string]bool // scopes whose map no snapshot has
	types   map[[2]string]string
}

// NewPool returns an empty pool.
func NewPool() *Pool {
	return &Pool{scopes: map[string]map[string]any{}, secrets: map[string]bool{}}
}

// Set stores a variable.
func (p *Pool) Set(node, name string, v any) {
	scope := p.scopes[node]
	if !p.owned[node] {
		fresh := make(map[string]any, len(scope)+1)
		maps.Copy(fresh, scope)
		scope = fresh
		p.part()
		p.scopes[node] = scope
		if p.owned == nil {
			p.owned = map[string]bool{}
		}
		p.owned[node] = true
	}
	scope[name] = v
}

// part makes scopes the pool's own.
func (p *Pool) part() {
	if p.shared {
		p.scopes, p.shared = maps.Clone(p.scopes), false
	}
}

// SetAll stores every member of o as a variable of the node.
func (p *Pool) SetAll(node string, o *value.Object) {
	for k, v := range o.All() {
		p.Set(node, k, v)
	}
}

// Remove forgets every variable of a node.
func (p *Pool) Remove(node string) {
	p.part()
	delete(p.scopes, node)
	delete(p.owned, node)
}

// MarkSecret makes Secrets return the environment variable's value.
func (p *Pool) MarkSecret(envName string) { p.secrets[envName] = true }

// Secrets returns the values of the secret environment variables; whoever
// stores or logs text masks them (see value.Log in request texts).
func (p *Pool) Secrets() []string {
	var out []string
	for name := range p.secrets {
		if s, ok := p.scopes[ScopeEnvironment][name].(string); ok && s != "" {
			out = append(out, s)
		}
	}
	return out
}

// Declare tells the types of variables that have one besides that of their
// value (an empty array of strings is one), by scope and name. The map is used
// as it is: nobody may change it afterwards.
func (p *Pool) Declare(types map[[2]string]string) { p.types = types }

// Declared returns the declared type of a variable, "" for the others.
func (p *Pool) Declared(node, name string) string { return p.types[[2]string{node, name}] }

// Get resolves a selector: the variable, then object keys and file attributes.
// ok is false when any part is missing. A variable that is present with a null
// value is found.
func (p *Pool) Get(s Selector) (v any, ok bool) {
	node, name, ok := s.Key()
	if !ok {
		return nil, false
	}
	if v, ok = p.scopes[node][name]; !ok {
		return nil, false
	}
	for _, key := range s[2:] {
		switch t := v.(type) {
		case *value.Object:
			v, ok = t.Get(key)
		case *value.File:
			v, ok = t.Attribute(key)
		default:
			return nil, false
		}
		if !ok {
			return nil, false
		}
	}
	return v, true
}

// Scope returns the variables of a node or scope. The caller may not modify it.
func (p *Pool) Scope(node string) map[string]any { return p.scopes[node] }

// Snapshot returns a copy that later writes to p do not change. It costs next to
// nothing: what is written to later is copied then.
func (p *Pool) Snapshot() *Pool {
	p.shared, p.owned = true, nil
	return &Pool{scopes: p.scopes, secrets: p.secrets, types: p.types, shared: true}
}
