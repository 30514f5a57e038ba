package apps

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/dsl"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

func unix(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Unix()
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func pointed[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// allKeys is what members may do with an app where roles are not finer than
// that.
func allKeys() []string {
	return []string{
		"app.acl.preview", "app.acl.view_layout", "app.acl.test_and_run", "app.acl.edit", "app.acl.import_export_dsl",
		"app.acl.delete", "app.acl.release_and_version", "app.acl.monitor", "app.acl.access_config", "app.acl.tracing_config",
		"app.acl.log_and_annotation",
	}
}

func tracing(x app.App) any {
	var v any
	if x.Tracing == "" || json.Unmarshal([]byte(x.Tracing), &v) != nil {
		return nil
	}
	return v
}

// config shows the model config of an app that has no graph.
func (a *api) config(r *http.Request, x app.App) (any, error) {
	if x.HasWorkflow() || x.ModelConfigID == "" {
		return nil, nil //nolint:nilnil // the contract shows null
	}
	c, err := a.Apps.ModelConfig(r.Context(), x.TenantID, x.ID)
	if errs.Is(err, errs.NotFound) {
		return nil, nil //nolint:nilnil // the contract shows null
	}
	if err != nil {
		return nil, err
	}
	o := c.Object()
	o.Set("annotation_reply", value.Obj("enabled", false))
	o.Set("created_by", orNil(c.CreatedBy))
	o.Set("updated_by", orNil(c.UpdatedBy))
	o.Set("created_at", unix(c.CreatedAt))
	o.Set("updated_at", unix(c.UpdatedAt))
	return o, nil
}

// published shows the current version of an app, as far as lists need it.
func (a *api) published(r *http.Request, x app.App) (any, error) {
	w, err := a.Apps.Published(r.Context(), x)
	if errs.Is(err, errs.NotFound) {
		return nil, nil //nolint:nilnil // the contract shows null
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"id": w.ID, "created_by": orNil(w.CreatedBy), "created_at": unix(w.CreatedAt),
		"updated_by": orNil(w.UpdatedBy), "updated_at": unix(w.UpdatedAt),
	}, nil
}

func (a *api) detail(r *http.Request, x app.App, keys []string) (map[string]any, error) {
	config, err := a.config(r, x)
	if err != nil {
		return nil, err
	}
	workflow, err := a.published(r, x)
	if err != nil {
		return nil, err
	}
	tags, err := a.Apps.Tags(r.Context(), x.TenantID, x.ID)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"id": x.ID, "name": x.Name, "description": x.Description, "mode": x.Mode, "icon": orNil(x.Icon),
		"icon_background": orNil(x.IconBackground), "enable_site": x.EnableSite, "enable_api": x.EnableAPI,
		"model_config": config, "workflow": workflow, "tracing": tracing(x), "use_icon_as_answer_icon": x.UseIconAsAnswerIcon,
		"created_by": orNil(x.CreatedBy), "created_at": unix(x.CreatedAt), "updated_by": orNil(x.UpdatedBy),
		"updated_at": unix(x.UpdatedAt), "access_mode": nil, "tags": tagList(tags[x.ID]), "permission_keys": keys,
		"maintainer": orNil(x.Maintainer),
	}, nil
}

func tagList(tags []app.Tag) []app.Tag {
	if tags == nil {
		return []app.Tag{}
	}
	return tags
}

// origin is the address that the request was made to.
func origin(r *http.Request) string {
	scheme := r.Header.Get("X-Forwarded-Proto")
	if scheme == "" {
		scheme = "http"
		if r.TLS != nil {
			scheme = "https"
		}
	}
	return scheme + "://" + r.Host
}

func (a *api) answerFull(w http.ResponseWriter, r *http.Request, status int, x app.App, keys []string) error {
	v, err := a.detail(r, x, keys)
	if err != nil {
		return err
	}
	service, web := a.ServiceURL, a.WebURL
	if service == "" {
		service = origin(r)
	}
	if web == "" {
		web = origin(r)
	}
	v["icon_type"], v["icon_url"] = orNil(x.IconType), nil
	v["api_base_url"] = strings.TrimRight(service, "/") + "/v1"
	v["max_active_requests"] = pointed(x.MaxActiveRequests)
	v["deleted_tools"], v["bound_agent_id"], v["app_id"] = []any{}, nil, nil
	site, err := a.Apps.Site(r.Context(), x.TenantID, x.ID)
	switch {
	case errs.Is(err, errs.NotFound):
		v["site"] = nil
	case err != nil:
		return err
	default:
		v["site"] = detailSite(site, web)
	}
	return edge.JSON(w, status, v)
}

func detailSite(s app.Site, web string) map[string]any {
	return map[string]any{
		"access_token": s.Code, "code": s.Code, "app_base_url": web, "title": s.Title, "icon_type": pointed(s.IconType),
		"icon": pointed(s.Icon), "icon_url": nil, "icon_background": pointed(s.IconBackground), "description": pointed(s.Description),
		"default_language": s.DefaultLanguage, "chat_color_theme": pointed(s.ChatColorTheme),
		"chat_color_theme_inverted": s.ChatColorThemeInverted, "customize_domain": pointed(s.CustomizeDomain),
		"copyright": pointed(s.Copyright), "privacy_policy": pointed(s.PrivacyPolicy), "custom_disclaimer": s.CustomDisclaimer,
		"input_placeholder": pointed(s.InputPlaceholder), "customize_token_strategy": s.CustomizeToken,
		"prompt_public": s.PromptPublic, "show_workflow_steps": s.ShowSteps, "use_icon_as_answer_icon": s.IconAsAnswer,
		"created_by": orNil(s.CreatedBy), "created_at": unix(s.CreatedAt), "updated_by": orNil(s.UpdatedBy), "updated_at": unix(s.UpdatedAt),
	}
}

// partials shows apps of a list.
func (a *api) partials(r *http.Request, p account.Principal, list []app.App) ([]map[string]any, error) {
	appIDs, authorIDs := make([]string, len(list)), []string{}
	for i, x := range list {
		appIDs[i] = x.ID
		if x.CreatedBy != "" {
			authorIDs = append(authorIDs, x.CreatedBy)
		}
	}
	tags, err := a.Apps.Tags(r.Context(), p.Tenant.ID, appIDs...)
	if err != nil {
		return nil, err
	}
	authors, err := a.Apps.Authors(r.Context(), authorIDs...)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(list))
	for i, x := range list {
		config, err := a.partialConfig(r, x)
		if err != nil {
			return nil, err
		}
		workflow, err := a.published(r, x)
		if err != nil {
			return nil, err
		}
		out[i] = map[string]any{
			"id": x.ID, "name": x.Name, "max_active_requests": pointed(x.MaxActiveRequests), "description": x.Description,
			"mode": x.Mode, "icon_type": orNil(x.IconType), "icon": orNil(x.Icon), "icon_background": orNil(x.IconBackground),
			"icon_url": nil, "model_config": config, "workflow": workflow, "use_icon_as_answer_icon": x.UseIconAsAnswerIcon,
			"created_by": orNil(x.CreatedBy), "created_at": unix(x.CreatedAt), "updated_by": orNil(x.UpdatedBy),
			"updated_at": unix(x.UpdatedAt), "tags": tagList(tags[x.ID]), "access_mode": nil, "create_user_name": nil,
			"author_name": orNil(authors[x.CreatedBy].Name), "has_draft_trigger": false, "is_starred": false,
			"maintainer": orNil(x.Maintainer), "permission_keys": allKeys(), "app_id": nil, "bound_agent_id": nil,
		}
	}
	return out, nil
}

