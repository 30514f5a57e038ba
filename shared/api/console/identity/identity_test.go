package identity_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/console/consoletest"
	"github.com/millrace/millrace/shared/api/console/identity"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/catalogue"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/secretbox"
)

type object = map[string]any

// picture is the only picture that the workspaces of these tests have.
const picture = "22222222-2222-4222-8222-222222222222"

func handler(b *consoletest.Bench) http.Handler {
	return edge.NewRouter(identity.Routes(&identity.Deps{
		Accounts: b.Accounts, Auth: b.Auth, SecretKey: consoletest.SecretKey, Clock: b.Clock,
		Avatar: func(_ context.Context, tenantID, fileID string) (string, error) {
			if fileID != picture {
				return "", errs.New(errs.NotFound, "")
			}
			return "/files/" + tenantID + "/" + fileID, nil
		},
	}), nil)
}

func secret(password string) string { return base64.StdEncoding.EncodeToString([]byte(password)) }

// want compares status and body.
func want(t *testing.T, w *httptest.ResponseRecorder, status int, body any) {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	expected, err := json.Marshal(body)
	require.NoError(t, err)
	require.JSONEq(t, string(expected), w.Body.String())
}

func refusal(code, message string, status int) object {
	return object{"code": code, "message": message, "status": status}
}

func bootRefusal(kind, message string, status int) object {
	return object{"error": object{"type": kind, "message": message, "status": status}}
}

var firstSetup = object{"email": "Owner@Example.com", "name": "Conformance", "password": consoletest.Password, "language": "en-US"}

func TestSetup(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	c := consoletest.NewClient(handler(b))
	want(t, c.Do(t, "GET", "/console/api/setup", nil), 200, object{"step": "not_started", "setup_at": nil})
	want(t, c.Do(t, "GET", "/console/api/init", nil), 200, object{"status": "finished"})
	want(t, c.Do(t, "GET", "/console/api/ping", nil), 200, object{"result": "pong"})
	for _, login := range []string{"/login", "/logout"} {
		require.Contains(t, c.Do(t, "POST", "/console/api"+login, object{}).Body.String(), "not_setup")
	}
	for name, bad := range map[string]any{
		"weak password": object{"email": "a@b.co", "name": "x", "password": "password"},
		"no email":      object{"name": "x", "password": consoletest.Password},
		"a name as one": object{"email": "A <a@b.co>", "name": "x", "password": consoletest.Password},
		"long name":     object{"email": "a@b.co", "name": "1234567890123456789012345678901", "password": consoletest.Password},
		"not an object": []int{1},
	} {
		w := c.Do(t, "POST", "/console/api/setup", bad)
		require.Equal(t, 422, w.Code, name)
		require.Contains(t, w.Body.String(), `"type": "validation_error"`, name)
	}
	want(t, c.Do(t, "POST", "/console/api/setup", firstSetup), 201, object{"result": "success"})
	want(t, c.Do(t, "GET", "/console/api/setup", nil), 200, object{"step": "finished", "setup_at": "2026-01-02T03:04:05.000006"})
	want(t, c.Do(t, "POST", "/console/api/setup", object{"email": "a@b.co", "name": "x", "password": consoletest.Password}), 403,
		bootRefusal("authorization_error", "Forbidden", 403))
	want(t, c.Do(t, "POST", "/console/api/init", object{"password": "x"}), 403,
		bootRefusal("authorization_error", "Forbidden", 403))
	require.Equal(t, 422, c.Do(t, "GET", "/console/api/version", nil).Code)
	want(t, c.Do(t, "GET", "/console/api/version?current_version=1.16.1", nil), 200, object{
		"version": "1.16.1", "release_date": "", "release_notes": "", "can_auto_update": false,
		"features": object{"can_replace_logo": false, "model_load_balancing_enabled": false},
	})
}

