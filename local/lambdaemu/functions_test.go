//go:build unix

package lambdaemu

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/mempubsub"

	"github.com/millrace/millrace/local/embedded"
	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/shared/catalogue"
	"github.com/millrace/millrace/shared/config"
)

// TestEveryFunctionAnswersItsSample builds what deploys, starts it as Lambda
// would, and sends each function its sample event.
func TestEveryFunctionAnswersItsSample(t *testing.T) {
	if testing.Short() {
		t.Skip("builds every function")
	}
	t.Parallel()
	root := filepath.Join("..", "..")
	tpl, err := ReadTemplate(filepath.Join(root, "infra", "template.yaml"), nil)
	require.NoError(t, err)
	// The binaries stay, so that the next run links only what has changed.
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	bin, data := filepath.Join(cache, "millrace", "test-functions"), t.TempDir()
	var env []string
	for k, v := range config.Environ() {
		env = append(env, k+"="+v)
	}
	require.NoError(t, os.MkdirAll(bin, 0o755))
	unlock, err := embedded.Lock(t.Context(), filepath.Join(bin, ".lock")) // other tests use the folder too
	require.NoError(t, err)
	err = Builder{Root: root, Dir: bin, Env: env}.Build(t.Context(), tpl.Functions)
	unlock()
	require.NoError(t, err)

	// What the cloud would give is replaced, everything else is the template's.
	own := map[string]string{
		"DATABASE_URL": pgtest.URL(t), "SECRET_KEY": "a-key-for-tests-0123456789", "BLOB_URL": "file://" + data,
		"REDIS_URL": "", "MILLRACE_QUEUE_URL": "",
	}
	subs := map[string]*pubsub.Subscription{}
	for _, f := range tpl.Functions {
		for _, q := range f.Queues {
			topic := mempubsub.NewTopic()
			subs[q.Queue] = mempubsub.NewSubscription(topic, 0)
			t.Cleanup(func() { _ = topic.Shutdown(context.Background()) })
		}
	}
	out := &syncBuffer{}
	e, err := New(t.Context(), Options{
		Template: tpl, BinaryDir: bin, Subscriptions: subs, Freeze: true, Output: out,
		Env: func(f Function) map[string]string {
			for k := range f.Env {
				if v, ok := own[k]; ok {
					f.Env[k] = v
				}
			}
			return f.Env
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		e.Close()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	answerSample(t, e, "migrate") // the others need the schema
	for _, f := range catalogue.Functions() {
		if f.Name != "migrate" {
			answerSample(t, e, f.Name)
		}
	}
}

func answerSample(t *testing.T, e *Emulator, name string) {
	t.Helper()
	f, ok := catalogue.Find(name)
	require.True(t, ok)
	payload, err := os.ReadFile(filepath.Join("..", "..", "events", f.Sample))
	require.NoError(t, err)
	p := e.pools[name]
	require.NotNil(t, p, name)
	// HTTP APIs and load balancers do not stream, whatever the function would do.
	stream := len(p.f.Routes) > 0 && p.f.Routes[0].Stream &&
		!strings.HasPrefix(f.Sample, "apigateway-v2.") && !strings.HasPrefix(f.Sample, "alb.")
	resp, err := p.invoke(t.Context(), call{payload: payload, stream: stream})
	require.NoError(t, err, name)
	defer resp.body.Close()

	if f.Kind == catalogue.HTTP {
		w := httptest.NewRecorder()
		if stream {
			err = renderStream(w, resp)
		} else {
			err = renderBuffered(w, resp)
		}
		require.NoError(t, err, name)
		// Keys and ids of the samples are made up: a refusal is the right answer.
		require.Less(t, w.Code, http.StatusInternalServerError, "%s: %s", name, w.Body)
		require.NotEmpty(t, w.Header().Get("Content-Type"), "%s: %s", name, w.Body)
		return
	}
	body, err := io.ReadAll(resp.body)
	require.NoError(t, err, name)
	require.True(t, json.Valid(body), "%s: %s", name, body)
	switch {
	case f.Kind == catalogue.Queue:
		require.Contains(t, string(body), "batchItemFailures", name)
	case name == "code-python" && !hasPython():
		require.Contains(t, string(body), "unavailable")
	case strings.HasPrefix(name, "code-"):
		require.JSONEq(t, `{"output":{"sum":5}}`, string(body), name)
	}
}

func hasPython() bool {
	_, err := exec.LookPath("python3")
	return err == nil
}
