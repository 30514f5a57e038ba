// Package providers is the console's edge of model providers: the routes of the
// function console-providers (providers, custom models and their credentials,
// default models) and the icons that its answers link to.
//
// It decides nothing about models, that is package provider, and knows nothing
// of sessions: who calls comes from Deps.Auth. Credentials of a whole provider,
// preferred provider types and load balancing have no routes here, so that a
// router answers 501 for them.
//
// START HERE: Routes.
package providers

import (
	"context"
	"net/http"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/provider"
)

// Handler serves a route for a signed-in member of a workspace.
type Handler = console.Handler

// Deps are what the routes work with.
type Deps struct {
	// Providers answers. Required.
	Providers *provider.Service
	// Auth lets members of a workspace in and says who they are: it checks the
	// session, its CSRF token and that the account is ready. The method Member of
	// console.Auth does. Required.
	Auth func(next Handler) edge.Handler
}

type api struct{ *provider.Service }

// Routes returns the table of the function console-providers together with
// IconRoutes.
func Routes(d *Deps) []edge.Route {
	a := &api{d.Providers}
	const current = "/console/api/workspaces/current"
	const one = current + "/model-providers/{provider:path}"
	member := func(method, path string, h Handler) edge.Route {
		return edge.Route{Method: method, Path: path, Handler: d.Auth(h)}
	}
	admin := func(method, path string, h Handler) edge.Route { return member(method, path, adminOnly(h)) }
	return append([]edge.Route{
		member(http.MethodGet, current+"/model-providers", a.list),
		member(http.MethodGet, current+"/models/model-types/{model_type}", a.modelsOfType),
		member(http.MethodGet, current+"/default-model", a.defaultModel),
		admin(http.MethodPost, current+"/default-model", a.setDefaultModels),

		member(http.MethodGet, one+"/models", a.models),
		admin(http.MethodPost, one+"/models", a.addModel),
		admin(http.MethodDelete, one+"/models", a.deleteModel),
		// The contract lets every member switch models on and off.
		member(http.MethodPatch, one+"/models/enable", a.enable(true)),
		member(http.MethodPatch, one+"/models/disable", a.enable(false)),
		member(http.MethodGet, one+"/models/parameter-rules", a.parameterRules),

		member(http.MethodGet, one+"/models/credentials", a.credentials),
		admin(http.MethodPost, one+"/models/credentials", a.createCredential),
		admin(http.MethodPut, one+"/models/credentials", a.updateCredential),
		admin(http.MethodDelete, one+"/models/credentials", a.deleteCredential),
		admin(http.MethodPost, one+"/models/credentials/switch", a.switchCredential),
		member(http.MethodPost, one+"/models/credentials/validate", a.validateCredentials),
	}, IconRoutes(d.Providers)...)
}

// IconRoutes returns the route of icons, which needs no session. Its path lies
// among those of the function console-identity.
func IconRoutes(s *provider.Service) []edge.Route {
	a := &api{s}
	return []edge.Route{{Method: http.MethodGet,
		Path: "/console/api/workspaces/{tenant_id}/model-providers/{provider:path}/{icon_type}/{lang}", Handler: a.icon}}
}

func adminOnly(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		if err := console.CanManage(p); err != nil {
			return err
		}
		return next(w, r, p)
	}
}

// data is the contract's envelope of lists and single values.
type data[T any] struct {
	Data T `json:"data"`
}

// answer writes a value in its envelope.
func answer[T any](w http.ResponseWriter, v T, err error) error {
	if err != nil {
		return err
	}
	return edge.OK(w, data[T]{v})
}

// success writes the contract's answer to a change.
func success(w http.ResponseWriter, status int, err error) error {
	switch {
	case err != nil:
		return err
	case status == http.StatusNoContent:
		return edge.NoContent(w)
	}
	return edge.Success(w, status)
}

// typeParam reads the query parameter model_type.
func typeParam(q *edge.Query, required bool) string {
	t := q.Text("model_type")
	if q.Has("model_type") {
		checkType(&q.Problems, "model_type", t)
	} else if required {
		q.Require("model_type", false)
	}
	return t
}

// checkType notes a type that is none. Old names are not accepted here.
func checkType(p *edge.Problems, field, t string) {
	p.OneOf(field, t, string(llm.TypeLLM), string(llm.TypeTextEmbedding), string(llm.TypeRerank),
		string(llm.TypeSpeechToText), string(llm.TypeModeration), string(llm.TypeTTS))
}

func (a *api) list(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	q := edge.NewQuery(r)
	t := typeParam(q, false)
	if err := q.Err(); err != nil {
		return err
	}
	v, err := a.Providers(r.Context(), p.Tenant.ID, t)
	return answer(w, v, err)
}

func (a *api) modelsOfType(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	v, err := a.ModelsOfType(r.Context(), p.Tenant.ID, r.PathValue("model_type"))
	return answer(w, v, err)
}