func TestSetupBehindPassword(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, &account.Options{InitPassword: "open sesame"}, nil)
	c := consoletest.NewClient(handler(b))
	want(t, c.Do(t, "GET", "/console/api/init", nil), 200, object{"status": "not_started"})
	refused := bootRefusal("authentication_error", "Unauthorized", 401)
	want(t, c.Do(t, "POST", "/console/api/setup", firstSetup), 401, refused)
	want(t, c.Do(t, "POST", "/console/api/init", object{"password": "guess"}), 401, refused)
	want(t, c.Do(t, "POST", "/console/api/setup", firstSetup), 401, refused)
	want(t, c.Do(t, "POST", "/console/api/init", object{"password": "open sesame"}), 201, object{"result": "success"})
	want(t, c.Do(t, "GET", "/console/api/init", nil), 200, object{"status": "finished"})

	forged := consoletest.NewClient(handler(b))
	forged.Header.Set("Cookie", "session=eyJhbGciOiJub25lIn0.eyJzdWIiOiJzZXR1cCIsImV4cCI6OTk5OTk5OTk5OX0.")
	want(t, forged.Do(t, "POST", "/console/api/setup", firstSetup), 401, refused)

	b.Clock.Advance(2 * time.Hour)
	want(t, c.Do(t, "POST", "/console/api/setup", firstSetup), 401, refused)
	want(t, c.Do(t, "POST", "/console/api/init", object{"password": "open sesame"}), 201, object{"result": "success"})
	want(t, c.Do(t, "POST", "/console/api/setup", firstSetup), 201, object{"result": "success"})
	want(t, consoletest.NewClient(handler(b)).Do(t, "GET", "/console/api/init", nil), 200, object{"status": "finished"})
}

func TestLogin(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	owner := b.SetUp(t)
	c := consoletest.NewClient(handler(b))
	login := func(email, password string) *httptest.ResponseRecorder {
		return c.Do(t, "POST", "/console/api/login", object{"email": email, "password": password, "remember_me": true})
	}
	wrong := refusal("authentication_failed", "Invalid email or password.", 401)
	garbled := refusal("authentication_failed", "Invalid encrypted data", 401)
	want(t, login(owner.Account.Email, "d3Jvbmc="), 401, wrong)
	want(t, login("nobody@example.com", "d3Jvbmc="), 401, wrong)
	want(t, login("junk", "x"), 401, garbled)
	want(t, login(owner.Account.Email, "plain text"), 401, garbled)
	want(t, login(owner.Account.Email, "/w=="), 401, garbled)
	require.Contains(t, login("junk", secret("x")).Body.String(), "invalid_param")
	require.Contains(t, c.Do(t, "POST", "/console/api/login", object{"email": "a@b.co"}).Body.String(), "invalid_param")
	require.Equal(t, 501, c.Do(t, "POST", "/console/api/login",
		object{"email": "a@b.co", "password": secret("x"), "invite_token": "t"}).Code)
	require.Nil(t, c.Cookie("access_token"))

	want(t, login("OWNER@example.com", secret(consoletest.Password)), 200, object{"result": "success"})
	require.Equal(t, 200, c.Do(t, "GET", "/console/api/account/profile", nil).Code)

	t.Run("refresh", func(t *testing.T) {
		old := c.Cookie("refresh_token").Value
		want(t, c.Do(t, "POST", "/console/api/refresh-token", nil), 200, object{"result": "success"})
		require.NotEqual(t, old, c.Cookie("refresh_token").Value)
		require.Equal(t, 200, c.Do(t, "GET", "/console/api/account/profile", nil).Code)
		thief := consoletest.NewClient(handler(b))
		thief.Header.Set("Cookie", "refresh_token="+old)
		want(t, thief.Do(t, "POST", "/console/api/refresh-token", nil), 401,
			object{"result": "fail", "message": "Invalid refresh token"})
	})
	t.Run("logout", func(t *testing.T) {
		token := c.Cookie("refresh_token").Value
		want(t, c.Do(t, "POST", "/console/api/logout", nil), 200, object{"result": "success"})
		require.Nil(t, c.Cookie("access_token"))
		want(t, c.Do(t, "GET", "/console/api/account/profile", nil), 401,
			refusal("unauthorized", "Invalid Authorization token.", 401))
		c.Header.Set("Cookie", "refresh_token="+token)
		require.Equal(t, 401, c.Do(t, "POST", "/console/api/refresh-token", nil).Code)
		c.Header.Del("Cookie")
		want(t, c.Do(t, "POST", "/console/api/logout", nil), 200, object{"result": "success"})
	})
	t.Run("five failures lock the address", func(t *testing.T) {
		for range 5 {
			want(t, login(owner.Account.Email, "d3Jvbmc="), 401, wrong)
		}
		require.Equal(t, 429, login(owner.Account.Email, secret(consoletest.Password)).Code)
		b.Clock.Advance(25 * time.Hour)
		require.Equal(t, 200, login(owner.Account.Email, secret(consoletest.Password)).Code)
	})
	t.Run("without a workspace", func(t *testing.T) {
		hash, salt, err := account.HashPassword(consoletest.Password)
		require.NoError(t, err)
		require.NoError(t, b.Store.AddAccount(t.Context(), account.Account{
			ID: ids.Random(), Email: "lone@example.com", Status: account.Active, PasswordHash: hash, PasswordSalt: salt,
		}))
		want(t, login("lone@example.com", secret(consoletest.Password)), 200, object{
			"result": "fail", "data": "workspace not found, please contact system admin to invite you to join in a workspace",
		})
	})
}

