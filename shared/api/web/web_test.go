package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/web"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/app/memapp"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/value"
)

const secretKey = "a key that signs passports in tests"

// world is the API over a store in memory, with one chat app.
type world struct {
	t     *testing.T
	store *memapp.Store
	apps  *app.Service
	h     http.Handler
	by    app.Actor
	app   app.App
	code  string
}

type files struct{}

func (files) Signer() *file.Signer                   { return file.NewSigner(secretKey, "", 0, nil) }
func (files) LimitsMB() (int64, int64, int64, int64) { return 15, 10, 100, 50 }

// plain keeps secrets as they are: nothing here has any.
type plain struct{}

func (plain) Seal(_ context.Context, _, text string) (string, error)   { return text, nil }
func (plain) Unseal(_ context.Context, _, text string) (string, error) { return text, nil }

func open(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: memapp.New(), by: app.Actor{TenantID: ids.Random(), AccountID: ids.Random()}}
	w.apps = app.New(w.store, plain{}, ephemeral.NewMemory(clock.System{}), nil)
	opening := "Hello."
	w.app, w.code = w.add(app.NewApp{Name: "chat", Mode: app.ModeChat, IconType: "emoji", Icon: "🤖", ModelConfig: &app.ModelConfig{
		PromptType: "simple", OpeningStatement: &opening,
		Parts: map[string]json.RawMessage{"suggested_questions": json.RawMessage(`["One?"]`)},
	}})
	w.h = edge.NewRouter(web.Routes(web.Deps{Apps: w.apps, Files: files{}, SecretKey: secretKey}), nil)
	return w
}

func (w *world) add(in app.NewApp) (app.App, string) {
	w.t.Helper()
	a, err := w.apps.Create(w.t.Context(), w.by, in)
	require.NoError(w.t, err)
	site, err := w.apps.Site(w.t.Context(), w.by.TenantID, a.ID)
	require.NoError(w.t, err)
	return a, site.Code
}

// do makes a request; headers are pairs.
func (w *world) do(method, path string, headers ...string) (int, *value.Object) {
	w.t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	v, err := value.Decode(rec.Body.Bytes())
	require.NoError(w.t, err, rec.Body.String())
	o, ok := v.(*value.Object)
	require.True(w.t, ok, rec.Body.String())
	return rec.Code, o
}

func (w *world) passport(query, code string) string {
	w.t.Helper()
	status, body := w.do("GET", "/api/passport"+query, "X-App-Code", code)
	require.Equal(w.t, 200, status, body)
	return body.String("access_token")
}

// visitor is the end user that a passport names.
func (w *world) visitor(token string) string {
	w.t.Helper()
	status, body := w.do("GET", "/api/site", "X-App-Passport", token)
	require.Equal(w.t, 200, status, body)
	return body.String("end_user_id")
}

func (w *world) refused(status int, code, message, path string, headers ...string) {
	w.t.Helper()
	got, body := w.do("GET", path, headers...)
	require.Equal(w.t, status, got, "%s: %v", path, body)
	require.Equal(w.t, code, body.String("code"), path)
	require.Contains(w.t, body.String("message"), message, path)
}

func TestPassports(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.refused(401, "unauthorized", "X-App-Code header is missing", "/api/passport")
	w.refused(404, "not_found", "The requested URL was not found", "/api/passport", "X-App-Code", "0000000000000000")
	w.refused(404, "not_found", "The requested URL was not found", "/api/passport", "X-App-Code", "\xff")
	w.refused(400, "invalid_param", "user_id", "/api/passport?user_id=%00", "X-App-Code", w.code)

	first, second := w.passport("", w.code), w.passport("", w.code)
	require.NotEqual(t, w.visitor(first), w.visitor(second), "everybody who says no name is somebody new")
	ann, again := w.passport("?user_id=ann", w.code), w.passport("?user_id=ann", w.code)
	require.Equal(t, w.visitor(ann), w.visitor(again))

	u, err := w.apps.EndUserByID(t.Context(), w.by.TenantID, w.app.ID, w.visitor(ann))
	require.NoError(t, err)
	require.Equal(t, app.EndUserBrowser, u.Type)
	require.True(t, u.IsAnonymous)
	require.Equal(t, "ann", u.SessionID)
	backend, err := w.apps.EndUser(t.Context(), w.by.TenantID, w.app.ID, app.EndUserService, "ann")
	require.NoError(t, err)
	require.NotEqual(t, backend.ID, u.ID, "a name does not make a visitor the one that the backend speaks for")

	var claims jwt.MapClaims
	_, _, err = jwt.NewParser().ParseUnverified(ann, &claims)
	require.NoError(t, err)
	require.Equal(t, jwt.MapClaims{
		"iss": w.app.ID, "sub": "Web API Passport", "app_id": w.app.ID, "app_code": w.code, "end_user_id": u.ID,
	}, claims)
}

