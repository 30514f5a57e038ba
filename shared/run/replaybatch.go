package run

import (
	"context"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run/replay"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Limits of batches of replays.
const (
	// MaxReplays is how many runs a batch may have.
	MaxReplays = 100
	// replaysAtOnce is how many of them are under way at the same time.
	replaysAtOnce = 4
)

// ReplayBatchRequest asks to run finished runs of an app again.
type ReplayBatchRequest struct {
	TenantID, AppID string
	// Origins are the runs, in the order of the report.
	Origins []string
	// WorkflowID is the version to run them against.
	WorkflowID string
	FromNode   string
	User       User
	Queue      string
}

// StartReplayBatch stores a batch and starts its first runs. Every run that ends
// starts the next one; what a crash prevents, the next look at the report does.
func (s *Service) StartReplayBatch(ctx context.Context, q ReplayBatchRequest) (string, error) {
	if s.Replays == nil {
		return "", errs.New(errs.NotImplemented, "")
	}
	if len(q.Origins) == 0 || len(q.Origins) > MaxReplays {
		return "", errs.Newf(errs.InvalidParam, "A batch has between 1 and %d runs.", MaxReplays)
	}
	if q.Queue == "" {
		q.Queue = s.opts.Queue
	}
	b := replay.Batch{
		ID: ids.New(), TenantID: q.TenantID, AppID: q.AppID, WorkflowID: q.WorkflowID, FromNode: q.FromNode, Queue: q.Queue,
		AtOnce: replaysAtOnce, CreatedBy: q.User.ID, CreatedAt: s.now(),
	}
	list := make([]replay.Origin, len(q.Origins))
	for i, id := range q.Origins {
		list[i] = replay.Origin{
			RunID: ids.New(), TenantID: q.TenantID, AppID: q.AppID, OriginID: id, WorkflowID: q.WorkflowID, FromNode: q.FromNode,
			BatchID: b.ID, Position: i, CreatedAt: b.CreatedAt,
		}
	}
	if err := s.Replays.CreateBatch(ctx, b, list); err != nil {
		return "", err
	}
	if err := s.advanceBatch(ctx, q.TenantID, q.AppID, b.ID); err != nil {
		s.opts.Log.WarnContext(ctx, "start runs of batch; the next look at it does", "batch_id", b.ID, "error", err)
	}
	return b.ID, nil
}

// advanceBatch starts runs of a batch until enough are under way. Concurrent
// calls may start a few more, but never one twice.
func (s *Service) advanceBatch(ctx context.Context, tenantID, appID, id string) error {
	b, list, err := s.Replays.Batch(ctx, tenantID, appID, id)
	if err != nil {
		return err
	}
	open, waiting := 0, []*replay.Origin(nil)
	for i := range list {
		o := &list[i]
		if o.Refused != "" {
			continue
		}
		r, err := s.Store.Get(ctx, tenantID, o.RunID)
		switch {
		case errs.Is(err, errs.NotFound):
			waiting = append(waiting, o)
		case err != nil:
			return err
		case !r.Finished():
			open++
		}
	}
	for _, o := range waiting {
		if open >= b.AtOnce {
			return nil
		}
		started, err := s.startReplay(ctx, &b, o)
		if err != nil {
			return err
		}
		if started {
			open++
		}
	}
	return nil
}

// startReplay makes one run of a batch, or notes why it cannot be made.
func (s *Service) startReplay(ctx context.Context, b *replay.Batch, o *replay.Origin) (bool, error) {
	req, err := s.PrepareReplay(ctx, ReplayRequest{
		TenantID: b.TenantID, AppID: b.AppID, OriginID: o.OriginID, FromNode: b.FromNode, WorkflowID: b.WorkflowID, RunID: o.RunID,
		BatchID: b.ID, Queue: b.Queue, User: User{ID: b.CreatedBy, Role: "account", SessionID: b.CreatedBy},
	})
	if err == nil {
		return true, s.Enqueue(ctx, req)
	}
	if errs.CodeOf(err) == errs.Internal {
		return false, err // another time
	}
	return false, s.Replays.Refuse(ctx, b.TenantID, o.RunID, errs.Public(err).Message)
}

// replayEnded starts the next run of a batch.
func (x *execution) replayEnded() {
	req := &x.spec.Request
	if req.Replay == nil || req.Replay.BatchID == "" || x.s.Replays == nil {
		return
	}
	if err := x.s.advanceBatch(x.base, req.TenantID, req.AppID, req.Replay.BatchID); err != nil {
		x.s.opts.Log.WarnContext(x.base, "start next run of batch; the next look at it does", "batch_id", req.Replay.BatchID, "error", err)
	}
}

// Side is one of two runs that are compared.
type Side struct {
	RunID  string `json:"run_id"`
	Status string `json:"status"`
	Error  string `json:"error,omitempty"`
	// Outputs are those of the run.
	Outputs *value.Object `json:"outputs,omitempty"`
	Tokens  int64         `json:"tokens"`
	Price   string        `json:"price"`
	// Currency is "" when no model was called.
	Currency string  `json:"currency,omitempty"`
	Elapsed  float64 `json:"elapsed"`
}

// The states of a comparison.
const (
	ReplayWaiting = "waiting"
	ReplayRunning = "running"
	ReplayDone    = "done"
	ReplayRefused = "refused"
)

// Comparison is a run beside the one that it was made from.
type Comparison struct {
	State string `json:"state"`
	// Refused is why there is no new run.
	Refused string `json:"refused,omitempty"`
	Before  Side   `json:"before"`
	After   Side   `json:"after"`
	// Same is true when both are over with the same status and outputs.
	Same        bool                `json:"same"`
	Differences []replay.Difference `json:"differences"`
}

// BatchReport is what has become of a batch so far.
type BatchReport struct {
	Batch replay.Batch
	// Done is true when no run is left to be waited for.
	Done bool
	Runs []Comparison
	// The runs by how they came out; Same and Different are done ones.
	Same, Different, Refused, Open int
}

// ReplayBatch reports on a batch. It is computed from the runs, and starts runs
// that should be under way.
func (s *Service) ReplayBatch(ctx context.Context, tenantID, appID, id string) (*BatchReport, error) {
	if s.Replays == nil {
		return nil, errs.New(errs.NotImplemented, "")
	}
	if err := s.advanceBatch(ctx, tenantID, appID, id); err != nil {
		return nil, err
	}
	b, list, err := s.Replays.Batch(ctx, tenantID, appID, id)
	if err != nil {
		return nil, err
	}
	out := &BatchReport{Batch: b, Runs: make([]Comparison, len(list))}
	for i := range list {
		c, err := s.compare(ctx, &list[i])
		if err != nil {
			return nil, err
		}
		switch {
		case c.State == ReplayRefused:
			out.Refused++
		case c.State != ReplayDone:
			out.Open++
		case c.Same:
			out.Same++
		default:
			out.Different++
		}
		out.Runs[i] = *c
	}
	out.Done = out.Open == 0
	return out, nil
}

// Compare puts a run beside the one that it was made from; errs.NotFound for
// runs that were not made from another.
func (s *Service) Compare(ctx context.Context, tenantID, runID string) (*Comparison, error) {
	if s.Replays == nil {
		return nil, errs.New(errs.NotImplemented, "")
	}
	o, err := s.Replays.Origin(ctx, tenantID, runID)
	if err != nil {
		return nil, err
	}
	return s.compare(ctx, &o)
}

func (s *Service) compare(ctx context.Context, o *replay.Origin) (*Comparison, error) {
	before, _, err := s.side(ctx, o.TenantID, o.OriginID)
	if err != nil {
		return nil, err
	}
	c := &Comparison{State: ReplayRefused, Refused: o.Refused, Before: before, After: Side{RunID: o.RunID, Price: "0"}, Differences: []replay.Difference{}}
	if o.Refused != "" {
		return c, nil
	}
	after, over, err := s.side(ctx, o.TenantID, o.RunID)
	if err != nil {
		return nil, err
	}
	c.After = after
	switch {
	case after.Status == "":
		c.State = ReplayWaiting
	case !over:
		c.State = ReplayRunning
	default:
		c.State = ReplayDone
		if d := replay.Diff(before.Outputs, after.Outputs); d != nil {
			c.Differences = d
		}
		c.Same = len(c.Differences) == 0 && before.Status == after.Status
	}
	return c, nil
}

// side reads how a run ended; its status is "" when there is no such run.
func (s *Service) side(ctx context.Context, tenantID, runID string) (out Side, over bool, err error) {
	out = Side{RunID: runID, Price: "0"}
	r, err := s.Store.Get(ctx, tenantID, runID)
	if errs.Is(err, errs.NotFound) {
		return out, false, nil
	}
	if err != nil {
		return out, false, err
	}
	out.Status = r.Status
	if !r.Finished() {
		return out, false, nil
	}
	events, err := s.Store.Events(ctx, tenantID, runID, r.LastSeq-1)
	if err != nil {
		return out, false, err
	}
	for i := range events {
		if events[i].Type == workflow.EventRunFinished {
			f := events[i].Finished
			out.Error, out.Outputs, out.Tokens, out.Elapsed = f.Error, f.Outputs, f.Tokens, f.Elapsed
			if f.Usage != nil && f.Usage.TotalPrice != "" {
				out.Price, out.Currency = f.Usage.TotalPrice, f.Usage.Currency
			}
		}
	}
	return out, true, nil
}
