package run

import (
	"context"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
)

// partOf marks the run of a part of a large container. Such a run has a journal
// and a lease of its own, but no rows in the contract's tables and no clients:
// the run that it is a part of takes its events over when it is done.
type partOf struct {
	// RunID is the run that it is a part of.
	RunID string `json:"run_id"`
}

// fanOut runs parts of an execution's containers as runs of their own.
type fanOut struct{ x *execution }

var _ engine.Parts = fanOut{}

// Start implements engine.Parts: it stores the part as a run that nobody works
// on, and wakes some worker up for it.
func (f fanOut) Start(ctx context.Context, p workflow.Part) error {
	x, s := f.x, f.x.s
	req := x.spec.Request
	if _, err := s.Store.Get(ctx, req.TenantID, p.RunID); !errs.Is(err, errs.NotFound) {
		return err
	}
	if limit := s.opts.PartsPerTenant; limit > 0 {
		n, err := s.Store.OpenParts(ctx, req.TenantID)
		if err != nil {
			return err
		}
		if n >= limit {
			return engine.ErrLater
		}
	}
	sp := x.spec
	sp.Request.RunID, sp.Part, sp.Trace = p.RunID, &partOf{RunID: req.RunID}, inject(ctx)
	sp.Request.Replay = nil // the journal that the part goes on from has what was taken over
	return s.enqueue(ctx, &sp, runstore.Rows{})
}

// Events implements engine.Parts.
func (f fanOut) Events(ctx context.Context, p workflow.Part) ([]workflow.Event, bool, error) {
	tenant := f.x.spec.Request.TenantID
	r, err := f.x.s.Store.Get(ctx, tenant, p.RunID)
	if err != nil || !r.Finished() {
		return nil, false, err
	}
	events, err := f.x.s.Store.Events(ctx, tenant, p.RunID, 0)
	return events, err == nil, err
}

// Stop implements engine.Parts.
func (f fanOut) Stop(ctx context.Context, p workflow.Part, reason string) error {
	return f.x.s.Stop(context.WithoutCancel(ctx), f.x.spec.Request.TenantID, p.RunID, reason)
}

// restorePart brings the execution of a part to where its journal ends.
func (x *execution) restorePart(ctx context.Context, events []workflow.Event) error {
	req := &x.spec.Request
	origin, err := x.s.Store.Events(ctx, req.TenantID, x.spec.Part.RunID, 0)
	if err != nil {
		return err
	}
	return x.engine.RestorePart(req.RunID, origin, events)
}

// whole is the request of the run itself, also when this is a part of it: what
// nodes see of the run must not depend on where they run.
func (sp spec) whole() spec {
	if sp.Part != nil {
		sp.Request.RunID = sp.Part.RunID
	}
	return sp
}

// partEnded tells the run that a part is over.
func (x *execution) partEnded() {
	if err := x.s.Signal(x.base, x.spec.Request.TenantID, x.spec.Part.RunID); err != nil {
		x.s.opts.Log.WarnContext(x.base, "signal run; it looks after its parts by itself", "run_id", x.spec.Part.RunID, "error", err)
	}
}
