// Package builtin provides the tools that come with Millrace: every workspace
// has them, and they need no credentials.
//
// Each provider is a package below this one that returns a Provider; the
// composition root lists them in one call of New.
package builtin

import (
	"context"
	"slices"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool/driver"
)

// Func is what a tool does.
type Func func(ctx context.Context, call *driver.Call, send func(driver.Message) error) error

// Provider is a provider with what its tools do, by their names.
type Provider struct {
	driver.Provider
	Funcs map[string]Func
	// Parameters returns what a tool takes in a workspace besides its parameters,
	// or instead of those of the same name; nil when that is the same everywhere.
	Parameters func(ctx context.Context, tenantID, tool string) ([]driver.Parameter, error)
}

// describe returns the provider as a workspace has it.
func (p *Provider) describe(ctx context.Context, tenantID string) (*driver.Provider, error) {
	if p.Parameters == nil {
		return &p.Provider, nil
	}
	out := p.Provider
	out.Tools = make([]*driver.Tool, len(p.Tools))
	for i, t := range p.Tools {
		own := *t
		more, err := p.Parameters(ctx, tenantID, t.Name)
		if err != nil {
			return nil, err
		}
		own.Parameters = slices.Clone(t.Parameters)
		for _, param := range more {
			same := func(x driver.Parameter) bool { return x.Name == param.Name }
			if at := slices.IndexFunc(own.Parameters, same); at >= 0 {
				own.Parameters[at] = param
			} else {
				own.Parameters = append(own.Parameters, param)
			}
		}
		out.Tools[i] = &own
	}
	return &out, nil
}

// Runtime has a fixed list of providers.
type Runtime struct{ providers []*Provider }

var _ driver.Runtime = (*Runtime)(nil)

// New returns a runtime of the given providers.
func New(providers ...*Provider) *Runtime { return &Runtime{providers: providers} }

// Providers lists them; every workspace has the same ones.
func (r *Runtime) Providers(ctx context.Context, tenantID string) ([]*driver.Provider, error) {
	out := make([]*driver.Provider, len(r.providers))
	for i, p := range r.providers {
		var err error
		if out[i], err = p.describe(ctx, tenantID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *Runtime) find(id string) (*Provider, error) {
	for _, p := range r.providers {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, errs.Newf(errs.NotFound, "builtin provider %s not found", id)
}

// Provider finds one of them.
func (r *Runtime) Provider(ctx context.Context, tenantID, id string) (*driver.Provider, error) {
	p, err := r.find(id)
	if err != nil {
		return nil, err
	}
	return p.describe(ctx, tenantID)
}

// Invoke calls a tool.
func (r *Runtime) Invoke(ctx context.Context, call *driver.Call, send func(driver.Message) error) error {
	p, err := r.find(call.Provider)
	if err != nil {
		return err
	}
	f, ok := p.Funcs[call.Tool]
	if !ok {
		return errs.Newf(errs.NotFound, "tool %s not found in provider %s", call.Tool, call.Provider)
	}
	return f(ctx, call, send)
}

// Same is a text that is the same in every language.
func Same(text string) driver.Text {
	return driver.Text{"en_US": text, "zh_Hans": text, "pt_BR": text, "ja_JP": text}
}

// Translated is Same with a Chinese translation.
func Translated(text, chinese string) driver.Text {
	t := Same(text)
	t["zh_Hans"] = chinese
	return t
}

// Say sends a text.
func Say(send func(driver.Message) error, text string) error {
	return send(driver.Message{Type: driver.Words, Text: text})
}