func TestGuard(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.passport("", w.code)
	_, other := w.add(app.NewApp{Name: "other", Mode: app.ModeChat})
	sign := func(method jwt.SigningMethod, key any, c jwt.MapClaims) string {
		s, err := jwt.NewWithClaims(method, c).SignedString(key)
		require.NoError(t, err)
		return s
	}
	good := func(change jwt.MapClaims) jwt.MapClaims {
		c := jwt.MapClaims{"sub": "Web API Passport", "app_id": w.app.ID, "app_code": w.code, "end_user_id": w.visitor(token)}
		for k, v := range change {
			c[k] = v
		}
		return c
	}
	hs := func(change jwt.MapClaims) string {
		return sign(jwt.SigningMethodHS256, []byte(secretKey), good(change))
	}
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		says    string
	}{
		{"nothing", nil, 401, "App token is missing"},
		{"code alone", []string{"X-App-Code", w.code}, 401, "App token is missing"},
		{"bearer", []string{"X-App-Code", w.code, "Authorization", "Bearer " + token}, 401, "App token is missing"},
		{"cookie of another page", []string{"X-App-Code", w.code, "Cookie", "passport-" + other + "=" + token}, 401, "App token is missing"},
		{"junk", []string{"X-App-Passport", "junk"}, 401, "Invalid token."},
		{"unsigned", []string{"X-App-Passport", sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good(nil))}, 401, "Invalid token"},
		{"another key", []string{"X-App-Passport", sign(jwt.SigningMethodHS256, []byte("another"), good(nil))}, 401, "Invalid token signature."},
		{"a console's token", []string{"X-App-Passport", hs(jwt.MapClaims{"sub": "Console API Passport"})}, 401, "Invalid token."},
		{"no ids", []string{"X-App-Passport", hs(jwt.MapClaims{"app_id": "x"})}, 401, "Invalid token."},
		{"over", []string{"X-App-Passport", hs(jwt.MapClaims{"exp": time.Now().Add(-time.Hour).Unix()})}, 401, "Token has expired."},
		{"code that was changed", []string{"X-App-Passport", hs(jwt.MapClaims{"app_code": "0000000000000000"})}, 400, "Site URL is no longer valid."},
		{"code of another app", []string{"X-App-Passport", hs(jwt.MapClaims{"app_code": other})}, 400, "Site URL is no longer valid."},
		{"app that is gone", []string{"X-App-Passport", hs(jwt.MapClaims{"app_id": ids.Random()})}, 404, "The requested URL was not found"},
		{"visitor that is gone", []string{"X-App-Passport", hs(jwt.MapClaims{"end_user_id": ids.Random()})}, 404, "The requested URL was not found"},
		{"header", []string{"X-App-Passport", token}, 200, ""},
		{"header and the code of another app", []string{"X-App-Passport", token, "X-App-Code", other}, 200, ""},
		{"cookie", []string{"X-App-Code", w.code, "Cookie", "passport-" + w.code + "=" + token}, 200, ""},
	} {
		for _, path := range []string{"/api/site", "/api/parameters", "/api/meta"} {
			status, body := w.do("GET", path, c.headers...)
			require.Equal(t, c.status, status, "%s %s: %v", c.name, path, body)
			require.Contains(t, body.String("message"), c.says, c.name)
		}
		status := c.status
		if status == 200 {
			status = 501
		}
		got, _ := w.do("POST", "/api/chat-messages", c.headers...)
		require.Equal(t, status, got, c.name)
	}
}

func TestClosedPages(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.passport("", w.code)
	enable := func(on bool) {
		_, err := w.apps.Update(t.Context(), w.by, w.app.ID, func(a *app.App) { a.EnableSite = on })
		require.NoError(t, err)
	}
	enable(false)
	w.refused(400, "bad_request", "Site is disabled.", "/api/site", "X-App-Passport", token)
	w.refused(404, "not_found", "", "/api/passport", "X-App-Code", w.code)
	enable(true)
	w.visitor(token)
	_, err := w.apps.ResetSiteCode(t.Context(), w.by, w.app.ID)
	require.NoError(t, err)
	w.refused(400, "bad_request", "Site URL is no longer valid.", "/api/site", "X-App-Passport", token)
	require.NoError(t, w.apps.Delete(t.Context(), w.by.TenantID, w.app.ID))
	w.refused(404, "not_found", "The requested URL", "/api/site", "X-App-Passport", token)
}

