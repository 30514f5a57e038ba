package run

import (
	"context"
	"errors"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/runstore"
)

// StopReasonUser is the reason of a stop that a user asked for.
const StopReasonUser = "User requested stop"

// relayBatch bounds what one tick or relay takes at a time.
const relayBatch = 100

// Stop asks a run to stop, wherever it runs. The worker notices within a
// fraction of a second; if the stream is down, at its next commit or renewal.
// errs.NotFound when the tenant has no such run. Stopping a finished run does
// nothing.
func (s *Service) Stop(ctx context.Context, tenantID, runID, reason string) error {
	if err := s.Store.RequestStop(ctx, tenantID, runID, reason); err != nil {
		return err
	}
	s.mu.Lock()
	x := s.active[runID]
	s.mu.Unlock()
	if x != nil && x.spec.Request.TenantID == tenantID {
		x.requestStop(reason)
		return nil
	}
	if err := s.Stream.SendStop(ctx, runID, reason); err != nil {
		s.opts.Log.WarnContext(ctx, "send stop; the worker sees it at its next renewal", "run_id", runID, "error", err)
	}
	s.hurry(ctx) // nobody may be working on it
	return nil
}

// Signal tells a run that what it is paused for may have happened. It is not
// lost when the run is about to be suspended at this very moment. Signalling a
// finished run does nothing; errs.NotFound when the tenant has no such run.
func (s *Service) Signal(ctx context.Context, tenantID, runID string) error {
	if err := s.Store.Signal(ctx, tenantID, runID); err != nil {
		return err
	}
	s.mu.Lock()
	x := s.active[runID]
	s.mu.Unlock()
	if x != nil && x.spec.Request.TenantID == tenantID {
		select {
		case x.signal <- struct{}{}:
		default:
		}
		return nil
	}
	s.hurry(ctx)
	return nil
}

// hurry wakes due runs up now instead of at the next tick.
func (s *Service) hurry(ctx context.Context) {
	if s.Sender == nil {
		return
	}
	if _, err := s.Tick(ctx); err != nil {
		s.opts.Log.WarnContext(ctx, "wake due runs; tick will", "error", err)
	}
}

// register makes a run known to Stop and to the poll for stops from elsewhere.
func (s *Service) register(x *execution) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active[x.spec.Request.RunID] = x
	if !s.polling {
		s.polling = true
		go s.pollStops()
	}
}

func (s *Service) unregister(x *execution) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.active, x.spec.Request.RunID)
}

// pollStops looks for stop requests as long as there are active runs. A run
// that lives shorter than one interval costs nothing.
func (s *Service) pollStops() {
	ctx := context.Background()
	for {
		if clock.Sleep(ctx, s.Clock, s.opts.StopPoll) != nil {
			return
		}
		s.mu.Lock()
		if len(s.active) == 0 {
			s.polling = false
			s.mu.Unlock()
			return
		}
		topics := make([]string, 0, len(s.active))
		for id := range s.active {
			topics = append(topics, id)
		}
		s.mu.Unlock()
		reasons, err := s.Stream.Stops(ctx, topics)
		if err != nil {
			s.opts.Log.WarnContext(ctx, "poll for stops", "error", err)
			continue
		}
		for id, reason := range reasons {
			s.mu.Lock()
			x := s.active[id]
			s.mu.Unlock()
			if x != nil {
				x.requestStop(reason)
			}
		}
	}
}

// Tick finds runs that nobody works on though they are due, and relays all
// wake-ups that wait. It returns how many wake-ups it sent. It is called by a
// schedule; concurrent calls do no harm.
func (s *Service) Tick(ctx context.Context) (int, error) {
	for {
		n, err := s.Store.Due(ctx, relayBatch)
		if err != nil {
			return 0, err
		}
		if n < relayBatch {
			break
		}
	}
	return s.RelayOutbox(ctx)
}

// RelayOutbox sends the wake-ups that wait in the outbox to their queues.
func (s *Service) RelayOutbox(ctx context.Context) (int, error) {
	total := 0
	for {
		wakes, err := s.Store.Pending(ctx, relayBatch)
		if err != nil {
			return total, err
		}
		if err := s.send(ctx, wakes); err != nil {
			return total, err
		}
		total += len(wakes)
		if len(wakes) < relayBatch {
			return total, nil
		}
	}
}

// send relays wake-ups and takes those that were sent out of the outbox. One
// that is sent twice does no harm.
func (s *Service) send(ctx context.Context, wakes []runstore.Wake) error {
	if s.Sender == nil {
		return errs.New(errs.ServiceUnavailable, "no queue is configured for wake-ups")
	}
	var sent []runstore.Wake
	var failed error
	for _, w := range wakes {
		if err := s.Sender.Send(ctx, w.Queue, Message{ID: w.ID, TenantID: w.TenantID, RunID: w.RunID, Attributes: w.Attributes}); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		sent = append(sent, w)
	}
	return errors.Join(failed, s.Store.MarkRelayed(ctx, sent))
}

// ExpireOwner frees the leases of a process that is known to be dead, such as
// this one before a restart, so that Tick finds its runs at once.
func (s *Service) ExpireOwner(ctx context.Context, owner string) (int, error) {
	return s.Store.ExpireOwner(ctx, owner)
}
