//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/apiclient"
)

// pausedRun is a database of an earlier version, with a run that waits for two
// people and nothing else.
type pausedRun struct {
	Version string                       `json:"version"`
	AppID   string                       `json:"app_id"`
	Key     string                       `json:"key"`
	RunID   string                       `json:"run_id"`
	LastID  string                       `json:"last_event_id"`
	Forms   map[string]string            `json:"forms"` // token by node
	Tables  map[string][]json.RawMessage `json:"tables"`
}

// patience makes forms wait for longer than anybody keeps old versions.
func patience() []string { return []string{"HUMAN_INPUT_GLOBAL_TIMEOUT_SECONDS=630720000"} }

// patientApp asks without hurry.
func patientApp() *app {
	a := askingApp()
	a.dsl = strings.ReplaceAll(a.dsl, "timeout: 3\n", "timeout: 7300\n")
	return a
}

// TestRecordPause writes the database of a paused run with -update.
func TestRecordPause(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	w := newWorld(t)
	s := newServerOn(t, w, patience())
	s.start()
	s.ready(time.Minute)
	c := apiclient.New(s.base, nil)
	_, err := c.Login(t.Context(), "e2e@example.com", "end-to-end-1")
	require.NoError(t, err)
	a := patientApp()
	got, err := c.Import(t.Context(), strings.ReplaceAll(a.dsl, "ECHO", "http://echo.test"))
	require.NoError(t, err)
	a.id, a.key = got.ID, got.Key
	// The address is that of the test that goes on with it.
	_, err = w.pool.Exec(t.Context(), `UPDATE workflows SET graph = replace(graph, 'http://echo.test', $1)`, w.echoURL)
	require.NoError(t, err)
	p := pausedRun{Version: corpusVersion, AppID: a.id, Key: a.key, Forms: map[string]string{}, Tables: map[string][]json.RawMessage{}}
	r := newRide(s.base, a, input{n: 6})
	require.NoError(t, c.Stream(t.Context(), a.key, a.path, a.body(r.in), r.on))
	require.Len(t, r.forms, 2)
	p.RunID, p.LastID = r.runID, r.last
	for _, f := range r.forms {
		p.Forms[f.node] = f.token
	}
	s.quit()
	for _, table := range w.tables(t) {
		rows, err := w.pool.Query(t.Context(), `SELECT row_to_json(t)::text FROM `+pgx.Identifier{table}.Sanitize()+` t`)
		require.NoError(t, err)
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		for _, row := range list {
			p.Tables[table] = append(p.Tables[table], json.RawMessage(strings.ReplaceAll(row, w.echoURL, "http://echo.test")))
		}
	}
	raw, err := json.MarshalIndent(p, "", " ")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll("testdata", 0o755))
	require.NoError(t, os.WriteFile(filepath.Join("testdata", "paused-"+corpusVersion+".json"), append(raw, '\n'), 0o644))
}

// tables are those with data, what migrations keep of themselves left out.
func (w *world) tables(t *testing.T) []string {
	t.Helper()
	rows, err := w.pool.Query(context.Background(), `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%version%' ORDER BY 1`)
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return list
}

// TestPauseSurvivesUpgrade goes on with runs that earlier versions have left
// paused: the forms are answered, at this version, and the run ends as if no
// time had gone by.
func TestPauseSurvivesUpgrade(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "paused-*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			var p pausedRun
			require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(string(raw), "http://echo.test", w.echoURL)), &p))
			s := newServerOn(t, w, patience())
			s.start()
			s.ready(time.Minute)
			w.restore(t, &p)

			a := patientApp()
			a.id, a.key = p.AppID, p.Key
			r := newRide(s.base, a, input{n: 6})
			r.runID, r.last = p.RunID, p.LastID
			for _, node := range slices.Sorted(maps.Keys(p.Forms)) {
				r.forms = append(r.forms, &form{node: node, token: p.Forms[node]})
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, r.answerAll(ctx))
			r.start(ctx)
			<-r.done
			require.NoError(t, r.err)
			end := r.end(t)
			require.Equal(t, "succeeded", end.Status, "%v", end.Error)
			require.Equal(t, a.outputs(r), end.Outputs)
			r.verifyForms(t)
			calls := 0
			for _, n := range w.echo.Calls().ByKey {
				require.Equal(t, 1, n)
				calls++
			}
			require.Equal(t, 2, calls, "what came before the pause is not called again, what comes after it once")
		})
	}
}

// restore fills the tables of a new database.
func (w *world) restore(t *testing.T, p *pausedRun) {
	t.Helper()
	for table, rows := range p.Tables {
		for _, row := range rows {
			var columns map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(row, &columns))
			var names []string // those that later versions add have their defaults
			for _, c := range slices.Sorted(maps.Keys(columns)) {
				names = append(names, pgx.Identifier{c}.Sanitize())
			}
			into, list := pgx.Identifier{table}.Sanitize(), strings.Join(names, ", ")
			_, err := w.pool.Exec(context.Background(), `INSERT INTO `+into+` (`+list+`) SELECT `+list+
				` FROM json_populate_record(NULL::`+into+`, $1) ON CONFLICT DO NOTHING`, string(row))
			require.NoError(t, err, table)
		}
	}
}
