package nodetest_test

import (
	_ "embed"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/egress"
	"github.com/millrace/millrace/shared/file/filetest"
	"github.com/millrace/millrace/shared/mockecho"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/node/answer"
	"github.com/millrace/millrace/shared/workflow/node/end"
	"github.com/millrace/millrace/shared/workflow/node/httprequest"
	"github.com/millrace/millrace/shared/workflow/node/ifelse"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/node/start"
	"github.com/millrace/millrace/shared/workflow/node/templatetransform"
	"github.com/millrace/millrace/shared/workflow/node/variableaggregator"
	"github.com/millrace/millrace/shared/workflow/value"
)

// placeholders are the parts of a recording that differ from run to run.
var placeholders = regexp.MustCompile(`<(any|ts|num|uuid:\d+|hex32|file-ref|base|sig|nonce)>`)

// pattern is what a recorded text with placeholders matches.
func pattern(s string) string {
	var b strings.Builder
	last := 0
	for _, m := range placeholders.FindAllStringIndex(s, -1) {
		b.WriteString(regexp.QuoteMeta(s[last:m[0]]) + `(?s:.*)`)
		last = m[1]
	}
	return "^" + b.String() + regexp.QuoteMeta(s[last:]) + "$"
}

//go:embed testdata/runs.json
var recorded []byte

type app struct {
	Graph json.RawMessage
	Env   []struct {
		Name   string
		Value  json.RawMessage
		Secret bool
	}
}

type outcome struct {
	Status      string
	Inputs      *value.Object
	ProcessData *value.Object `json:"process_data"`
	Outputs     *value.Object
	Error       *string
	Reject      bool
}

type recordedRun struct {
	Case, Step, App string
	Inputs          *value.Object
	Sys             *value.Object
	Nodes           map[string]outcome
	Stubs           map[string]outcome
	Want            outcome
}

func types(t *testing.T) map[string]workflow.Type {
	t.Helper()
	client := egress.NewClient(egress.Options{AllowPrivate: true})
	out := map[string]workflow.Type{}
	for _, typ := range []workflow.Type{
		start.New(), end.New(), answer.New(), ifelse.New(), variableaggregator.New(), variableaggregator.NewLegacy(),
		templatetransform.New(templatetransform.Options{}),
		httprequest.New(httprequest.Options{Client: client, Insecure: client, Files: filetest.Service(t, client)}),
	} {
		out[typ.Name()] = typ
	}
	return out
}

// Every recorded run has the recorded inputs, process data, outputs and errors
// of its nodes, and of the run.
func TestRecordedRuns(t *testing.T) {
	t.Parallel()
	echo := httptest.NewServer(mockecho.New(nil).Handler())
	t.Cleanup(echo.Close)
	text := strings.NewReplacer("${ECHO_URL}", echo.URL, "<echo>", echo.URL,
		"<echo-host>", strings.TrimPrefix(echo.URL, "http://")).Replace(string(recorded))
	var data struct {
		Apps map[string]app
		Runs []recordedRun
	}
	require.NoError(t, json.Unmarshal([]byte(text), &data))
	require.Greater(t, len(data.Runs), 130)
	all := types(t)
	for _, run := range data.Runs {
		t.Run(run.Case+"/"+run.Step, func(t *testing.T) {
			t.Parallel()
			replay(t, all, data.Apps[run.App], run)
		})
	}
}

func replay(t *testing.T, all map[string]workflow.Type, a app, run recordedRun) {
	graph, err := workflow.ParseGraph(a.Graph)
	require.NoError(t, err)
	root, ok := graph.Root()
	require.True(t, ok)
	form, err := inputs.ParseForm(root.Data.Value("variables"))
	require.NoError(t, err)
	checked, err := form.Check(run.Inputs)
	if run.Want.Reject {
		require.EqualError(t, err, *run.Want.Error)
		return
	}
	require.NoError(t, err)
	pool := workflow.NewPool()
	pool.SetAll(root.ID, checked)
	pool.SetAll("sys", run.Sys)
	for _, e := range a.Env {
		pool.Set("env", e.Name, value.From(e.Value))
		if e.Secret {
			pool.MarkSecret(e.Name)
		}
	}
	got, failed := execute(t, all, graph, root, pool, run)
	if failed != nil {
		require.Equal(t, "failed", run.Want.Status, failed)
		same(t, "error", run.Want.Error, failed.Error())
		return
	}
	require.NotEqual(t, "failed", run.Want.Status)
	same(t, "outputs", run.Want.Outputs, got)
}

