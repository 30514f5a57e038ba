//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/apiclient"
)

// asking is a node that calls the model.
func asking(id string) string {
	return fmt.Sprintf(`
    - id: %[1]s
      data:
        type: llm
        title: %[1]s
        model: {provider: langgenius/openai_api_compatible/openai_api_compatible, name: e2e-chat, mode: chat, completion_params: {}}
        prompt_template: [{id: p1, role: user, text: "SLOW {{#start.pause#}}\nCOUNT {{#start.n#}}"}]
        context: {enabled: false, variable_selector: []}
        vision: {enabled: false}
        variables: []`, id)
}

const replyNode = `
    - id: end
      data: {type: end, title: End, outputs: [{variable: reply, value_selector: [c, text], value_type: string}]}`

// count asks the database for a number.
func (w *world) count(t *testing.T, sql string, args ...any) int64 {
	t.Helper()
	var n int64
	require.NoError(t, w.pool.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

func (w *world) metered(t *testing.T) int64 {
	return w.count(t, `SELECT count(*) FROM millrace_usage`)
}

// ran are the answers of a blocking run that matter here.
type ran struct {
	Data struct {
		ID, Status, Error string
		TotalTokens       int64 `json:"total_tokens"`
	}
}

// TestMetering uses three models in a row: what is counted is what runs say they
// used, also when the server is killed between the calls, and a budget that is
// used up ends the run before its next call.
func TestMetering(t *testing.T) {
	w := newWorld(t)
	s := newServerOn(t, w, nil)
	s.start()
	s.ready(60 * time.Second)
	ctx := t.Context()
	c := apiclient.New(s.base, nil)
	_, err := c.Login(ctx, "e2e@example.com", "end-to-end-1")
	require.NoError(t, err)
	require.NoError(t, c.UseModel(ctx, apiclient.Model{BaseURL: w.modelURL, APIKey: "e2e", Name: "e2e-chat"}))
	app, err := c.Import(ctx, dsl("workflow", asking("a")+asking("b")+asking("c")+replyNode, "start>a", "a>b", "b>c", "c>end"))
	require.NoError(t, err)
	body := func(mode string, pause int) map[string]any {
		return map[string]any{"inputs": map[string]any{"n": 4, "pause": pause}, "response_mode": mode, "user": "meter"}
	}
	const run = "/v1/workflows/run"

	var first ran
	require.NoError(t, c.Service(ctx, app.Key, http.MethodPost, run, body("blocking", 0), &first))
	require.Equal(t, "succeeded", first.Data.Status, first.Data.Error)
	require.EqualValues(t, 3, w.metered(t))
	each := first.Data.TotalTokens / 3

	// Killed while the second node waits for its model.
	broken := make(chan error, 1)
	go func() {
		var out ran
		broken <- c.Service(context.WithoutCancel(ctx), app.Key, http.MethodPost, run, body("blocking", 60), &out)
	}()
	eventually(t, 30*time.Second, "the first call to be counted", func() bool { return w.metered(t) == 4 })
	s.kill()
	require.Error(t, <-broken)
	s.start()
	s.ready(60 * time.Second)
	eventually(t, 60*time.Second, "the run to end", func() bool {
		return w.count(t, `SELECT count(*) FROM workflow_runs WHERE status = 'succeeded'`) == 2
	})
	require.EqualValues(t, 6, w.metered(t), "nothing counts twice")
	require.Equal(t, w.count(t, `SELECT sum(total_tokens)::bigint FROM workflow_runs`), w.count(t, `SELECT sum(total_tokens)::bigint FROM millrace_usage`))

	var sums struct {
		Data []struct {
			Model, Provider string
			Calls           int64
			TotalTokens     int64 `json:"total_tokens"`
		}
	}
	_, err = c.Login(ctx, "e2e@example.com", "end-to-end-1")
	require.NoError(t, err)
	require.NoError(t, c.Console(ctx, http.MethodGet, "/apps/"+app.ID+"/usage?group_by=model", nil, &sums))
	require.Len(t, sums.Data, 1)
	require.Equal(t, "e2e-chat", sums.Data[0].Model)
	require.Equal(t, 6*each, sums.Data[0].TotalTokens)
	var detail struct{ Usage []struct{ Calls int64 } }
	require.NoError(t, c.Console(ctx, http.MethodGet, "/runs/"+first.Data.ID, nil, &detail))
	require.EqualValues(t, 3, detail.Usage[0].Calls)

	// Enough for one more call and a bit: the second one passes the limit, and
	// there is no third one.
	var budget struct{ ID string }
	require.NoError(t, c.Console(ctx, http.MethodPost, "/apps/"+app.ID+"/budgets", map[string]any{"period": "month", "tokens": 7*each + 1}, &budget))
	var stopped ran
	require.NoError(t, c.Service(ctx, app.Key, http.MethodPost, run, body("blocking", 0), &stopped))
	require.Equal(t, "stopped", stopped.Data.Status)
	require.Contains(t, stopped.Data.Error, "budget_exceeded: The monthly budget "+budget.ID+" of the app is used up")
	require.EqualValues(t, 8, w.metered(t))

	w.refused(t, c, app, body)
	out, err := exec.CommandContext(ctx, build(t), "usage", "--server", s.base, "--email", "e2e@example.com", "--password", "end-to-end-1", "--by", "app").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), app.ID+"  8 ")
	require.Contains(t, string(out), "! The monthly budget")
	require.NoError(t, c.Console(ctx, http.MethodPut, "/apps/"+app.ID+"/budgets/"+budget.ID, map[string]any{"period": "month", "tokens": 1000000}, nil))
	eventually(t, 10*time.Second, "the refusal to be forgotten", func() bool {
		var again ran
		return c.Service(ctx, app.Key, http.MethodPost, run, body("blocking", 0), &again) == nil && again.Data.Status == "succeeded"
	})
}

// refused starts runs of an app that has no budget left.
func (w *world) refused(t *testing.T, c *apiclient.Client, app apiclient.App, body func(string, int) map[string]any) {
	t.Helper()
	runs := w.count(t, `SELECT count(*) FROM workflow_runs`)
	err := c.Service(t.Context(), app.Key, http.MethodPost, "/v1/workflows/run", body("blocking", 0), nil)
	require.ErrorContains(t, err, "402")
	require.ErrorContains(t, err, "budget_exceeded")
	var events []string
	err = c.Stream(t.Context(), app.Key, "/v1/workflows/run", body("streaming", 0), func(ev apiclient.Event) error {
		events = append(events, ev.Name+" "+string(ev.Data))
		return nil
	})
	text := strings.Join(events, "\n")
	t.Logf("a stream that is refused: %v\n%s", err, text)
	require.Contains(t, text+fmt.Sprint(errors.Unwrap(err), err), "is used up")
	require.Equal(t, runs, w.count(t, `SELECT count(*) FROM workflow_runs`), "there is no run")
}
