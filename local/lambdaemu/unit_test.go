package lambdaemu

import (
	"errors"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
)

func TestReadTemplate(t *testing.T) {
	t.Parallel()
	tpl, err := ReadTemplate(filepath.Join("testdata", "template.yaml"), map[string]string{"Greeting": "bonjour"})
	require.NoError(t, err)
	require.Equal(t, ".", tpl.Dir)
	f, ok := tpl.Find("plain")
	require.True(t, ok)
	require.Equal(t, "millrace-plain", f.Name)
	require.Equal(t, 20*time.Second, f.Timeout)
	require.Equal(t, 256, f.MemoryMB)
	require.Equal(t, map[string]string{
		"GREETING": "bonjour millrace", "QUEUE_ARN": "arn:aws:sqs:us-east-1:000000000000:millrace-probe-queue",
	}, f.Env)
	w, _ := tpl.Find("millrace-worker")
	require.Equal(t, []QueueSource{{Queue: "probe-queue", BatchSize: 5, Partial: true, Visibility: time.Minute, DeadLetterAfter: 3}}, w.Queues)
	require.Equal(t, []string{"rate(1 minute)"}, w.Schedules)
	s, _ := tpl.Find("StreamFunction")
	require.True(t, s.Routes[0].Stream)
	require.Equal(t, 20*time.Second, s.Routes[0].Timeout)
	_, err = ReadTemplate(filepath.Join("testdata", "absent.yaml"), nil)
	require.Error(t, err)
}

func TestReadTheProjectsTemplate(t *testing.T) {
	t.Parallel()
	tpl, err := ReadTemplate(filepath.Join("..", "..", "infra", "template.yaml"), nil)
	require.NoError(t, err)
	require.Equal(t, filepath.Join("..", ".."), tpl.Dir)
	require.NotEmpty(t, tpl.Functions)
	for _, f := range tpl.Functions {
		require.NotEmpty(t, f.Folder)
		for _, expr := range f.Schedules {
			_, err := parseSchedule(expr)
			require.NoError(t, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		own    map[string]GatewayResponse
		status int
		body   string
	}{
		"API Gateway's":    {nil, 403, `{"message":"Missing Authentication Token"}`},
		"the kind's":       {map[string]GatewayResponse{"MISSING_AUTHENTICATION_TOKEN": {404, `{"a":$context.error.messageString}`}}, 404, `{"a":"Missing Authentication Token"}`},
		"the client's":     {map[string]GatewayResponse{"DEFAULT_4XX": {0, `{"a":1}`}, "DEFAULT_5XX": {500, "{}"}}, 403, `{"a":1}`},
		"another kind's":   {map[string]GatewayResponse{"THROTTLED": {429, `{"a":1}`}, "DEFAULT_5XX": {500, "{}"}}, 403, `{"message":"Missing Authentication Token"}`},
		"the status alone": {map[string]GatewayResponse{"MISSING_AUTHENTICATION_TOKEN": {Status: 404}}, 404, `{"message":"Missing Authentication Token"}`},
	} {
		g := &gateway{e: &Emulator{opts: Options{Template: &Template{GatewayResponses: c.own}}}}
		w := httptest.NewRecorder()
		g.refuse(w, missingToken)
		require.Equal(t, c.status, w.Code, name)
		require.Equal(t, c.body, w.Body.String(), name)
	}
	g := &gateway{e: &Emulator{opts: Options{Template: &Template{GatewayResponses: map[string]GatewayResponse{"DEFAULT_5XX": {500, "{}"}}}}}}
	w := httptest.NewRecorder()
	g.refuse(w, timedOut)
	require.Equal(t, 500, w.Code)
}

func TestPathsFindTheirResource(t *testing.T) {
	t.Parallel()
	g := &gateway{root: &resource{path: "/"}}
	for _, path := range []string{"/{rest+}", "/", "/v1", "/v1/{rest+}", "/v1/a/{id}/stop"} {
		require.NoError(t, g.add(&pool{}, Route{Method: "ANY", Path: path}))
	}
	for path, want := range map[string]string{
		"/": "/", "/x": "/{rest+}", "/x/y/": "/{rest+}", "/v1": "/v1", "/v1/": "/v1", "/v1/b": "/v1/{rest+}",
		"/v1/a/1/stop": "/v1/a/{id}/stop", "/v1/a/1/stop/": "/v1/a/{id}/stop", "/v1/a/1/go": "/v1/{rest+}",
	} {
		node := g.find(path, map[string]string{})
		require.NotNil(t, node, path)
		require.Equal(t, want, node.path, path)
	}
	require.Nil(t, g.find("/v1/a", map[string]string{}).methods, "a step hides what is greedy")
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 2, 27, 23, 59, 30, 0, time.UTC) // a Friday
	for expr, want := range map[string]time.Time{
		"rate(1 minute)":            from.Add(time.Minute),
		"rate(2 days)":              from.Add(48 * time.Hour),
		"cron(0 3 * * ? *)":         time.Date(2026, 2, 28, 3, 0, 0, 0, time.UTC),
		"cron(*/15 * ? * * *)":      time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC),
		"cron(30 9 1 * ? *)":        time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC),
		"cron(0 12 ? * 2-6 *)":      time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
		"cron(5,10 0 29 2 ? *)":     time.Date(2028, 2, 29, 0, 5, 0, 0, time.UTC),
		"cron(0 0 1 1 ? 2027)":      time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		"cron(0 0 1 1 ? 1999-2001)": {},
	} {
		s, err := parseSchedule(expr)
		require.NoError(t, err, expr)
		require.Equal(t, want, s.next(from), expr)
	}
	for _, expr := range []string{"rate(0 minutes)", "rate(1 week)", "cron(0 3 * *)", "cron(61 * * * ? *)", "every day", "rate(1 minute"} {
		_, err := parseSchedule(expr)
		require.Error(t, err, expr)
	}
}

// An event can be handed to a process that has died a moment ago: whoever waits
// for its answer must hear of it.
func TestEventForADeadProcessIsAnswered(t *testing.T) {
	t.Parallel()
	p := &pool{e: &Emulator{opts: Options{}.withDefaults()}}
	for range 20 { // both orders in which the two can be noticed
		inst := &instance{p: p, exited: make(chan struct{})}
		inst.gone(errors.New("signal: killed"))
		inv := &invocation{begun: make(chan struct{}), answer: make(chan answer, 1), done: make(chan struct{})}
		inv.deadline = clock.System{}.Now().Add(time.Minute)
		close(inv.begun)
		p.guard(inst, inv)
		select {
		case a := <-inv.answer:
			require.ErrorContains(t, a.err, "Runtime.ExitError")
		default:
			require.FailNow(t, "no answer")
		}
	}
}