func (a *api) partialConfig(r *http.Request, x app.App) (any, error) {
	full, err := a.config(r, x)
	o, ok := full.(*value.Object)
	if err != nil || !ok {
		return nil, err
	}
	out := map[string]any{}
	for _, key := range []string{"model", "pre_prompt", "created_by", "created_at", "updated_by", "updated_at"} {
		out[key] = o.Value(key)
	}
	return out, nil
}

func answerImport(w http.ResponseWriter, res app.ImportResult) error {
	status := http.StatusOK
	switch res.Status {
	case dsl.Pending:
		status = http.StatusAccepted
	case dsl.Failed:
		status = http.StatusBadRequest
	}
	return edge.JSON(w, status, res)
}

func (a *api) trace(w http.ResponseWriter, _ *http.Request, _ account.Principal, x app.App) error {
	if v := tracing(x); v != nil {
		return edge.OK(w, v)
	}
	return edge.OK(w, map[string]any{"enabled": false, "tracing_provider": nil})
}

func (a *api) changeTrace(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b struct {
		Enabled  *bool   `json:"enabled"`
		Provider *string `json:"tracing_provider"`
	}
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	var bad edge.Problems
	bad.Require("enabled", b.Enabled != nil)
	if err := bad.Err(); err != nil {
		return err
	}
	if *b.Enabled && deref(b.Provider) == "" {
		return errs.New(errs.InvalidParam, "enabled is True but tracing_provider is empty")
	}
	raw, err := json.Marshal(map[string]any{"enabled": *b.Enabled, "tracing_provider": b.Provider})
	if err != nil {
		return err
	}
	if _, err := a.Apps.Update(r.Context(), actor(p), x.ID, func(x *app.App) { x.Tracing = string(raw) }); err != nil {
		return err
	}
	return edge.Success(w, http.StatusOK)
}