func TestPage(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.passport("", w.code)
	_, err := w.apps.UpdateSite(t.Context(), w.by, w.app.ID, func(s *app.Site) error {
		kind, icon := "image", ids.Random()
		s.IconType, s.Icon, s.PromptPublic = &kind, &icon, true
		return nil
	})
	require.NoError(t, err)
	_, body := w.do("GET", "/api/site", "X-App-Passport", token)
	require.Equal(t, w.app.ID, body.String("app_id"))
	require.Equal(t, "chat", body.String("mode"))
	site, ok := body.Value("site").(*value.Object)
	require.True(t, ok)
	require.Equal(t, "chat", site.String("title"))
	require.Equal(t, true, site.Value("prompt_public"))
	require.Contains(t, site.String("icon_url"), "/file-preview?timestamp=")
	require.Nil(t, site.Value("description"))

	_, body = w.do("GET", "/api/parameters", "X-App-Passport", token)
	require.Equal(t, "Hello.", body.String("opening_statement"))
	require.Equal(t, []any{"One?"}, body.Value("suggested_questions"))
	require.Equal(t, value.Obj("enabled", true), body.Value("retriever_resource"))
	require.Equal(t, value.Obj("enabled", false, "type", "", "configs", []any{}), body.Value("sensitive_word_avoidance"))
	require.Equal(t, value.Obj("image_file_size_limit", int64(10), "video_file_size_limit", int64(100), "audio_file_size_limit", int64(50),
		"file_size_limit", int64(15), "workflow_file_upload_limit", int64(10)), body.Value("system_parameters"))

	_, body = w.do("GET", "/api/meta", "X-App-Passport", token)
	require.Equal(t, value.Obj("tool_icons", value.NewObject(0)), body)
}

func TestPageOfAWorkflow(t *testing.T) {
	t.Parallel()
	w := open(t)
	a, code := w.add(app.NewApp{Name: "flow", Mode: app.ModeWorkflow})
	token := w.passport("", code)
	w.refused(400, "app_unavailable", "", "/api/parameters", "X-App-Passport", token)
	_, err := w.store.Publish(t.Context(), app.Workflow{
		ID: ids.Random(), TenantID: w.by.TenantID, AppID: a.ID, Type: "workflow", Version: "2026-01-02 03:04:05.000000",
		Graph:    `{"nodes":[{"id":"s","data":{"type":"start","title":"Start","variables":[{"variable":"q","type":"text-input"}]}}],"edges":[]}`,
		Features: `{"opening_statement":"Hi"}`,
	})
	require.NoError(t, err)
	_, body := w.do("GET", "/api/parameters", "X-App-Passport", token)
	require.Equal(t, "Hi", body.String("opening_statement"))
	require.Equal(t, []any{value.Obj("text-input", value.Obj("variable", "q", "type", "text-input"))}, body.Value("user_input_form"))
}

func TestWithoutPassport(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.passport("?user_id=ann", w.code)
	status := func(query string, headers ...string) *value.Object {
		code, body := w.do("GET", "/api/login/status"+query, headers...)
		require.Equal(t, 200, code)
		return body
	}
	in := func(page, app bool) *value.Object { return value.Obj("logged_in", page, "app_logged_in", app) }
	require.Equal(t, in(false, false), status("", "X-App-Passport", token))
	require.Equal(t, in(true, false), status("?app_code="+w.code))
	require.Equal(t, in(true, false), status("?app_code=other", "X-App-Passport", token))
	require.Equal(t, in(true, true), status("?app_code="+w.code, "X-App-Passport", token))
	require.Equal(t, in(true, true), status("?user_id=ann&app_code="+w.code, "X-App-Passport", token))
	require.Equal(t, in(true, false), status("?user_id=bob&app_code="+w.code, "X-App-Passport", token))

	code, body := w.do("GET", "/api/system-features")
	require.Equal(t, 200, code)
	require.Equal(t, "COMMUNITY", body.String("deployment_edition"))
	_, body = w.do("GET", "/api/webapp/access-mode?appId=x")
	require.Equal(t, "public", body.String("accessMode"))
	w.refused(501, "not_implemented", "", "/api/webapp/permission?appId=x")
	w.refused(501, "not_implemented", "", "/api/form/human_input/x")
}
