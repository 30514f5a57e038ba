// Package memtool provides tools from memory, for tests: each workspace has
// its own, and what they do are Go functions.
package memtool

import (
	"context"
	"sync"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool/driver"
)

// Func is what a tool does.
type Func func(ctx context.Context, call *driver.Call, send func(driver.Message) error) error

// Runtime keeps providers by workspace. The zero value has none.
type Runtime struct {
	mu        sync.Mutex
	providers map[string][]*driver.Provider
	funcs     map[[3]string]Func
}

var _ driver.Runtime = (*Runtime)(nil)

// Add gives a workspace a provider, and says what its tools do by their names.
func (r *Runtime) Add(tenantID string, p *driver.Provider, funcs map[string]Func) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.providers == nil {
		r.providers, r.funcs = map[string][]*driver.Provider{}, map[[3]string]Func{}
	}
	r.providers[tenantID] = append(r.providers[tenantID], p)
	for name, f := range funcs {
		r.funcs[[3]string{tenantID, p.ID, name}] = f
	}
}

// Providers lists what a workspace was given.
func (r *Runtime) Providers(_ context.Context, tenantID string) ([]*driver.Provider, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.providers[tenantID], nil
}

// Provider finds one of them.
func (r *Runtime) Provider(_ context.Context, tenantID, id string) (*driver.Provider, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.providers[tenantID] {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, errs.Newf(errs.NotFound, "tool provider %s not found", id)
}

// Invoke calls the tool's function.
func (r *Runtime) Invoke(ctx context.Context, call *driver.Call, send func(driver.Message) error) error {
	r.mu.Lock()
	f, ok := r.funcs[[3]string{call.TenantID, call.Provider, call.Tool}]
	r.mu.Unlock()
	if !ok {
		return errs.Newf(errs.NotFound, "tool %s not found in provider %s", call.Tool, call.Provider)
	}
	return f(ctx, call, send)
}