func (a *api) defaultModel(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	q := edge.NewQuery(r)
	t := typeParam(q, true)
	if err := q.Err(); err != nil {
		return err
	}
	v, err := a.DefaultModel(r.Context(), p.Tenant.ID, t)
	return answer(w, v, err)
}

func (a *api) setDefaultModels(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var body defaultsBody
	if err := edge.Decode(r, &body); err != nil {
		return err
	}
	return success(w, http.StatusOK, a.SetDefaultModels(r.Context(), p.Tenant.ID, *body.Settings))
}

func (a *api) models(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	v, err := a.ProviderModels(r.Context(), p.Tenant.ID, r.PathValue("provider"))
	return answer(w, v, err)
}

func (a *api) addModel(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var body addModelBody
	if err := edge.Decode(r, &body); err != nil {
		return err
	}
	if body.balances() {
		return errs.New(errs.NotImplemented, "Load balancing of models is not available yet.")
	}
	if body.ConfigFrom == "custom-model" {
		if body.CredentialID == "" {
			return errs.New(errs.InvalidParam, "credential_id is required when configuring a custom-model")
		}
		err := a.UseModelCredential(r.Context(), p.Tenant.ID, r.PathValue("provider"), body.ref(), body.CredentialID)
		return success(w, http.StatusOK, err)
	}
	return edge.Success(w, http.StatusOK)
}

func (a *api) deleteModel(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var body modelBody
	if err := edge.Decode(r, &body); err != nil {
		return err
	}
	return success(w, http.StatusNoContent, a.DeleteModel(r.Context(), p.Tenant.ID, r.PathValue("provider"), body.ref()))
}

func (a *api) enable(on bool) Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		var body modelBody
		if err := edge.Decode(r, &body); err != nil {
			return err
		}
		return success(w, http.StatusOK, a.SetModelEnabled(r.Context(), p.Tenant.ID, r.PathValue("provider"), body.ref(), on))
	}
}

func (a *api) parameterRules(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	q := edge.NewQuery(r)
	q.Require("model", q.Has("model"))
	if err := q.Err(); err != nil {
		return err
	}
	v, err := a.ParameterRules(r.Context(), p.Tenant.ID, r.PathValue("provider"), q.Text("model"))
	return answer(w, v, err)
}

func (a *api) credentials(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	q := edge.NewQuery(r)
	q.Require("model", q.Has("model"))
	ref := provider.ModelRef{Model: q.Text("model"), Type: llm.ModelType(typeParam(q, true))}
	if err := q.Err(); err != nil {
		return err
	}
	v, err := a.ModelCredentials(r.Context(), p.Tenant.ID, r.PathValue("provider"), ref, q.Text("credential_id"))
	if err != nil {
		return err
	}
	return edge.OK(w, v)
}

func (a *api) createCredential(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var body credentialBody
	if err := edge.Decode(r, &body); err != nil {
		return err
	}
	err := a.CreateModelCredential(r.Context(), p.Tenant.ID, r.PathValue("provider"), body.ref(), body.input())
	return success(w, http.StatusCreated, err)
}

func (a *api) updateCredential(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var body updateBody
	if err := edge.Decode(r, &body); err != nil {
		return err
	}
	err := a.UpdateModelCredential(r.Context(), p.Tenant.ID, r.PathValue("provider"), body.ref(), *body.CredentialID, body.input())
	return success(w, http.StatusOK, err)
}

func (a *api) deleteCredential(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	return a.withCredential(w, r, p, http.StatusNoContent, a.DeleteModelCredential)
}

func (a *api) switchCredential(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	return a.withCredential(w, r, p, http.StatusOK, a.UseModelCredential)
}

func (a *api) withCredential(w http.ResponseWriter, r *http.Request, p account.Principal, status int,
	do func(ctx context.Context, tenantID, providerID string, ref provider.ModelRef, id string) error,
) error {
	var body credentialRefBody
	if err := edge.Decode(r, &body); err != nil {
		return err
	}
	return success(w, status, do(r.Context(), p.Tenant.ID, r.PathValue("provider"), body.ref(), *body.CredentialID))
}

// validateCredentials answers 200 in both cases: that credentials are refused is
// what was asked.
func (a *api) validateCredentials(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var body validateBody
	if err := edge.Decode(r, &body); err != nil {
		return err
	}
	err := a.ValidateModelCredentials(r.Context(), p.Tenant.ID, r.PathValue("provider"), body.ref(), *body.Credentials)
	if errs.Is(err, errs.InvalidParam) {
		return edge.OK(w, map[string]string{"result": "error", "error": errs.Public(err).Message})
	}
	return success(w, http.StatusOK, err)
}

func (a *api) icon(w http.ResponseWriter, r *http.Request) error {
	icon, media, err := a.Icon(r.PathValue("provider"), r.PathValue("icon_type"))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox") // an SVG is a document that could run scripts
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(icon) // the client is gone: nobody to tell
	return nil
}
