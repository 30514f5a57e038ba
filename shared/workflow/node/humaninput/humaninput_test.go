package humaninput_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/humaninput/memforms"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow"
	node "github.com/millrace/millrace/shared/workflow/node/humaninput"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/value"
)

const data = `{"type":"human-input","title":"Ask","form_content":"Check **{{#start.q#}}** {{#$output.note#}}/{{#$output.kind#}}",
	"inputs":[
		{"type":"paragraph","output_variable_name":"note","default":{"type":"variable","selector":["start","q"],"value":""}},
		{"type":"select","output_variable_name":"kind","option_source":{"type":"variable","selector":["start","kinds"],"value":[]}}],
	"user_actions":[{"id":"approve","title":"Approve","button_style":"primary"}],
	"timeout":2,"timeout_unit":"hour","delivery_methods":[{"id":"3f1d2c4e-0000-4000-8000-000000000001","type":"webapp","enabled":true,"config":{}}]}`

type world struct {
	t       *testing.T
	clock   *clock.Fake
	forms   *humaninput.Service
	node    workflow.Node
	cfg     *workflow.NodeConfig
	pool    *workflow.Pool
	stopped []string
}

func newWorld(t *testing.T, global time.Duration) *world {
	t.Helper()
	w := &world{t: t, clock: clock.NewFake(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), pool: workflow.NewPool()}
	w.forms = humaninput.New(memforms.New(), humaninput.Options{Clock: w.clock, GlobalTimeout: global})
	w.cfg = nodetest.Config(t, "ask", data)
	typ := node.New(w.forms, func(_ context.Context, _, _, reason string) error { w.stopped = append(w.stopped, reason); return nil })
	require.Equal(t, workflow.KindBranch, typ.Kind())
	require.True(t, typ.Effect())
	var err error
	w.node, err = typ.New(w.cfg)
	require.NoError(t, err)
	w.pool.Set("start", "q", "me")
	w.pool.Set("start", "kinds", []any{"small", "large"})
	return w
}

func (w *world) execution() *workflow.Execution {
	x := nodetest.Execution(w.cfg, w.pool)
	x.ID, x.Clock = ids.New(), w.clock
	x.Run.TenantID, x.Run.AppID, x.Run.ID, x.Run.InvokeFrom = ids.New(), ids.New(), ids.New(), "service-api"
	return x
}

func (w *world) pauses(x *workflow.Execution) *workflow.Pause {
	w.t.Helper()
	res, err := w.node.Run(w.t.Context(), x)
	require.Nil(w.t, res)
	var p *workflow.Pause
	require.True(w.t, errors.As(err, &p), "%v", err)
	return p
}

func TestAsksOnceAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	x := w.execution()
	p := w.pauses(x)
	require.Equal(t, node.PauseKind, p.Kind)
	require.Equal(t, w.clock.Now().Add(2*time.Hour), p.Until)
	require.Equal(t, x.ID, p.Reason.Value("form_id"))
	require.Equal(t, "Check **me** {{#$output.note#}}/{{#$output.kind#}}", p.Reason.Value("form_content"))
	require.Equal(t, `{"note": "me"}`, value.JSON(p.Reason.Value("resolved_default_values")))
	require.Equal(t, []any{"console"}, p.Reason.Value("approval_channels"))
	token := p.Reason.String("form_token")
	require.Len(t, token, 22)

	again := *x
	again.Recovered = true
	require.Equal(t, token, w.pauses(&again).Reason.String("form_token"), "a worker that died has asked already")
	again.Recovered, again.Resumed = false, true
	require.Equal(t, token, w.pauses(&again).Reason.String("form_token"), "woken for nothing")

	access, err := w.forms.ByToken(t.Context(), token)
	require.NoError(t, err)
	require.NoError(t, w.forms.Submit(t.Context(), access, humaninput.Answer{Action: "approve", Inputs: value.Obj("kind", "large", "note", "n", "x", "y")}))
	res, err := w.node.Run(t.Context(), &again)
	require.NoError(t, err)
	require.Equal(t, "approve", res.Handle)
	require.Equal(t, `{"note": "n", "kind": "large", "__action_id": "approve", "__action_value": "Approve", "__rendered_content": "Check **me** n/large"}`, value.JSON(res.Outputs))
	require.Equal(t, `{"note": "n", "kind": "large"}`, value.JSON(res.Inputs))
	require.Equal(t, node.FilledKind, res.Resumption.Kind)
	require.Equal(t, "Approve", res.Resumption.Data.Value("action_text"))
}

func TestTimeIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	x := w.execution()
	_ = w.pauses(x)
	x.Resumed = true
	w.clock.Advance(2*time.Hour - time.Nanosecond)
	_ = w.pauses(x)
	w.clock.Advance(time.Microsecond)
	res, err := w.node.Run(t.Context(), x)
	require.NoError(t, err)
	require.Equal(t, node.HandleTimeout, res.Handle)
	require.Equal(t, `{"__action_id": "", "__action_value": "", "__rendered_content": "Check **me** /"}`, value.JSON(res.Outputs))
	require.Equal(t, node.TimeoutKind, res.Resumption.Kind)
	require.Empty(t, w.stopped)
}

func TestTimeForAllFormsIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Hour)
	x := w.execution()
	require.Equal(t, w.clock.Now().Add(time.Hour), w.pauses(x).Until)
	x.Resumed = true
	w.clock.Advance(time.Hour)
	p := w.pauses(x)
	require.Equal(t, []string{"Human input global timeout at node ask"}, w.stopped)
	require.Equal(t, w.clock.Now().Add(time.Second), p.Until, "a stop that was lost is asked for again")
	f, err := w.forms.Form(t.Context(), x.Run.TenantID, x.ID)
	require.NoError(t, err)
	require.Equal(t, humaninput.StatusExpired, f.Status)
}

func TestAFormThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	x := w.execution()
	x.Resumed = true
	_, err := w.node.Run(t.Context(), x)
	require.ErrorContains(t, err, "gone")
}

func TestConfigurations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	typ := node.New(w.forms, nil)
	for name, text := range map[string]string{
		"unit":      `{"type":"human-input","timeout_unit":"week"}`,
		"timeout":   `{"type":"human-input","timeout":0}`,
		"input":     `{"type":"human-input","inputs":[{"type":"number","output_variable_name":"x"}]}`,
		"name":      `{"type":"human-input","inputs":[{"type":"paragraph","output_variable_name":"a b"}]}`,
		"twice":     `{"type":"human-input","inputs":[{"type":"paragraph","output_variable_name":"a"},{"type":"paragraph","output_variable_name":"a"}]}`,
		"action":    `{"type":"human-input","user_actions":[{"id":"1x","title":"X"}]}`,
		"action id": `{"type":"human-input","user_actions":[{"id":"abcdefghijklmnopqrstu","title":"X"}]}`,
		"actions":   `{"type":"human-input","user_actions":[{"id":"a","title":"X"},{"id":"a","title":"X"}]}`,
		"delivery":  `{"type":"human-input","delivery_methods":[{"type":"pigeon"}]}`,
		"objects":   `{"type":"human-input","inputs":[1]}`,
	} {
		_, err := typ.New(nodetest.Config(t, "n", text))
		require.Error(t, err, name)
	}
	_, err := typ.New(nodetest.Config(t, "n", `{"type":"human-input"}`))
	require.NoError(t, err)
}
