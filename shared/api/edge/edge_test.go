package edge_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/stretchr/testify/require"
)

const someID = "11111111-1111-4111-8111-111111111111"

func echo(names ...string) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		out := map[string]string{}
		for _, n := range names {
			out[n] = r.PathValue(n)
		}
		return edge.OK(w, out)
	}
}

type named struct {
	Name *string `json:"name"`
}

func (n *named) Validate() error {
	var p edge.Problems
	p.Require("name", n.Name != nil)
	return p.Err()
}

func router() *edge.Router {
	return edge.NewRouter([]edge.Route{
		{Method: "GET", Path: "/console/api/apps/{app_id:uuid}", Handler: echo("app_id")},
		{Method: "POST", Path: "/console/api/apps/imports/{import_id}/confirm", Handler: echo("import_id")},
		{Method: "GET", Path: "/w/{provider:path}/models", Handler: echo("provider")},
		{Method: "GET", Path: "/files/tools/{file_id}.{extension}", Handler: echo("file_id", "extension")},
		{Method: "POST", Path: "/body", Handler: func(w http.ResponseWriter, r *http.Request) error {
			var b named
			if err := edge.Decode(r, &b); err != nil {
				return err
			}
			return edge.OK(w, map[string]any{"name": *b.Name, "n": []int{1, 2}})
		}},
		{Method: "DELETE", Path: "/console/api/apps/{app_id:uuid}/api-keys/{api_key_id:uuid}", Handler: echo("api_key_id")},
		{Method: "GET", Path: "/broken", Handler: func(http.ResponseWriter, *http.Request) error {
			return errors.New("password=hunter2")
		}},
		{Method: "GET", Path: "/panic", Handler: func(http.ResponseWriter, *http.Request) error { panic("oh") }},
		{Method: "GET", Path: "/401", Handler: func(http.ResponseWriter, *http.Request) error {
			return errs.New(errs.Unauthorized, "no")
		}},
	}, &edge.Options{MaxBody: 100, CORS: &edge.CORS{Origins: []string{"https://a.example"}, Credentials: true}})
}

func do(t *testing.T, method, path, contentType, body string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	router().ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

func TestRouting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/console/api/apps/" + someID, 200, `{"app_id": "` + someID + `"}` + "\n"},
		{"GET", "/console/api/apps/junk", 404, "html"},
		{"POST", "/console/api/apps/imports/x/confirm", 200, `{"import_id": "x"}` + "\n"},
		{"GET", "/w/a/b/c/models", 200, `{"provider": "a/b/c"}` + "\n"},
		{"GET", "/files/tools/abc.tar.gz", 200, `{"extension": "tar.gz", "file_id": "abc"}` + "\n"},
		{"PATCH", "/console/api/apps/" + someID, 405, `{"code": "method_not_allowed", "message": "The method is not allowed for the requested URL.", "status": 405}` + "\n"},
		{"DELETE", "/console/api/apps/" + someID + "/api-keys/junk", 404, "html"},
		{"GET", "/v1/datasets", 501, `"code": "not_implemented"`},
		{"GET", "/v1/nothing-here", 404, "html"},
		{"GET", "/broken", 500, `{"code": "internal_server_error", "message": "Internal Server Error, please contact support.", "status": 500}` + "\n"},
		{"GET", "/panic", 500, "internal_server_error"},
	} {
		got := do(t, c.method, c.path, "", "")
		require.Equal(t, c.status, got.StatusCode, c.path)
		require.Contains(t, text(t, got), c.body, c.path)
	}
	require.Equal(t, `Bearer realm="api"`, do(t, "GET", "/401", "", "").Header.Get("WWW-Authenticate"))
}

func TestBodies(t *testing.T) {
	t.Parallel()
	const js = "application/json"
	for _, c := range []struct {
		contentType, body string
		status            int
		want              string
	}{
		{js, `{"name": "é🤖<b>"}`, 200, `{"n": [1, 2], "name": "\u00e9\ud83e\udd16<b>"}` + "\n"},
		{js + "; charset=utf-8", `{"name": "a\"b,c:d\\"}`, 200, `"a\"b,c:d\\"`},
		{"text/plain", `{"name": "x"}`, 415, "unsupported_media_type"},
		{"", `{"name": "x"}`, 415, "unsupported_media_type"},
		{js, `{"name": `, 400, "bad_request"},
		{js, ``, 400, "bad_request"},
		{js, `{}`, 400, "invalid_param"},
		{js, `{"name": 5}`, 400, "invalid_param"},
		{js, `[1]`, 400, "invalid_param"},
		{js, `{"name": "` + strings.Repeat("x", 200) + `"}`, 413, "request_entity_too_large"},
	} {
		got := do(t, "POST", "/body", c.contentType, c.body)
		require.Equal(t, c.status, got.StatusCode, c.body)
		require.Contains(t, text(t, got), c.want, c.body)
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	got := do(t, "OPTIONS", "/body", "", "", "Origin", "https://a.example", "Access-Control-Request-Method", "POST")
	require.Equal(t, 200, got.StatusCode)
	require.Equal(t, "https://a.example", got.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", got.Header.Get("Access-Control-Allow-Credentials"))
	got = do(t, "OPTIONS", "/body", "", "", "Origin", "https://b.example", "Access-Control-Request-Method", "POST")
	require.Empty(t, got.Header.Get("Access-Control-Allow-Origin"))
}

func TestQuery(t *testing.T) {
	t.Parallel()
	q := edge.NewQuery(httptest.NewRequest(http.MethodGet, "/x?page=2&limit=abc&named=true&big=500", nil))
	require.Equal(t, 2, q.Int("page", 1, 1, 0))
	require.True(t, q.Bool("named", false))
	require.Equal(t, 20, q.Int("absent", 20, 1, 100))
	require.NoError(t, q.Err())
	q.Int("limit", 20, 1, 100)
	q.Int("big", 20, 1, 100)
	require.True(t, errs.Is(q.Err(), errs.InvalidParam))
	require.Contains(t, q.Err().Error(), "2 validation errors")
}

func TestPage(t *testing.T) {
	t.Parallel()
	p := edge.NewPage[int](1, 20, 21, nil)
	require.True(t, p.HasMore)
	require.NotNil(t, p.Data)
}

func TestAnIdThatIsNoUUIDIsNotAMissingFeature(t *testing.T) {
	t.Parallel()
	rt := edge.NewRouter([]edge.Route{{Method: "DELETE", Path: "/console/api/apps/{resource_id:uuid}/api-keys/{api_key_id:uuid}",
		Handler: func(w http.ResponseWriter, _ *http.Request) error { return edge.NoContent(w) }}}, nil)
	id := "11111111-1111-4111-8111-111111111111"
	for path, want := range map[string]int{
		"/console/api/apps/" + id + "/api-keys/" + id:   http.StatusNoContent,
		"/console/api/apps/" + id + "/api-keys/junk":    http.StatusNotFound,
		"/console/api/apps/" + id + "/annotations/junk": http.StatusNotImplemented,
	} {
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, path, nil))
		require.Equal(t, want, w.Code, path)
	}
}
