//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/apiclient"
)

// The version whose journals -update records; a folder of the corpus.
const corpusVersion = "0.1.0"

// corpusFolder holds the journals; its README says what becomes of them.
var corpusFolder = filepath.Join("..", "..", "shared", "run", "testdata", "journals", corpusVersion) //nolint:gochecknoglobals // a path

// recording is a file of the corpus: a workflow version and what was stored of
// one run of it.
type recording struct {
	Version  string          `json:"version"`
	Name     string          `json:"name"`
	Workflow json.RawMessage `json:"workflow"`
	// Runs are the run and its parts.
	Runs []recordedRun `json:"runs"`
	// Commits are what was written, in this order.
	Commits []recordedCommit `json:"commits"`
}

type recordedRun struct {
	ID     string          `json:"id"`
	Status string          `json:"status"`
	Spec   json.RawMessage `json:"spec"`
}

type recordedCommit struct {
	Run    string          `json:"run"`
	Events json.RawMessage `json:"events"`
}

// TestRecordJournals writes the corpus with -update. Otherwise it has nothing to
// do: shared/run replays what is there.
func TestRecordJournals(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	w := newWorld(t)
	s := newServerOn(t, w, splitting())
	s.start()
	s.ready(time.Minute)
	require.NoError(t, os.MkdirAll(corpusFolder, 0o755))
	apps := w.setUp(t, s)
	c := apiclient.New(s.base, nil)
	_, err := c.Login(t.Context(), "e2e@example.com", "end-to-end-1")
	require.NoError(t, err)
	for _, a := range apps {
		r := newRide(s.base, a, input{n: 10, pause: 2})
		r.start(t.Context())
		<-r.done
		w.verify(t, r)
		w.record(t, a.name, r.runID)
	}
	for _, x := range []struct {
		name, dsl string
		chat      bool
		until     string // the event after which the client stops the run
	}{
		{"various nodes", variousDSL(), false, ""}, {"assigner of the first version", assigningDSL(), true, ""}, {"failed", failingDSL(), false, ""},
		{"stopped", chatApp().dsl, true, "message"}, {"stopped in an iteration", parallelApp().dsl, false, "iteration_next"},
		{"paused", askingApp().dsl, false, ""},
	} {
		got, err := c.Import(t.Context(), strings.ReplaceAll(x.dsl, "ECHO", w.echoURL))
		require.NoError(t, err, x.name)
		a := &app{name: x.name, path: "/v1/workflows/run", chat: x.chat, id: got.ID, key: got.Key}
		if x.chat {
			a.path = "/v1/chat-messages"
		}
		body := a.body(input{n: 6, pause: 150})
		in := body["inputs"].(map[string]any)
		in["q"] = "3 days in Rome"
		if x.name == "various nodes" {
			in["f"] = map[string]any{"type": "document", "transfer_method": "remote_url", "url": w.echoURL + "/file/a.txt"}
		}
		w.record(t, x.name, w.runOnce(t, c, a, body, x.until))
	}
}

// runOnce runs an app to its end, or stops it at its first event of a name.
func (w *world) runOnce(t *testing.T, c *apiclient.Client, a *app, body any, until string) string {
	t.Helper()
	runID, stopped := "", false
	var last apiclient.Event
	require.NoError(t, c.Stream(t.Context(), a.key, a.path, body, func(ev apiclient.Event) error {
		var head struct {
			RunID  string `json:"workflow_run_id"`
			TaskID string `json:"task_id"`
		}
		if err := json.Unmarshal(ev.Data, &head); err != nil {
			return err
		}
		if head.RunID != "" {
			runID = head.RunID
		}
		last = ev
		if ev.Name != until || stopped {
			return nil
		}
		stopped = true
		stop := "/v1/workflows/tasks/" + head.TaskID + "/stop"
		if a.chat {
			stop = "/v1/chat-messages/" + head.TaskID + "/stop"
		}
		return c.Service(t.Context(), a.key, http.MethodPost, stop, map[string]any{"user": user}, nil)
	}), a.name)
	t.Logf("%s: %s", a.name, last.Data)
	eventually(t, 30*time.Second, "the run to be left", func() bool {
		var held bool
		require.NoError(t, w.pool.QueryRow(context.Background(), `SELECT count(*) > 0 FROM millrace_runs WHERE lease_owner <> '' AND finished_at IS NULL`).Scan(&held))
		return !held
	})
	return runID
}

// record writes what is stored of a run into the corpus.
func (w *world) record(t *testing.T, name, runID string) {
	t.Helper()
	ctx := context.Background()
	rec := recording{Version: corpusVersion, Name: name}
	require.NoError(t, w.pool.QueryRow(ctx, `SELECT json_build_object('id', w.id, 'tenant_id', w.tenant_id, 'app_id', w.app_id, 'type', w.type,
 'version', w.version, 'graph', w.graph::json, 'conversation_variables', w.conversation_variables::json)
 FROM workflows w JOIN millrace_runs r ON r.workflow_id = w.id WHERE r.id = $1`, runID).Scan(&rec.Workflow))
	rows, err := w.pool.Query(ctx, `SELECT id::text, status, spec FROM millrace_runs WHERE id = $1 OR spec -> 'part' ->> 'run_id' = $1::text
 ORDER BY id <> $1, id`, runID)
	require.NoError(t, err)
	ids := []string{}
	for rows.Next() {
		var r recordedRun
		require.NoError(t, rows.Scan(&r.ID, &r.Status, &r.Spec))
		rec.Runs = append(rec.Runs, r)
		ids = append(ids, r.ID)
	}
	require.NoError(t, rows.Err())
	rows, err = w.pool.Query(ctx, `SELECT run_id::text, events FROM run_events WHERE run_id = ANY($1::uuid[]) ORDER BY created_at, run_id, seq`, ids)
	require.NoError(t, err)
	for rows.Next() {
		var c recordedCommit
		require.NoError(t, rows.Scan(&c.Run, &c.Events))
		rec.Commits = append(rec.Commits, c)
	}
	require.NoError(t, rows.Err())
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	require.NoError(t, enc.Encode(rec))
	// Addresses of this machine's servers mean nothing elsewhere.
	text := bytes.ReplaceAll(b.Bytes(), []byte(strings.TrimPrefix(w.echoURL, "http://")), []byte("echo.test"))
	file := strings.ReplaceAll(name, " ", "-") + ".json"
	require.NoError(t, os.WriteFile(filepath.Join(corpusFolder, file), text, 0o644))
}
