package web_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/web"
)

type sites map[string]bool

func (s sites) HasSite(_ context.Context, code string) (bool, error) { return s[code], nil }

func TestDoor(t *testing.T) {
	t.Parallel()
	h := edge.NewRouter(web.Routes(sites{"known": true}), nil)
	for _, c := range []struct {
		path, header, value string
		status              int
		says                string
	}{
		{"/api/parameters", "", "", 401, "App token is missing"},
		{"/api/parameters", "X-App-Passport", "x", 501, "not_implemented"},
		{"/api/parameters", "Cookie", "passport-known=x", 501, "not_implemented"},
		{"/api/passport", "", "", 401, "X-App-Code header is missing"},
		{"/api/passport", "X-App-Code", "nosuchcode", 404, `"code": "not_found"`},
		{"/api/passport", "X-App-Code", "known", 501, "not_implemented"},
		{"/api/login/status", "", "", 501, "not_implemented"},
		{"/api/nothing-here", "", "", 404, "<html"},
	} {
		r := httptest.NewRequest("GET", c.path, nil)
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, c.path)
		require.Contains(t, w.Body.String(), c.says, c.path)
	}
}
