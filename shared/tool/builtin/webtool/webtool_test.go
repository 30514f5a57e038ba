package webtool_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/mockmodel"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/provider/openaicompat"
	"github.com/millrace/millrace/shared/tool/builtin"
	"github.com/millrace/millrace/shared/tool/builtin/webtool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/tooltest"
	"github.com/millrace/millrace/shared/workflow/value"
)

const article = `<!doctype html><html><head><title> A
 page </title><style>p{}</style><script>var x = "<p>no</p>"</script></head><body><nav>Menu</nav>
<article><h1>Head</h1><p>One <b>bold</b>
 word.</p><ul><li>a<li>b</ul><table><tr><td>x</td><td>y</td></tr></table>l1<br>l2</article><footer>Imprint</footer></body></html>`

func site(t *testing.T) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/article":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, article)
		case "/latin":
			w.Header().Set("Content-Type", "text/html; charset=iso-8859-1")
			_, _ = io.WriteString(w, "<body><article><form>search</form></article><p>caf\xe9</p></body>")
		case "/agent":
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, r.UserAgent())
		case "/data":
			w.Header().Set("Content-Type", "application/x-unknown")
			_, _ = io.WriteString(w, "\x00\x01")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

// models has one default model.
type models struct{ model *llm.Model }

func (m models) Default(context.Context, string, llm.ModelType) (*llm.Model, error) {
	if m.model == nil {
		return nil, errs.New(errs.ProviderNotInitialize, "no default model")
	}
	return m.model, nil
}

func call(params ...any) driver.Call {
	return driver.Call{
		Ref: driver.Ref{TenantID: "t", Type: driver.Builtin, Provider: "webscraper", Tool: "webscraper"}, Parameters: value.Obj(params...),
	}
}

func TestRuntime(t *testing.T) {
	t.Parallel()
	srv := site(t)
	tooltest.Run(t, func(*testing.T) tooltest.Subject {
		bad := call("url", srv.URL+"/gone")
		return tooltest.Subject{
			Runtime: builtin.New(webtool.New(srv.Client(), models{})), Type: driver.Builtin, Works: call("url", srv.URL+"/article"), Fails: &bad,
		}
	})
}

func read(t *testing.T, r driver.Runtime, c driver.Call) (string, error) {
	t.Helper()
	said := ""
	err := r.Invoke(t.Context(), &c, func(m driver.Message) error { said += m.Text; return nil })
	return said, err
}

func TestReads(t *testing.T) {
	t.Parallel()
	srv := site(t)
	r := builtin.New(webtool.New(srv.Client(), models{}))
	for address, want := range map[string]string{
		srv.URL + "/article":  "TITLE: A page\nTEXT:\n\nHead\nOne bold word.\na\nb\nx y\nl1\nl2",
		srv.URL + "/latin":    "café",
		srv.URL + "/agent":    "Millrace test",
		"":                    "Please input url",
		srv.URL + "/gone":     "!status 404",
		srv.URL + "/data":     "!application/x-unknown",
		"ftp://a.example/x":   "!address",
		"no address":          "!address",
		"http://127.0.0.1:1/": "!reached",
	} {
		got, err := read(t, r, call("url", address, "user_agent", "Millrace test"))
		if part, bad := strings.CutPrefix(want, "!"); bad {
			require.Error(t, err, address)
			require.Contains(t, errs.Public(err).Message, part, address)
			continue
		}
		require.NoError(t, err, address)
		require.Equal(t, want, got, address)
	}
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	mock := httptest.NewServer(mockmodel.New(nil).Handler())
	t.Cleanup(mock.Close)
	def := openaicompat.Definition(mock.Client())
	ref := provider.ModelRef{Model: "mock-chat", Type: llm.TypeLLM}
	creds := provider.Credentials{"endpoint_url": mock.URL + "/v1", "mode": "chat", "context_size": "30"}
	d, err := def.Open(ref, creds)
	require.NoError(t, err)
	srv := site(t)
	r := builtin.New(webtool.New(srv.Client(), models{llm.New(openaicompat.ID, def.Describe(ref, creds), d, clock.System{})}))
	got, err := read(t, r, call("url", srv.URL+"/article", "generate_summary", true))
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(got, "echo: "), "the text is longer than the model takes at once: %s", got)
	require.Contains(t, got, "l1")

	_, err = read(t, builtin.New(webtool.New(srv.Client(), models{})), call("url", srv.URL+"/article", "generate_summary", true))
	require.Equal(t, errs.ProviderNotInitialize, errs.CodeOf(err))
}
