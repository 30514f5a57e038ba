package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/runstore"
)

// JoinFrom says where a joining client begins. The zero value means now: only
// what comes, or the last event of a finished run.
type JoinFrom struct {
	// LastEventID is the ID of the last Item that the client has.
	LastEventID string
	// Start replays everything from the first event; LastEventID is ignored.
	Start bool
	// Pauses keeps the client when the run pauses; otherwise a pause ends the join.
	Pauses bool
}

// View is a run as its owner may see it.
type View struct {
	Request   StartRequest
	StartedAt time.Time
	Status    string
	LastSeq   int64
	Finished  bool
}

// Get returns a run of the tenant; errs.NotFound when there is none.
func (s *Service) Get(ctx context.Context, tenantID, runID string) (*View, error) {
	r, err := s.Store.Get(ctx, tenantID, runID)
	if err != nil {
		return nil, err
	}
	return view(r)
}

func view(r *runstore.Run) (*View, error) {
	var sp spec
	if err := json.Unmarshal(r.Spec, &sp); err != nil {
		return nil, fmt.Errorf("spec of run %s: %w", r.ID, err)
	}
	return &View{Request: sp.Request, StartedAt: sp.StartedAt, Status: r.Status, LastSeq: r.LastSeq, Finished: r.Finished()}, nil
}

// errGone ends a join whose client has left.
var errGone = errors.New("the client is gone")

// Join shows a run to a client until the run is over, the client leaves (the
// sink fails) or ctx ends. It never advances the run. The caller has checked
// that the client may see the run.
func (s *Service) Join(ctx context.Context, tenantID, runID string, from JoinFrom, sink Sink) (*Result, error) {
	run, err := s.Store.Get(ctx, tenantID, runID)
	if err != nil {
		return nil, err
	}
	v, err := view(run)
	if err != nil {
		return nil, err
	}
	var gone error
	r := newRelay(func(i Item) {
		if gone == nil {
			gone = sink.Item(i)
		}
	})
	switch {
	case from.Start:
	case from.LastEventID != "":
		c, ok := parseCursor(from.LastEventID)
		if !ok || c.seq > run.LastSeq {
			return nil, errs.New(errs.InvalidParam, errBadCursor(from.LastEventID))
		}
		r.resumeAt(c)
	case run.Finished():
		r.silentUntil = run.LastSeq - 1
	default:
		r.silentUntil = run.LastSeq
	}
	f := &follower{s: s, tenantID: tenantID, runID: runID, relay: r, gone: &gone, pauses: from.Pauses}
	err = f.follow(ctx)
	if errors.Is(err, errGone) {
		err = nil
	}
	return &Result{RunID: runID, TaskID: TaskID(runID), WorkflowID: v.Request.WorkflowID, CreatedAt: v.StartedAt, Finished: r.finished, Paused: r.paused}, err
}

// follower feeds a relay from the journal and the stream.
type follower struct {
	s               *Service
	tenantID, runID string
	relay           *relay
	gone            *error
	pauses          bool // go on after a pause of the run
}

// over reports whether the client has seen all that it wants.
func (f *follower) over() bool { return f.relay.finished != nil || f.relay.paused != nil && !f.pauses }

func (f *follower) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the reader
	sub, err := f.s.Stream.Subscribe(ctx, f.runID)
	if err != nil {
		sub = nil // the journal alone will do
	} else {
		defer func() { _ = sub.Close() }()
	}
	if err := f.catchUp(ctx); err != nil {
		return err
	}
	records := f.read(ctx, sub)
	for !f.over() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case list, ok := <-records:
			if !ok {
				records = nil
				continue
			}
			if f.relay.records(list) {
				break
			}
			if err := f.catchUp(ctx); err != nil {
				return err
			}
			f.relay.records(list) // what of it is still news
		case <-f.s.Clock.After(f.s.opts.JournalPoll):
			if err := f.catchUp(ctx); err != nil {
				return err
			}
		}
		if *f.gone != nil {
			return errGone
		}
	}
	return nil
}

// catchUp shows what the journal has that the relay has not.
func (f *follower) catchUp(ctx context.Context) error {
	events, err := f.s.Store.Events(ctx, f.tenantID, f.runID, f.relay.at.seq)
	if err != nil {
		return err
	}
	f.relay.events(events)
	if *f.gone != nil {
		return errGone
	}
	return nil
}

// read turns a subscription into a channel that is closed when it fails.
func (f *follower) read(ctx context.Context, sub eventstream.Subscription) <-chan []eventstream.Record {
	if sub == nil {
		return nil
	}
	out := make(chan []eventstream.Record)
	go func() {
		defer close(out)
		for {
			list, err := sub.Next(ctx)
			if err != nil {
				if ctx.Err() == nil {
					f.s.opts.Log.WarnContext(ctx, "read event stream", "run_id", f.runID, "error", err)
				}
				return
			}
			select {
			case out <- list:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