func TestAccount(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	owner := b.SetUp(t)
	c := b.LogIn(t, handler(b), owner.Account.Email)
	me := object{
		"avatar": nil, "avatar_url": nil, "created_at": 1767323045, "email": "owner@example.com", "id": owner.Account.ID,
		"interface_language": "en-US", "interface_theme": "light", "is_password_set": true, "last_login_at": 1767323045,
		"last_login_ip": "192.0.2.1", "name": "Conformance", "timezone": "America/New_York",
	}
	want(t, c.Do(t, "GET", "/console/api/account/profile", nil), 200, me)
	url := "/files/" + owner.Tenant.ID + "/" + picture
	for _, s := range []struct {
		path, field string
		good, bad   any
	}{
		{"name", "name", "Somebody", "ab"},
		{"interface-language", "interface_language", "de-DE", "tlh"},
		{"interface-theme", "interface_theme", "dark", "pink"},
		{"timezone", "timezone", "Europe/Berlin", "Local"},
		{"timezone", "timezone", "UTC", "Mars/Phobos"},
		{"avatar", "avatar", picture, 5},
	} {
		path := "/console/api/account/" + s.path
		for _, bad := range []object{{}, {s.field: s.bad}} {
			w := c.Do(t, "POST", path, bad)
			require.Equal(t, 400, w.Code, path)
			require.Contains(t, w.Body.String(), "invalid_param")
		}
		me[s.field] = s.good
		if s.path == "avatar" {
			me["avatar_url"] = url
		}
		want(t, c.Do(t, "POST", path, object{s.field: s.good}), 200, me)
		want(t, c.Do(t, "GET", "/console/api/account/profile", nil), 200, me)
	}
	get := func(avatar string) *httptest.ResponseRecorder {
		return c.Do(t, "GET", "/console/api/account/avatar?avatar="+avatar, nil)
	}
	want(t, get(picture), 200, object{"avatar_url": url})
	want(t, get("https://example.com/a.png"), 200, object{"avatar_url": "https://example.com/a.png"})
	require.Equal(t, 404, get(owner.Account.ID).Code, "a file of somebody else")
	require.Equal(t, 400, get("").Code)
	require.Equal(t, 200, c.Do(t, "POST", "/console/api/account/avatar", object{"avatar": owner.Account.ID}).Code)
	require.Contains(t, c.Do(t, "GET", "/console/api/account/profile", nil).Body.String(), `"avatar_url": null`)
}

func TestPassword(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	owner := b.SetUp(t)
	c := b.LogIn(t, handler(b), owner.Account.Email)
	change := func(current, next, again string) *httptest.ResponseRecorder {
		return c.Do(t, "POST", "/console/api/account/password",
			object{"password": current, "new_password": next, "repeat_new_password": again})
	}
	const next = "An0ther-one"
	require.Contains(t, change(consoletest.Password, next, "other").Body.String(), "repeat_password_not_match")
	require.Contains(t, change("wrong", next, next).Body.String(), "current_password_incorrect")
	require.Contains(t, change(consoletest.Password, "weak", "weak").Body.String(), "invalid_param")
	require.Contains(t, c.Do(t, "POST", "/console/api/account/password", object{}).Body.String(), "invalid_param")
	require.Equal(t, 200, change(consoletest.Password, next, next).Code)
	_, err := b.Accounts.Login(t.Context(), owner.Account.Email, next, "")
	require.NoError(t, err)
}

