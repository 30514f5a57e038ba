//go:build linux

package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/apiclient"
)

const (
	secretCore  = "s3cretZ9value" // reads the same however it is escaped, and no mask shows it
	wholeSecret = "pre/+-" + secretCore + ":(x)tail"
)

// secretNodes use a secret wherever a node can. Nothing that they put out holds
// it, except for what fails.
const secretNodes = `
    - id: call
      data:
        type: http-request
        title: Call
        method: post
        url: 'TARGET/in/{{#env.K#}}/path?u={{#env.K#}}'
        headers: 'X-Key:{{#env.K#}}'
        params: 'p:{{#env.K#}}'
        body: {type: json, data: [{id: b1, key: '', type: text, value: '{"k": "{{#env.K#}}"}'}]}
        authorization: {type: api-key, config: {type: bearer, api_key: '{{#env.K#}}', header: ''}}
        timeout: {max_connect_timeout: 0, max_read_timeout: 0, max_write_timeout: 0}
        variables: []
    - id: refused
      data:
        type: http-request
        title: Refused
        method: get
        url: 'http://[{{#env.K#}}'
        headers: ''
        params: ''
        body: {type: none, data: []}
        authorization: {type: no-auth, config: null}
        timeout: {max_connect_timeout: 0, max_read_timeout: 0, max_write_timeout: 0}
        variables: []
        error_strategy: default-value
        default_value: []
    - id: raise
      data:
        type: code
        title: Raise
        code_language: python3
        code: "def main(k):\n    raise ValueError(k)\n"
        variables: [{variable: k, value_selector: [env, K]}]
        outputs: {n: {type: number, children: null}}
        RAISING
    - id: count
      data:
        type: code
        title: Count
        code_language: python3
        code: "def main(k):\n    return {'n': len(k)}\n"
        variables: [{variable: k, value_selector: [env, K]}]
        outputs: {n: {type: number, children: null}}
    - id: fill
      data:
        type: template-transform
        title: Fill
        template: '{{ k|length }}'
        variables: [{variable: k, value_selector: [env, K]}]
    - id: ask
      data:
        type: llm
        title: Ask
        model: {provider: langgenius/openai_api_compatible/openai_api_compatible, name: e2e-chat, mode: chat, completion_params: {}}
        prompt_template: [{id: p1, role: system, text: "{{#env.K#}}"}, {id: p2, role: user, text: "SAY fine"}]
        context: {enabled: false, variable_selector: []}
        vision: {enabled: false}
        variables: []
    - id: end
      data:
        type: end
        title: End
        outputs:
        - {variable: status, value_selector: [call, status_code], value_type: number}
        - {variable: refused, value_selector: [refused, error_message], value_type: string}
        - {variable: raised, value_selector: [raise, error_message], value_type: string}
        - {variable: n, value_selector: [count, n], value_type: number}
        - {variable: t, value_selector: [fill, output], value_type: string}
        - {variable: text, value_selector: [ask, text], value_type: string}`

func secretApp(target string, handled bool) string {
	text := dsl("workflow", secretNodes, "start>call", "call>refused", "refused>count", "count>fill", "fill>ask", "ask>raise", "raise>end")
	raising := ""
	if handled {
		raising = "error_strategy: default-value\n        default_value: []"
	}
	quoted, _ := json.Marshal(wholeSecret) //nolint:errchkjson // a string
	return strings.NewReplacer("TARGET", target, "RAISING", raising, "environment_variables: []",
		"environment_variables:\n  - {id: 6d9f2a3c-0000-4000-8000-000000000003, name: K, value_type: secret, value: "+string(quoted)+
			", description: '', selector: [env, K]}").Replace(text)
}

// mayHold are the parts of node executions that show what the workflow itself
// handed to a node, as in the contract. See docs/status.md.
var mayHold = map[string][]string{"count": {"inputs"}, "raise": {"inputs"}, "fill": {"inputs"}, "ask": {"inputs", "process_data"}}

// withoutAllowed takes out of a shown or stored node execution what may hold a
// secret.
func withoutAllowed(o map[string]any) {
	if node, ok := o["node_id"].(string); ok {
		for _, key := range mayHold[node] {
			delete(o, key)
		}
	}
	for _, v := range o {
		switch v := v.(type) {
		case map[string]any:
			withoutAllowed(v)
		case []any:
			for _, x := range v {
				if o, ok := x.(map[string]any); ok {
					withoutAllowed(o)
				}
			}
		}
	}
}

func requireHidden(t *testing.T, raw []byte, where string) {
	t.Helper()
	var v any
	if json.Unmarshal(raw, &v) == nil {
		box := map[string]any{"": v}
		withoutAllowed(box)
		raw, _ = json.Marshal(box) //nolint:errchkjson // it came from JSON
	}
	require.NotContains(t, string(raw), secretCore, where)
}

// collector takes what an OpenTelemetry exporter sends.
type collector struct {
	mu  sync.Mutex
	got bytes.Buffer
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return
		}
		body = z
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.got.ReadFrom(body)
}

