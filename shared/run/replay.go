package run

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run/replay"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// InvokeFromReplay is StartRequest.InvokeFrom of runs that were made from others.
const InvokeFromReplay = "replay"

// Replay is in the request of a run that was made from another: what it takes
// over is stored with it, so that it does not need the other any more.
type Replay struct {
	OriginID string `json:"origin_run_id"`
	// FromNode is the first node that runs again; "" means all do.
	FromNode string `json:"from_node,omitempty"`
	// BatchID is the batch that asked for the run, if one did.
	BatchID string `json:"batch_id,omitempty"`
	// Recorded are the results that are taken over, without their costs.
	Recorded []workflow.NodeEvent `json:"recorded,omitempty"`

	// pin is the draft that the origin was a run of.
	pin *pin
}

func (r *Replay) recorded() []workflow.NodeEvent {
	if r == nil {
		return nil
	}
	return r.Recorded
}

func (r *Replay) revive() {
	for i := range r.recorded() {
		workflow.ReviveEvents([]workflow.Event{{Node: &r.Recorded[i]}})
	}
}

// ReplayRequest asks for a run like another one.
type ReplayRequest struct {
	TenantID, AppID, OriginID string
	// FromNode is the first node that runs again; "" runs all again. It and what is
	// behind it run, every other node that ended in the origin keeps its result.
	FromNode string
	// WorkflowID is the version to run; "" means the origin's.
	WorkflowID string
	// Inputs replace the origin's, and have been checked; nil keeps them.
	Inputs *value.Object
	// User is on whose behalf the new run is made.
	User User
	// Queue is where it continues; "" means the origin's.
	Queue string
	// RunID is made when empty.
	RunID   string
	BatchID string
}

// Origin returns the request of a finished run of the app that can be run again.
// Codes: NotFound, Conflict while it is not over, NotImplemented for turns of
// chats, InvalidParam for runs of a part of a graph.
func (s *Service) Origin(ctx context.Context, tenantID, appID, runID string) (*View, error) {
	_, v, err := s.origin(ctx, tenantID, appID, runID)
	return v, err
}

func (s *Service) origin(ctx context.Context, tenantID, appID, runID string) (*spec, *View, error) {
	r, err := s.Store.Get(ctx, tenantID, runID)
	if err != nil {
		return nil, nil, err
	}
	var sp spec
	if err := json.Unmarshal(r.Spec, &sp); err != nil {
		return nil, nil, fmt.Errorf("spec of run %s: %w", r.ID, err)
	}
	q := &sp.Request
	switch {
	case q.AppID != appID || sp.Part != nil:
		return nil, nil, errs.New(errs.NotFound, "Workflow run not found")
	case q.Chat != nil:
		return nil, nil, errs.New(errs.NotImplemented, "Only runs of workflows can be replayed; a turn of a chat depends on its conversation.")
	case q.Alone != nil:
		return nil, nil, errs.New(errs.InvalidParam, "The run was one of a single node; only runs of a whole graph can be replayed.")
	case !r.Finished():
		return nil, nil, errs.New(errs.Conflict, "The run is not over yet; stop it or wait for its end.")
	}
	return &sp, &View{Request: sp.Request, StartedAt: sp.StartedAt, Status: r.Status, LastSeq: r.LastSeq, Finished: true}, nil
}

// PrepareReplay makes the request of a run from another one, to be given to
// Start or Enqueue, and notes where the new run comes from. Codes: those of
// Origin, and InvalidParam when it cannot begin at that node.
func (s *Service) PrepareReplay(ctx context.Context, q ReplayRequest) (StartRequest, error) {
	if s.Replays == nil {
		return StartRequest{}, errs.New(errs.NotImplemented, "")
	}
	sp, _, err := s.origin(ctx, q.TenantID, q.AppID, q.OriginID)
	if err != nil {
		return StartRequest{}, err
	}
	from := sp.Request
	req := StartRequest{
		TenantID: q.TenantID, AppID: q.AppID, WorkflowID: from.WorkflowID, RunID: q.RunID, Mode: from.Mode, InvokeFrom: InvokeFromReplay,
		TriggeredFrom: FromDebugging, User: q.User, Inputs: from.Inputs, Files: from.Files, Queue: from.Queue,
		Replay: &Replay{OriginID: q.OriginID, FromNode: q.FromNode, BatchID: q.BatchID},
	}
	if req.RunID == "" {
		req.RunID = ids.New()
	}
	if q.WorkflowID != "" {
		req.WorkflowID = q.WorkflowID
	} else {
		req.Replay.pin = sp.Pin
	}
	if q.Inputs != nil {
		req.Inputs = q.Inputs
	}
	if q.Queue != "" {
		req.Queue = q.Queue
	}
	c, err := s.planFor(ctx, &req)
	if err != nil {
		return StartRequest{}, err
	}
	if q.FromNode != "" {
		journal, err := s.Store.Events(ctx, q.TenantID, q.OriginID, 0)
		if err != nil {
			return StartRequest{}, err
		}
		if req.Replay.Recorded, err = c.plan.Recorded(q.OriginID, journal, q.FromNode); err != nil {
			return StartRequest{}, err
		}
	}
	if q.BatchID != "" {
		return req, nil // the batch has noted it
	}
	return req, s.Replays.Link(ctx, replay.Origin{
		RunID: req.RunID, TenantID: q.TenantID, AppID: q.AppID, OriginID: q.OriginID, WorkflowID: req.WorkflowID, FromNode: q.FromNode, CreatedAt: s.now(),
	})
}

// Enqueue makes a run that some worker executes, and returns at once. A run that
// is there already is left alone.
func (s *Service) Enqueue(ctx context.Context, req StartRequest) error {
	c, sp, err := s.newSpec(ctx, req)
	if err != nil {
		return err
	}
	p := projection{def: c.def, req: &sp.Request}
	return s.enqueue(ctx, &sp, p.rows(nil, true, sp.StartedAt))
}