func TestWorkspaces(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	owner := b.SetUp(t)
	c := b.LogIn(t, handler(b), owner.Account.Email)
	first := object{
		"id": owner.Tenant.ID, "name": "Conformance's Workspace", "plan": "sandbox", "status": "normal", "current": true,
		"created_at": 1767323045, "last_opened_at": 1767323045,
	}
	want(t, c.Do(t, "GET", "/console/api/workspaces", nil), 200, object{"workspaces": []any{first}})
	want(t, c.Do(t, "GET", "/console/api/workspaces/current/summary", nil), 200, object{
		"id": owner.Tenant.ID, "name": "Conformance's Workspace", "role": "owner", "plan": "sandbox", "credits": nil,
	})

	other, err := b.Accounts.AddOwner(t.Context(), account.SetupInput{Email: "b@example.com", Name: "B", Password: consoletest.Password})
	require.NoError(t, err)
	foreign := object{"tenant_id": other.Tenant.ID}
	notMine := refusal("account_not_link_tenant", "Account not link tenant.", 403)
	want(t, c.Do(t, "POST", "/console/api/workspaces/switch", foreign), 403, notMine)
	want(t, c.Do(t, "POST", "/console/api/workspaces/switch", object{"tenant_id": "junk"}), 403, notMine)
	require.Equal(t, 400, c.Do(t, "POST", "/console/api/workspaces/switch", object{}).Code)

	require.NoError(t, b.Store.AddMember(t.Context(), other.Tenant.ID, owner.Account.ID, account.Editor, b.Clock.Now()))
	moved := object{
		"id": other.Tenant.ID, "name": "B's Workspace", "plan": "sandbox", "status": "normal", "role": "editor",
		"created_at": 1767323045, "in_trial": nil, "trial_end_reason": nil, "custom_config": nil, "trial_credits": nil,
		"trial_credits_used": nil, "trial_credits_exhausted_at": nil, "next_credit_reset_date": nil,
	}
	want(t, c.Do(t, "POST", "/console/api/workspaces/switch", foreign), 200, object{"result": "success", "new_tenant": moved})
	first["current"] = false
	want(t, c.Do(t, "GET", "/console/api/workspaces", nil), 200, object{"workspaces": []any{first, object{
		"id": other.Tenant.ID, "name": "B's Workspace", "plan": "sandbox", "status": "normal", "current": true,
		"created_at": 1767323045, "last_opened_at": 1767323045,
	}}})
	moved["name"] = "Ours"
	want(t, c.Do(t, "POST", "/console/api/workspaces/info", object{"name": "Ours"}), 200, object{"result": "success", "tenant": moved})
	require.Equal(t, 400, c.Do(t, "POST", "/console/api/workspaces/info", object{"name": " "}).Code)
}

