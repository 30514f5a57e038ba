package run

import (
	"context"

	"github.com/millrace/millrace/shared/workflow"
)

// Journal returns what was journalled of a run after a place in it: every event,
// also those that clients of the contract are not shown. The caller has checked
// that whoever asks may see the run; errs.NotFound when the tenant has none.
func (s *Service) Journal(ctx context.Context, tenantID, runID string, after int64) ([]workflow.Event, error) {
	if _, err := s.Store.Get(ctx, tenantID, runID); err != nil {
		return nil, err
	}
	return s.Store.Events(ctx, tenantID, runID, after)
}
