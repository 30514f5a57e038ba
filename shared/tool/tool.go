// Package tool finds and calls tools for workflows and agents: a provider has
// tools, a tool has parameters and answers with messages.
//
// Where tools come from is behind driver.Runtime, one for each provider type
// (see tool/builtin). This package picks the runtime, converts the parameters
// (convert.go), stores the files that a tool sends (messages.go) and describes
// tools to models (schema.go). How a node shows the messages is node/tool's
// matter. START HERE: Service.
package tool

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The types that runtimes and callers share.
type (
	// ProviderType says where a provider's tools come from.
	ProviderType = driver.ProviderType
	// Provider is a group of tools.
	Provider = driver.Provider
	// Tool describes a tool.
	Tool = driver.Tool
	// Parameter describes what a tool takes.
	Parameter = driver.Parameter
	// Ref names a tool in a workspace.
	Ref = driver.Ref
	// Call is one call of a tool.
	Call = driver.Call
	// Message is a part of what a tool answers.
	Message = driver.Message
)

// Files stores what tools send. *file.Service is one.
type Files interface {
	SaveToolFile(ctx context.Context, tenantID, userID, conversationID, mimeType string, data []byte) (*value.File, error)
}

// Options are what a Service works with. The zero value has no tools.
type Options struct {
	// Runtimes by provider type. Calls of other types are not implemented.
	Runtimes map[ProviderType]driver.Runtime
	// Files keeps blobs; nil makes tools fail that send any.
	Files Files
	// Fetch downloads the images that tools name by URL; nil leaves them out.
	Fetch func(ctx context.Context, url string) (data []byte, mimeType string, err error)
}

// Service finds and calls tools.
type Service struct{ opts Options }

// New returns a Service.
func New(opts Options) *Service { return &Service{opts: opts} }

func (s *Service) runtime(t ProviderType) (driver.Runtime, error) {
	if r, ok := s.opts.Runtimes[t]; ok {
		return r, nil
	}
	return nil, errs.Newf(errs.NotImplemented, "Tools of the provider type %s are not available here.", t)
}

// Providers lists the providers of one type in a workspace.
func (s *Service) Providers(ctx context.Context, tenantID string, t ProviderType) ([]*Provider, error) {
	r, err := s.runtime(t)
	if err != nil {
		return nil, err
	}
	return r.Providers(ctx, tenantID)
}

// Provider finds a provider.
func (s *Service) Provider(ctx context.Context, tenantID string, t ProviderType, id string) (*Provider, error) {
	r, err := s.runtime(t)
	if err != nil {
		return nil, err
	}
	return r.Provider(ctx, tenantID, id)
}

// Find describes a tool.
func (s *Service) Find(ctx context.Context, ref Ref) (*Tool, error) {
	p, err := s.Provider(ctx, ref.TenantID, ref.Type, ref.Provider)
	if err != nil {
		return nil, err
	}
	t, ok := p.Tool(ref.Tool)
	if !ok {
		return nil, errs.Newf(errs.NotFound, "tool %s not found in provider %s", ref.Tool, ref.Provider)
	}
	return t, nil
}

// Invoke calls a tool that Find described. The call's parameters are as the
// caller has them; unknown ones are left out. Files are stored before their
// messages are passed on.
func (s *Service) Invoke(ctx context.Context, t *Tool, call *Call, send func(Message) error) error {
	r, err := s.runtime(call.Type)
	if err != nil {
		return err
	}
	converted := *call
	if converted.Parameters, err = arguments(t, call.Parameters); err != nil {
		return err
	}
	err = r.Invoke(ctx, &converted, func(m Message) error {
		stored, err := s.store(ctx, call, m)
		if err != nil {
			return err
		}
		return send(stored)
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("call tool %s: %w", call.Tool, ctx.Err())
	}
	return err
}

// arguments converts what was given and fills in defaults.
func arguments(t *Tool, given *value.Object) (*value.Object, error) {
	out := value.NewObject(len(t.Parameters))
	for _, p := range t.Parameters {
		v, ok := given.Get(p.Name)
		if (!ok || v == nil) && p.Default != nil {
			v = p.Default
		}
		if v == nil {
			if p.Required {
				return nil, errs.Newf(errs.InvalidParam, "Missing required parameter %s", p.Name)
			}
			if !ok {
				continue
			}
		}
		converted, err := Convert(p, v)
		if err != nil {
			return nil, err
		}
		if converted == nil && p.Required {
			return nil, errs.Newf(errs.InvalidParam, "Missing required parameter %s", p.Name)
		}
		out.Set(p.Name, converted)
	}
	return out, nil
}