func TestMembers(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	owner := b.SetUp(t)
	helper := b.Join(t, owner.Tenant.ID, "op@example.com", account.DatasetOperator)
	c := b.LogIn(t, handler(b), owner.Account.Email)
	operator := object{
		"id": helper.ID, "name": "op@example.com", "avatar": nil, "avatar_url": nil, "email": "op@example.com",
		"last_login_at": nil, "last_active_at": 1767323045, "created_at": 1767323045, "role": "dataset_operator", "roles": []any{},
		"status": "active",
	}
	want(t, c.Do(t, "GET", "/console/api/workspaces/current/members", nil), 200, object{"accounts": []any{object{
		"id": owner.Account.ID, "name": "Conformance", "avatar": nil, "avatar_url": nil, "email": "owner@example.com",
		"last_login_at": 1767323045, "last_active_at": 1767323045, "created_at": 1767323045, "role": "owner", "roles": []any{},
		"status": "active",
	}, operator}})
	want(t, c.Do(t, "GET", "/console/api/workspaces/current/dataset-operators", nil), 200, object{"accounts": []any{operator}})
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	c := consoletest.NewClient(handler(b))
	want(t, c.Do(t, "GET", "/console/api/system-features", nil), 200, json.RawMessage(`{
		"branding": {"application_title": "", "enabled": false, "favicon": "", "login_page_logo": "", "workspace_logo": ""},
		"deployment_edition": "COMMUNITY", "enable_app_deploy": false, "enable_change_email": true,
		"enable_collaboration_mode": true, "enable_creators_platform": true, "enable_email_code_login": false,
		"enable_email_password_login": true, "enable_explore_banner": false, "enable_learn_app": true,
		"enable_marketplace": false, "enable_social_oauth_login": false, "enable_step_by_step_tour": false,
		"is_allow_register": false, "is_email_setup": false, "knowledge_fs_enabled": false, "license": {"status": "none"},
		"plugin_installation_permission": {"plugin_installation_scope": "all", "restrict_to_marketplace_only": false},
		"rbac_enabled": false, "sso_enforced_for_signin": false, "sso_enforced_for_signin_protocol": null,
		"webapp_auth": {"allow_email_code_login": false, "allow_email_password_login": false, "allow_public_access": true,
			"allow_sso": false, "enabled": false, "sso_config": {"protocol": null}}}`))
	b.SetUp(t)
	require.Equal(t, 401, c.Do(t, "GET", "/console/api/features", nil).Code)
	want(t, b.LogIn(t, handler(b), "owner@example.com").Do(t, "GET", "/console/api/features", nil), 200, json.RawMessage(`{
		"annotation_quota_limit": {"limit": 10, "size": 0}, "api_rate_limit": {"limit": 5000, "reset_date": 0, "usage": 0},
		"apps": {"limit": 10, "size": 0}, "billing": {"enabled": false, "subscription": {"interval": "", "plan": "sandbox"}},
		"can_replace_logo": false, "dataset_operator_enabled": false, "docs_processing": "standard",
		"documents_upload_quota": {"limit": 50, "size": 0}, "education": {"activated": false, "enabled": false},
		"human_input_email_delivery_enabled": true, "is_allow_transfer_workspace": true,
		"knowledge_pipeline": {"publish_enabled": false}, "knowledge_rate_limit": 10, "members": {"limit": 1, "size": 0},
		"model_load_balancing_enabled": false, "next_credit_reset_date": 0,
		"trigger_event": {"limit": 3000, "reset_date": 0, "usage": 0}, "webapp_copyright_enabled": false,
		"workspace_members": {"enabled": false, "limit": 0, "size": 0}}`))
}

// A route that another function owns would answer on a laptop and not in the
// cloud.
func TestFunctionOwnsItsRoutes(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for _, f := range catalogue.Functions() {
		for _, r := range f.Routes {
			mux.HandleFunc(r.Pattern(), func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Function", f.Name) })
		}
	}
	b := consoletest.NewBench(t, nil, nil)
	for _, r := range identity.Routes(&identity.Deps{Accounts: b.Accounts, Auth: b.Auth}) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(r.Method, r.Path, nil))
		require.Equal(t, "console-identity", w.Header().Get("Function"), r.Path)
	}
	c := consoletest.NewClient(handler(b))
	require.Equal(t, 501, c.Do(t, "GET", "/console/api/account/integrates", nil).Code)
	require.Equal(t, 404, c.Do(t, "POST", "/console/api/workspaces/current", nil).Code)
}

func TestSetupMakesTheWorkspacesKey(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { require.NoError(t, bucket.Close()) })
	box := secretbox.Open(bucket, nil)
	store := consoletest.NewAccounts()
	accounts := account.New(store, ephemeral.NewMemory(nil), box, &account.Options{SecretKey: consoletest.SecretKey})
	h := edge.NewRouter(identity.Routes(&identity.Deps{Accounts: accounts, Auth: console.New(accounts, nil)}), nil)
	require.Equal(t, 201, consoletest.NewClient(h).Do(t, "POST", "/console/api/setup", firstSetup).Code)

	acc, err := store.AccountByEmail(t.Context(), "owner@example.com")
	require.NoError(t, err)
	p, err := store.Principal(t.Context(), acc.ID)
	require.NoError(t, err)
	require.Contains(t, p.Tenant.PublicKey, "PUBLIC KEY")
	sealed, err := box.Seal(t.Context(), p.Tenant.ID, "hunter2")
	require.NoError(t, err)
	opened, err := box.Unseal(t.Context(), p.Tenant.ID, sealed)
	require.NoError(t, err)
	require.Equal(t, "hunter2", opened)
}
