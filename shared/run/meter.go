package run

import (
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
)

// usage makes the rows of what a batch of events used of models. Sums of
// containers name no model and are left out: the nodes inside have rows of their
// own. What was taken over from another run was paid for there.
func (p *projection) usage(events []workflow.Event, runID string) []driver.UsageRow {
	var out []driver.UsageRow
	for i := range events {
		e := &events[i]
		if e.Type != workflow.EventNodeFinished && e.Type != workflow.EventNodeRetry {
			continue
		}
		n := e.Node
		u := n.Usage
		if u == nil || u.Model == "" || (n.Metadata != nil && n.Metadata.String(engine.MetaReplayedFrom) != "") {
			continue
		}
		row := driver.UsageRow{
			ExecutionID: n.ExecutionID, Attempt: n.Attempt, RunID: runID, NodeID: n.NodeID, Role: p.req.User.Role, By: textColumn(p.req.User.ID),
			Provider: u.Provider, Model: u.Model, PromptTokens: u.PromptTokens, CompletionTokens: u.CompletionTokens, TotalTokens: u.TotalTokens,
			TotalPrice: orText(u.TotalPrice, "0"), Currency: orText(u.Currency, "USD"), Latency: u.Latency, At: e.At,
		}
		if p.req.Chat != nil {
			row.ConversationID = &p.req.Chat.ConversationID
		}
		out = append(out, row)
	}
	return out
}

func orText(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// callsModel reports whether a call of a model follows a commit: a budget is
// looked at in the commit before each call, wherever the usage comes from.
func callsModel(events []workflow.Event) bool {
	return slices.ContainsFunc(events, func(e workflow.Event) bool {
		if e.Type != workflow.EventNodeStarted && e.Type != workflow.EventNodeRetry {
			return false
		}
		switch e.Node.NodeType {
		case "llm", "question-classifier", "parameter-extractor", "agent":
			return true
		}
		return false
	})
}

// refusalTime is how long a refusal is remembered. It spares the database the
// runs that a client of a used-up app keeps on starting: a refusal undoes the
// commits that were gathered with it.
const refusalTime = time.Second

// refusals remembers which apps had no budget left a moment ago.
type refusals struct {
	mu   sync.Mutex
	list map[[2]string]refusal
}

type refusal struct {
	until time.Time
	err   error
}

// of returns the refusal that still holds for an app.
func (r *refusals) of(c clock.Clock, tenantID, appID string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	have, ok := r.list[[2]string{tenantID, appID}]
	if !ok {
		return nil
	}
	if !c.Now().Before(have.until) {
		delete(r.list, [2]string{tenantID, appID})
		return nil
	}
	return have.err
}

// note remembers an error that is a refusal.
func (r *refusals) note(c clock.Clock, tenantID, appID string, err error) {
	if !errs.Is(err, errs.BudgetExceeded) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list == nil || len(r.list) > 1000 {
		r.list = map[[2]string]refusal{}
	}
	r.list[[2]string{tenantID, appID}] = refusal{c.Now().Add(refusalTime), err}
}