func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.String()
}

// TestSecretsStaySecret runs a workflow that uses a secret everywhere and looks
// for it in everything that is shown, stored, logged and traced.
func TestSecretsStaySecret(t *testing.T) {
	w := newWorld(t)
	var heard sync.Map
	target := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard.Store("path", r.URL.Path)
		heard.Store("query", r.URL.Query().Get("p"))
		heard.Store("header", r.Header.Get("X-Key"))
		heard.Store("authorization", r.Header.Get("Authorization"))
		heard.Store("body", string(body))
		_, _ = io.WriteString(rw, "fine")
	}))
	defer target.Close()
	traces := &collector{}
	otlp := httptest.NewServer(traces)
	defer otlp.Close()
	s := newServer(t, "up", []string{"--tick", "100ms"}, []string{"DATABASE_URL=" + w.databaseURL, "ENABLE_OTEL=true", "OTLP_BASE_ENDPOINT=" + otlp.URL})
	s.start()
	s.ready(60 * time.Second)
	c := apiclient.New(s.base, nil)
	_, err := c.Login(t.Context(), "e2e@example.com", "end-to-end-1")
	require.NoError(t, err)
	require.NoError(t, c.UseModel(t.Context(), apiclient.Model{BaseURL: w.modelURL, APIKey: "e2e", Name: "e2e-chat"}))

	for _, handled := range []bool{true, false} {
		made, err := c.Import(t.Context(), secretApp(target.URL, handled))
		require.NoError(t, err)
		var last map[string]any
		err = c.Stream(t.Context(), made.Key, "/v1/workflows/run", map[string]any{"inputs": map[string]any{"n": 1, "pause": 0}, "user": "u", "response_mode": "streaming"},
			func(ev apiclient.Event) error {
				requireHidden(t, ev.Data, "event "+ev.Name)
				last = nil
				return json.Unmarshal(ev.Data, &last)
			})
		require.NoError(t, err)
		end, _ := last["data"].(map[string]any)
		out, _ := end["outputs"].(map[string]any)
		if !handled {
			require.Equal(t, "failed", end["status"], "%v", last)
			require.Contains(t, end["error"], "************", "the error of the run shows where the secret was")
			continue
		}
		require.Equal(t, "partial-succeeded", end["status"], "%v", last)
		require.EqualValues(t, 200, out["status"])
		require.EqualValues(t, len(wholeSecret), out["n"])
		require.Equal(t, fmt.Sprint(len(wholeSecret)), out["t"])
		require.Equal(t, "fine", out["text"])
		for _, key := range []string{"refused", "raised"} {
			require.Contains(t, out[key], "************", key)
		}
	}
	for key, want := range map[string]string{
		"path": "/in/" + wholeSecret + "/path", "query": wholeSecret, "header": wholeSecret, "authorization": "Bearer " + wholeSecret, "body": wholeSecret,
	} {
		got, _ := heard.Load(key)
		require.Contains(t, got, want, "used as it is: %s", key)
	}
	s.quit()
	require.NotContains(t, s.output(), secretCore, "logs")
	require.Contains(t, traces.text(), "millrace.node_id", "there are traces")
	before, after, found := strings.Cut(traces.text(), secretCore)
	require.False(t, found, "traces: ...%q %q...", tail(before, 300), after[:min(100, len(after))])
	w.requireNowhereStored(t)
	requireNotInFiles(t, s.data)
}

// requireNowhereStored looks through every row of the database.
func (w *world) requireNowhereStored(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	rows, err := w.pool.Query(ctx, `SELECT table_schema||'.'||table_name FROM information_schema.tables
		WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`)
	require.NoError(t, err)
	var tables []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, rows.Err())
	require.Greater(t, len(tables), 50)
	seen := 0
	for _, table := range tables {
		rows, err := w.pool.Query(ctx, `SELECT row_to_json(t)::text FROM `+table+` t`)
		require.NoError(t, err, table)
		for rows.Next() {
			var raw string
			require.NoError(t, rows.Scan(&raw))
			if strings.HasSuffix(table, ".run_events") {
				continue // below
			}
			seen++
			requireHidden(t, []byte(raw), table)
		}
		require.NoError(t, rows.Err(), table)
	}
	require.Greater(t, seen, 20)
	var runs []string
	require.NoError(t, w.pool.QueryRow(ctx, `SELECT array_agg(id::text) FROM millrace_runs`).Scan(&runs))
	require.Len(t, runs, 2)
	for _, id := range runs {
		for _, e := range w.journal(t, id) {
			if e.Node != nil {
				for _, part := range mayHold[e.Node.NodeID] {
					if part == "inputs" {
						e.Node.Inputs = nil
					} else {
						e.Node.ProcessData = nil
					}
				}
			}
			raw, err := json.Marshal(e)
			require.NoError(t, err)
			require.NotContains(t, string(raw), secretCore, "journal")
		}
	}
}

func requireNotInFiles(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		require.NotContains(t, string(raw), secretCore, path)
		return err
	}))
}
