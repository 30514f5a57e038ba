package run

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
)

// StopReasonCaller is the reason of the stop of a run whose caller is over.
const StopReasonCaller = "The workflow that called this one has ended."

// callerKey is where the context of a node has the execution it belongs to.
type callerKey struct{}

func (x *execution) forNodes(ctx context.Context) context.Context {
	return context.WithValue(ctx, callerKey{}, x)
}

// Caller returns the request of the run to whose node ctx was given; ok is
// false for contexts that come from no run of a service, such as those of
// single nodes of drafts.
func Caller(ctx context.Context) (req StartRequest, ok bool) {
	x, ok := ctx.Value(callerKey{}).(*execution)
	if !ok {
		return req, false
	}
	return x.spec.whole().Request, true
}

// CalledID makes the id of the run that a node calls from the key of its try:
// the same after a crash, another one when the node is tried again.
func CalledID(key string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("call:"+key)).String()
}

// Call runs a workflow for a node of another run and returns how it ended. The
// request names the run: after a crash the node calls again with the same id
// and gets the run that it had started, wherever that one is by now. The called
// run is durable by itself, and is stopped when its caller is over before it.
//
// When ctx ends Call returns at once. If the caller lives on in another process
// the called run goes on too.
func (s *Service) Call(ctx context.Context, req StartRequest) (*workflow.RunFinished, error) {
	x, _ := ctx.Value(callerKey{}).(*execution)
	req.CallDepth = 1
	if x != nil {
		whole := x.spec.whole().Request
		req.CalledBy, req.CallDepth = whole.RunID, whole.CallDepth+1
	}
	if req.CallDepth > s.opts.MaxCallDepth {
		return nil, errs.Newf(errs.InvalidParam, "Max workflow call depth %d reached.", s.opts.MaxCallDepth)
	}
	if TaskID(req.RunID) == "" {
		return nil, errs.New(errs.InvalidParam, "the run id must be a uuid")
	}
	work := ctx
	if x != nil {
		x.calls(req.RunID)
		if !x.deadline.IsZero() {
			var cancel context.CancelFunc
			work, cancel = context.WithDeadline(ctx, x.deadline)
			defer cancel()
		}
	}
	f, err := s.call(ctx, work, req)
	switch {
	case x != nil && ctx.Err() == nil:
		x.callOver(req.RunID)
	case x == nil && ctx.Err() != nil:
		// Nobody comes back for this run.
		if err := s.Stop(context.WithoutCancel(ctx), req.TenantID, req.RunID, StopReasonCaller); err != nil && !errs.Is(err, errs.NotFound) {
			s.opts.Log.WarnContext(ctx, "stop called run", "run_id", req.RunID, "error", err)
		}
	}
	return f, err
}

// call starts the run here, or waits for the one that is there.
func (s *Service) call(ctx, work context.Context, req StartRequest) (*workflow.RunFinished, error) {
	type started struct {
		res *Result
		err error
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	here, begun := true, make(chan started, 1)
	done := s.background.begin()
	go func() {
		defer done()
		res, err := s.Start(work, req, nil)
		begun <- started{res, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-begun:
		switch {
		case errs.Is(r.err, errs.Conflict): // an earlier worker of the caller has started it
		case r.err != nil:
			return nil, r.err
		case r.res.Finished != nil:
			return r.res.Finished, nil
		}
		here = r.res == nil || !r.res.HandedOver // else this process is about to end
	}
	return s.awaitCalled(ctx, work, req.TenantID, req.RunID, here)
}

// awaitCalled waits for a run that is there. Here says that this process may
// advance it, so as not to rely on others: all workers may be busy waiting for
// runs that they have called.
func (s *Service) awaitCalled(ctx, work context.Context, tenantID, runID string, here bool) (*workflow.RunFinished, error) {
	for wait := s.opts.JournalPoll; ; wait = min(2*wait, s.Store.TTL()) {
		if r, err := s.Store.Get(ctx, tenantID, runID); err != nil {
			return nil, err
		} else if here && !r.Finished() && !r.Leased {
			if err := s.continueCalled(ctx, work, tenantID, runID); err != nil {
				return nil, err
			}
		}
		f, err := s.joinCalled(ctx, tenantID, runID, wait)
		if f != nil || err != nil {
			return f, err
		}
	}
}

// continueCalled advances a run that nobody has, until it is over or has to be
// left again, or ctx ends.
func (s *Service) continueCalled(ctx, work context.Context, tenantID, runID string) error {
	left := make(chan struct{})
	done := s.background.begin()
	go func() {
		defer done()
		defer close(left)
		if err := s.Continue(work, tenantID, runID); err != nil {
			s.opts.Log.WarnContext(work, "continue called run; tick will", "run_id", runID, "error", err)
		}
	}()
	select {
	case <-left:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// joinCalled follows a run for a while; nil when it is not over by then.
func (s *Service) joinCalled(ctx context.Context, tenantID, runID string, wait time.Duration) (*workflow.RunFinished, error) {
	join, cancel := context.WithCancel(ctx)
	defer cancel()
	enough := s.Clock.After(wait)
	go func() {
		select {
		case <-enough:
			cancel()
		case <-join.Done():
		}
	}()
	res, err := s.Join(join, tenantID, runID, JoinFrom{Pauses: true}, SinkFunc(func(Item) error { return nil }))
	switch {
	case res != nil && res.Finished != nil:
		return res.Finished, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case join.Err() != nil:
		return nil, nil //nolint:nilnil // documented above
	}
	return nil, err
}

// calls remembers a run that a node waits for.
func (x *execution) calls(runID string) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.called == nil {
		x.called = map[string]bool{}
	}
	x.called[runID] = true
}

func (x *execution) callOver(runID string) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	delete(x.called, runID)
}

// stopCalled stops the runs that nodes still waited for when this one ended.
func (x *execution) stopCalled() {
	x.s.mu.Lock()
	called := x.called
	x.called = nil
	x.s.mu.Unlock()
	for id := range called {
		err := x.s.Stop(x.base, x.spec.Request.TenantID, id, StopReasonCaller)
		if err != nil && !errs.Is(err, errs.NotFound) {
			x.s.opts.Log.WarnContext(x.base, "stop called run; it sees that its caller is over", "run_id", id, "error", err)
		}
	}
}

// watchCaller stops this run when the one that called it is over: its worker may
// have died before it could say so.
func (x *execution) watchCaller(ctx context.Context) {
	req := &x.spec.Request
	if req.CalledBy == "" {
		return
	}
	caller, err := x.s.Store.Get(ctx, req.TenantID, req.CalledBy)
	if err == nil && caller.Finished() {
		x.requestStop(StopReasonCaller)
	}
}
