// Package builtin provides the tools that come with Millrace: every workspace
// has them, and they need no credentials.
//
// Each provider is a package below this one that returns a Provider; the
// composition root lists them in one call of New.
package builtin

import (
	"context"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool/driver"
)

// Func is what a tool does.
type Func func(ctx context.Context, call *driver.Call, send func(driver.Message) error) error

// Provider is a provider with what its tools do, by their names.
type Provider struct {
	driver.Provider
	Funcs map[string]Func
}

// Runtime has a fixed list of providers.
type Runtime struct{ providers []*Provider }

var _ driver.Runtime = (*Runtime)(nil)

// New returns a runtime of the given providers.
func New(providers ...*Provider) *Runtime { return &Runtime{providers: providers} }

// Providers lists them; they are the same in every workspace.
func (r *Runtime) Providers(context.Context, string) ([]*driver.Provider, error) {
	out := make([]*driver.Provider, len(r.providers))
	for i, p := range r.providers {
		out[i] = &p.Provider
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
func (r *Runtime) Provider(_ context.Context, _, id string) (*driver.Provider, error) {
	p, err := r.find(id)
	if err != nil {
		return nil, err
	}
	return &p.Provider, nil
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
