//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/apiclient"
)

// formEvent is the event that shows a form.
const formEvent = "human_input_required"

// form is a question that a run asks its client.
type form struct {
	node, token string
	notes       []string // that were sent as answers
	accepted    []string // of those, what the server said yes to
	answered    bool
}

// noteForm remembers a form that an event shows. The caller has the lock.
func (r *ride) noteForm(ev apiclient.Event) error {
	switch ev.Name {
	case "workflow_paused":
		r.asked++
		return nil
	case formEvent:
	default:
		return nil
	}
	var body struct {
		Data struct {
			NodeID    string `json:"node_id"`
			FormToken string `json:"form_token"`
		}
	}
	if err := json.Unmarshal(ev.Data, &body); err != nil {
		return err
	}
	for _, f := range r.forms {
		if f.token == body.Data.FormToken {
			return nil
		}
	}
	r.forms = append(r.forms, &form{node: body.Data.NodeID, token: body.Data.FormToken})
	return nil
}

// answerAll answers the forms that came up and are not answered yet: each with
// two different answers at once now and then.
func (r *ride) answerAll(ctx context.Context) error {
	r.mu.Lock()
	forms := append([]*form(nil), r.forms...)
	id := r.runID
	r.mu.Unlock()
	for _, f := range forms {
		if f.answered {
			continue
		}
		if r.linger != nil {
			r.linger(ctx)
		}
		notes := []string{"first-" + id}
		if rand.IntN(2) == 0 {
			notes = append(notes, "second-"+id)
		}
		errs := make([]error, len(notes))
		var all sync.WaitGroup
		for i, note := range notes {
			all.Go(func() { errs[i] = r.answer(ctx, f, note) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		r.mu.Lock()
		f.answered = true
		r.sent++
		r.mu.Unlock()
		if r.when != nil {
			r.when(r)
		}
	}
	return nil
}

// answer sends one answer until the server has taken it, or another one.
func (r *ride) answer(ctx context.Context, f *form, note string) error {
	r.mu.Lock()
	f.notes = append(f.notes, note)
	r.mu.Unlock()
	body := map[string]any{"inputs": map[string]any{"note": note}, "action": "ok", "user": user}
	for {
		err := r.api.Service(ctx, r.app.key, http.MethodPost, "/v1/form/human_input/"+f.token, body, nil)
		var status *apiclient.StatusError
		switch {
		case err == nil:
			r.mu.Lock()
			f.accepted = append(f.accepted, note)
			r.mu.Unlock()
			return nil
		case ctx.Err() != nil:
			return err
		case errors.As(err, &status) && status.Status == http.StatusPreconditionFailed:
			return nil // there is an answer already
		case errors.As(err, &status) && status.Status < http.StatusInternalServerError && status.Status != http.StatusTooManyRequests:
			return err
		}
		_ = pause(ctx, 15*time.Millisecond) // the loop looks at ctx
	}
}

// answers is how many forms are answered.
func (r *ride) answers() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent
}

// taken is the answer that the run has gone on with, as its end tells.
func (r *ride) taken(node string) string {
	var end struct {
		Data struct{ Outputs struct{ Both string } }
	}
	_ = json.Unmarshal(r.events[len(r.events)-1].Data, &end) // it is compared with what was sent
	left, right, _ := strings.Cut(end.Data.Outputs.Both, "/")
	if node == "left" {
		return left
	}
	return right
}

// verifyForms checks that each question was answered once, with an answer that
// was sent, and that the client was told yes for no other.
func (r *ride) verifyForms(t *testing.T) {
	t.Helper()
	if r.app.name == askingName {
		require.Len(t, r.forms, 2, "run %s: the questions", r.runID)
	}
	for _, f := range r.forms {
		require.LessOrEqual(t, len(f.accepted), 1, "run %s: two answers to %s were accepted: %v", r.runID, f.node, f.accepted)
		require.Contains(t, f.notes, r.taken(f.node), "run %s: the answer to %s is one that was sent", r.runID, f.node)
		if len(f.accepted) == 1 {
			require.Equal(t, f.accepted[0], r.taken(f.node), "run %s: the answer that was accepted is the one that counts", r.runID)
		}
	}
}

// answerStray answers the forms of runs whose clients never heard of them.
func (w *world) answerStray(t *testing.T, base string, apps []*app) {
	t.Helper()
	rows, err := w.pool.Query(context.Background(), `SELECT r.access_token, f.app_id::text FROM human_input_forms f
 JOIN human_input_form_recipients r ON r.form_id = f.id WHERE f.status = 'waiting'`)
	require.NoError(t, err)
	waiting := map[string]string{}
	for rows.Next() {
		var token, app string
		require.NoError(t, rows.Scan(&token, &app))
		waiting[token] = app
	}
	require.NoError(t, rows.Err())
	for token, id := range waiting {
		for _, a := range apps {
			if a.id == id {
				// Whether it worked shows when the run is over.
				_ = apiclient.New(base, nil).Service(context.Background(), a.key, http.MethodPost, "/v1/form/human_input/"+token,
					map[string]any{"inputs": map[string]any{"note": "nobody"}, "action": "ok", "user": user}, nil)
			}
		}
	}
}
