package run_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/node"
	"github.com/millrace/millrace/shared/workflow/node/answer"
	"github.com/millrace/millrace/shared/workflow/node/assigner"
	"github.com/millrace/millrace/shared/workflow/node/code"
	"github.com/millrace/millrace/shared/workflow/node/documentextractor"
	"github.com/millrace/millrace/shared/workflow/node/end"
	"github.com/millrace/millrace/shared/workflow/node/httprequest"
	"github.com/millrace/millrace/shared/workflow/node/humaninput"
	"github.com/millrace/millrace/shared/workflow/node/ifelse"
	"github.com/millrace/millrace/shared/workflow/node/iteration"
	"github.com/millrace/millrace/shared/workflow/node/listoperator"
	"github.com/millrace/millrace/shared/workflow/node/llm"
	"github.com/millrace/millrace/shared/workflow/node/loop"
	"github.com/millrace/millrace/shared/workflow/node/loopend"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
	"github.com/millrace/millrace/shared/workflow/node/parameterextractor"
	"github.com/millrace/millrace/shared/workflow/node/questionclassifier"
	"github.com/millrace/millrace/shared/workflow/node/start"
	"github.com/millrace/millrace/shared/workflow/node/templatetransform"
	"github.com/millrace/millrace/shared/workflow/node/tool"
	"github.com/millrace/millrace/shared/workflow/node/variableaggregator"
)

// everyType are the node types as they are now. Nothing behind them is there:
// what has effects is never called.
func everyType() engine.Types {
	return node.NewRegistry(start.New(), end.New(), answer.New(), assigner.New(), code.New(nil, code.Options{}), documentextractor.New(nil, nil),
		httprequest.New(httprequest.Options{}), humaninput.New(nil, nil), ifelse.New(), iteration.New(), listoperator.New(), llm.New(nil, llm.Options{}),
		loop.New(), loopend.New(), parameterextractor.New(nil, modelcall.Options{}), questionclassifier.New(nil, modelcall.Options{}),
		templatetransform.New(templatetransform.Options{}), tool.New(nil, tool.Options{}), variableaggregator.New(), variableaggregator.NewLegacy())
}

// TestJournalsOfEarlierVersions folds each journal of the corpus up to each of
// its events, and takes each run over after each of its commits, as if its worker
// had been killed there and the next one were of this version: it must go on,
// with the effects that were recorded, to the result that was recorded.
func TestJournalsOfEarlierVersions(t *testing.T) {
	t.Parallel()
	for _, rec := range recordings(t) {
		t.Run(rec.Version+"/"+rec.Name, func(t *testing.T) {
			t.Parallel()
			types := everyType()
			whole := rec.at(t, types, len(rec.written)).journal(t)
			last := whole[len(whole)-1]
			want := result(whole)
			rec.fold(t, types)
			for n := 1; n <= len(rec.written); n++ {
				if !rec.written[n-1].whole {
					continue
				}
				c := rec.at(t, types, n)
				switch {
				case last.Type == workflow.EventRunPaused:
					rec.pauses(t, c, n)
				case last.Finished.Status == workflow.StatusStopped:
					require.NoError(t, c.service.Stop(t.Context(), rec.Workflow.TenantID, rec.Runs[0].ID, run.StopReasonUser))
					events := c.finish(t)
					require.Equal(t, workflow.StatusStopped, events[len(events)-1].Finished.Status, "after %d events", n)
				default:
					require.Equal(t, want, result(c.finish(t)), "after %d events, the last %s", n, rec.written[n-1].ev.Type)
				}
			}
			done := rec.at(t, types, len(rec.written))
			if last.Terminal() {
				done.finish(t)
				require.Zero(t, done.calls.Load(), "nothing is left to do")
			}
		})
	}
}

// fold restores the run, and each part of it, from every beginning of its
// journal.
func (r *recording) fold(t *testing.T, types engine.Types) {
	t.Helper()
	def, err := r.Definition(t.Context(), r.Workflow.TenantID, r.Workflow.ID)
	require.NoError(t, err)
	graph, err := workflow.ParseGraph([]byte(def.Graph))
	require.NoError(t, err)
	plan, err := engine.Compile(graph, types)
	require.NoError(t, err)
	fresh := func(at time.Time) *engine.Run {
		pool := workflow.NewPool()
		for _, v := range def.Conversation {
			pool.Set(workflow.ScopeConversation, v.Name, v.Value)
		}
		return engine.New(plan, engine.Setup{Info: &workflow.RunInfo{ID: r.Runs[0].ID}, Pool: pool, Clock: newQuick(at), NewID: ids.New}, nil, engine.Options{})
	}
	journals := map[string][]workflow.Event{}
	for _, w := range r.written {
		journals[w.run] = append(journals[w.run], w.ev)
		mine, origin := journals[w.run], journals[r.Runs[0].ID]
		if w.run == r.Runs[0].ID {
			require.NoError(t, fresh(w.ev.At).Restore(mine), "up to event %d", len(mine))
		} else {
			require.NoError(t, fresh(w.ev.At).RestorePart(w.run, origin, mine), "part %s up to event %d", w.run, len(mine))
		}
	}
}

// pauses checks that a run whose recording ends with a pause gets there.
func (r *recording) pauses(t *testing.T, c *cut, n int) {
	t.Helper()
	require.NoError(t, c.service.Continue(t.Context(), r.Workflow.TenantID, r.Runs[0].ID), "after %d events", n)
	events := c.journal(t)
	require.Equal(t, workflow.EventRunPaused, events[len(events)-1].Type, "after %d events", n)
	if n == len(r.written) {
		require.Len(t, events, n, "a run that still waits leaves no trace")
	}
}