// execute follows the edges of the graph, one node after the other. Nodes of
// other types have the outputs that were recorded of them.
func execute(t *testing.T, all map[string]workflow.Type, g *workflow.Graph, root *workflow.NodeConfig, pool *workflow.Pool, run recordedRun) (*value.Object, error) {
	outputs := value.NewObject(0)
	said := ""
	done := map[string]bool{}
	queue := []*workflow.NodeConfig{root}
	for len(queue) > 0 {
		cfg := queue[0]
		queue = queue[1:]
		if done[cfg.ID] {
			continue
		}
		done[cfg.ID] = true
		handle := ""
		if stub, ok := run.Stubs[cfg.ID]; ok {
			pool.SetAll(cfg.ID, stub.Outputs)
			handle = workflow.HandleSource
			if stub.Status == "exception" && cfg.ErrorStrategy == workflow.StrategyFailBranch {
				handle = workflow.HandleFailBranch
			}
			if cfg.ErrorStrategy != workflow.StrategyFailBranch {
				handle = ""
			}
		} else {
			typ := all[cfg.Type]
			require.NotNil(t, typ, "no type %s and no stub of %s", cfg.Type, cfg.ID)
			n, err := typ.New(cfg)
			require.NoError(t, err)
			res, err := n.Run(t.Context(), nodetest.Execution(cfg, pool.Snapshot()))
			compareNode(t, cfg.ID, run, res, err)
			if err != nil {
				return nil, err
			}
			pool.SetAll(cfg.ID, res.Outputs)
			switch cfg.Type {
			case "end":
				for k, v := range res.Outputs.All() {
					outputs.Set(k, v)
				}
			case "answer":
				said += res.Outputs.String("answer")
				outputs.Set("answer", said)
				outputs.Set("files", res.Outputs.Value("files"))
			}
			handle = res.Handle
		}
		for _, e := range g.Out(cfg.ID) {
			if handle == "" || e.SourceHandle == handle {
				next, ok := g.Node(e.Target)
				require.True(t, ok)
				// Whoever joins branches comes after all that can still reach it.
				if len(g.In(next.ID)) > 1 || next.Type == "end" {
					queue = append(queue, next)
				} else {
					queue = append([]*workflow.NodeConfig{next}, queue...)
				}
			}
		}
	}
	return outputs, nil
}

func compareNode(t *testing.T, id string, run recordedRun, res *workflow.Result, err error) {
	want, ok := run.Nodes[id]
	if !ok {
		return
	}
	var f *workflow.Failure
	require.Equal(t, want.Status == "failed", errors.As(err, &f), "%s: %v", id, err)
	if want.Error != nil {
		same(t, id+".error", want.Error, err.Error())
	}
	if res == nil {
		res = &workflow.Result{}
	}
	same(t, id+".inputs", want.Inputs, res.Inputs)
	same(t, id+".process_data", want.ProcessData, res.ProcessData)
	same(t, id+".outputs", want.Outputs, res.Outputs)
}

// same compares by JSON; <any> matches every text and normalised parts match
// whatever they stand for.
func same(t *testing.T, what string, want, got any) {
	t.Helper()
	plain := func(v any) any {
		if o, ok := v.(*value.Object); ok && o == nil {
			return map[string]any{}
		}
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		var out any
		require.NoError(t, json.Unmarshal(raw, &out))
		return out
	}
	if w, ok := want.(*string); ok {
		if w == nil || *w == "<any>" {
			return
		}
		want = *w
	}
	matches(t, what, plain(want), plain(got))
}

func matches(t *testing.T, at string, want, got any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		require.True(t, ok, "%s: %v", at, got)
		require.Len(t, g, len(w), "%s: %v", at, got)
		for k := range w {
			matches(t, at+"."+k, w[k], g[k])
		}
	case []any:
		g, ok := got.([]any)
		require.True(t, ok, "%s: %v", at, got)
		require.Len(t, g, len(w), at)
		for i := range w {
			matches(t, at, w[i], g[i])
		}
	case string:
		if w == "<ts>" { // sys.timestamp is the engine's
			return
		}
		if strings.Contains(w, "<") && placeholders.MatchString(w) {
			require.Regexp(t, pattern(w), got, at)
			return
		}
		require.Equal(t, w, got, at)
	default:
		require.Equal(t, want, got, at)
	}
}
