package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
)

// spinning is a graph whose loop has so many passes that it never ends by
// itself.
func spinning(body ...string) string {
	nodes := append([]string{
		`{"id":"start","type":"start"}`, `{"id":"lp","type":"loop","entry":"lps","count":2000000,"out":["x","y"]}`,
		`{"id":"lps","type":"loop-start","loop_id":"lp"}`, `{"id":"end","type":"end","outputs":[]}`,
	}, body...)
	edges := [][]string{{"start", "lp"}, {"lp", "end"}}
	if len(body) > 0 {
		edges = append(edges, []string{"lps", "x"})
	}
	return fakenode.Graph(nodes, edges...)
}

func TestLoopsThatSpinAreCommittedAndEnd(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]string{"nothing in it": nil, "a pure node in it": {`{"id":"x","type":"text","template":"t","loop_id":"lp"}`}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, spinning(body...), nil, containers()...)
			b.opts = engine.Options{MaxEvents: 30_000, FlushAfter: time.Hour}
			res := b.finish(t)
			require.Equal(t, workflow.StatusStopped, res.Status)
			require.Contains(t, res.Error, "Maximum number of events exceeded: 3000")
			require.Less(t, len(b.events), 30_100)
			require.GreaterOrEqual(t, b.commits, 5) // it does not gather all that in memory
		})
	}
}

func TestMarkersOutsideOfContainersDoNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"loop-start", "iteration-start"} {
		b := setup(t, fakenode.Graph([]string{
			`{"id":"start","type":"start"}`, fmt.Sprintf(`{"id":"m","type":%q}`, kind), `{"id":"end","type":"end","outputs":[]}`,
		}, []string{"start", "m"}, []string{"m", "end"}), nil)
		require.Equal(t, workflow.StatusSucceeded, b.finish(t).Status)
	}
}

func TestPureWorkHearsOfStops(t *testing.T) {
	t.Parallel()
	var b *bench
	calls := 0
	b = setup(t, spinning(`{"id":"x","type":"count","loop_id":"lp"}`), nil, append(containers(), fakenode.Type{
		TypeName: "count", NodeKind: workflow.KindExecutable, Do: func(context.Context, *workflow.Execution) (*workflow.Result, error) {
			if calls++; calls == 100 {
				b.stop <- "enough"
			}
			return &workflow.Result{}, nil
		},
	})...)
	b.opts.FlushAfter = time.Nanosecond
	res := b.finish(t)
	require.Equal(t, workflow.StatusStopped, res.Status)
	require.Contains(t, res.Error, "enough")
	require.Less(t, calls, 110)
}

func TestPureWorkIsHandedOver(t *testing.T) {
	t.Parallel()
	b := setup(t, spinning(`{"id":"x","type":"text","template":"t","loop_id":"lp"}`), nil, containers()...)
	b.at = b.clk.Now().Add(time.Hour)
	b.opts = engine.Options{HandoverMargin: time.Hour - 50*time.Millisecond, FlushAfter: time.Millisecond}
	out, err := b.run().Execute(t.Context())
	require.NoError(t, err)
	require.Equal(t, engine.HandedOver, out.Verdict)
	r := b.run()
	require.NoError(t, r.Restore(b.events))
}
