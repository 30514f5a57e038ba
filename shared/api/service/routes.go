package service

import (
	"net/http"
	"strings"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
)

// ChatMessages serves the function chat-messages: chat and completion requests
// and their stops.
func ChatMessages(d Deps) http.Handler {
	a := newAPI(d)
	return a.router([]edge.Route{
		{Method: "POST", Path: "/v1/chat-messages", Handler: a.forUser(inBodyRequired, a.chatMessage)},
		{Method: "POST", Path: "/v1/chat-messages/{task_id}/stop", Handler: a.forUser(inBodyRequired, a.stopChat)},
		{Method: "POST", Path: "/v1/completion-messages", Handler: a.forUser(inBodyRequired, a.completionMessage)},
		{Method: "POST", Path: "/v1/completion-messages/{task_id}/stop", Handler: a.forUser(inBodyRequired, a.stopCompletion)},
	})
}

// WorkflowRun serves the function workflow-run: runs of workflows, their stops
// and the streams of runs that are under way.
func WorkflowRun(d Deps) http.Handler {
	a := newAPI(d)
	return a.router([]edge.Route{
		{Method: "POST", Path: "/v1/workflows/run", Handler: a.forUser(inBodyRequired, a.runWorkflow)},
		{Method: "POST", Path: "/v1/workflows/{workflow_id}/run", Handler: a.forUser(inBodyRequired, a.runWorkflow)},
		{Method: "POST", Path: "/v1/workflows/tasks/{task_id}/stop", Handler: a.forUser(inBodyRequired, a.stopWorkflow)},
		{Method: "GET", Path: "/v1/workflow/{task_id}/events", Handler: a.forUser(inQueryRequired, a.events)},
		{Method: "GET", Path: "/v1/workflows/run/{workflow_run_id}/events", Handler: a.forApp(a.timeline)},
		{Method: "GET", Path: "/v1/form/human_input/{form_token}", Handler: a.forApp(a.humanForm)},
		{Method: "POST", Path: "/v1/form/human_input/{form_token}", Handler: a.forUser(inBodyRequired, a.submitHumanForm)},
	})
}

// VisitorRuns are the routes by which visitors of an app's page run it. guard
// finds out who a visitor is, and of which app.
func VisitorRuns(d Deps, guard func(next func(w http.ResponseWriter, r *http.Request, app *App, user EndUser) error) edge.Handler) []edge.Route {
	a := newAPI(d)
	visitor := func(body bool, h func(http.ResponseWriter, *http.Request, *caller) error) edge.Handler {
		return guard(func(w http.ResponseWriter, r *http.Request, app *App, user EndUser) error {
			c := &caller{app: app, user: user, visitor: true}
			if body {
				var err error
				if c.body, err = readBody(r, true); err != nil {
					return err
				}
			}
			return h(w, r, c)
		})
	}
	return []edge.Route{
		{Method: "POST", Path: "/api/workflows/run", Handler: visitor(true, a.runForVisitor)},
		{Method: "POST", Path: "/api/workflows/tasks/{task_id}/stop", Handler: visitor(false, a.stopWorkflow)},
		{Method: "GET", Path: "/api/workflow/{task_id}/events", Handler: visitor(false, a.events)},
	}
}

// Rest serves the function service-api: everything else under /v1.
func Rest(d Deps) http.Handler {
	a := newAPI(d)
	return a.router([]edge.Route{
		{Method: "GET", Path: "/v1/", Handler: notFound},
		{Method: "GET", Path: "/v1/info", Handler: a.forApp(a.info)},
		{Method: "GET", Path: "/v1/parameters", Handler: a.forApp(a.parameters)},
		{Method: "GET", Path: "/v1/meta", Handler: a.forApp(a.meta)},
		{Method: "GET", Path: "/v1/site", Handler: a.forApp(a.site)},
		{Method: "GET", Path: "/v1/end-users/{end_user_id:uuid}", Handler: a.forApp(a.endUser)},

		{Method: "GET", Path: "/v1/workflows/run/{workflow_run_id}", Handler: a.forApp(a.runDetail)},
		{Method: "GET", Path: "/v1/workflows/logs", Handler: a.forApp(a.logs)},

		{Method: "GET", Path: "/v1/conversations", Handler: a.forUser(inQuery, a.conversations)},
		{Method: "DELETE", Path: "/v1/conversations/{c_id:uuid}", Handler: a.forUser(inBody, a.deleteConversation)},
		{Method: "POST", Path: "/v1/conversations/{c_id:uuid}/name", Handler: a.forUser(inBody, a.renameConversation)},
		{Method: "GET", Path: "/v1/conversations/{c_id:uuid}/variables", Handler: a.forUser(inQuery, a.variables)},
		{Method: "PUT", Path: "/v1/conversations/{c_id:uuid}/variables/{variable_id:uuid}", Handler: a.forUser(inBody, a.setVariable)},
		{Method: "GET", Path: "/v1/messages", Handler: a.forUser(inQuery, a.messages)},
		{Method: "POST", Path: "/v1/messages/{message_id:uuid}/feedbacks", Handler: a.forUser(inBodyRequired, a.rate)},
		{Method: "GET", Path: "/v1/messages/{message_id:uuid}/suggested", Handler: a.forUser(inQueryRequired, a.suggested)},
		{Method: "GET", Path: "/v1/app/feedbacks", Handler: a.forApp(a.feedbacks)},
		{Method: "GET", Path: "/v1/apps/annotations", Handler: a.forApp(a.annotations)},

		{Method: "POST", Path: "/v1/files/upload", Handler: a.forUser(inForm, a.upload)},
		{Method: "GET", Path: "/v1/files/{file_id}/preview", Handler: a.forUser(inQuery, a.preview)},
		{Method: "POST", Path: "/v1/text-to-audio", Handler: a.forUser(inBody, a.speak)},

		{Method: "GET", Path: "/v1/datasets", Handler: datasetOnly},
		{Method: "POST", Path: "/v1/datasets", Handler: datasetOnly},
		{Method: "GET", Path: "/v1/workspaces/current/models/model-types/{model_type}", Handler: a.models},
	})
}

func (a *api) router(routes []edge.Route) http.Handler {
	return edge.NewRouter(routes, &edge.Options{
		Logger: a.Logger, Clock: a.Clock, MaxBody: a.maxBody(),
		CORS: &edge.CORS{Origins: []string{"*"}, Headers: []string{"Content-Type", "Authorization", "Last-Event-ID", "X-App-Code"}},
	})
}

// maxBody lets through the largest upload and the form around it.
func (a *api) maxBody() int64 {
	const usual = 16 << 20
	if a.Files == nil {
		return usual
	}
	return max(usual, a.Files.MaxUpload()+1<<20)
}

func notFound(w http.ResponseWriter, _ *http.Request) error {
	edge.NotFoundPage(w)
	return nil
}

// models lists the workspace's models of a type, for whoever has a knowledge
// key.
func (a *api) models(w http.ResponseWriter, r *http.Request) error {
	token, err := key(r)
	if err != nil {
		return err
	}
	tenantID, err := a.Apps.WorkspaceByKey(r.Context(), token)
	if err != nil {
		return err
	}
	list, err := a.Models.ModelsOfType(r.Context(), tenantID, r.PathValue("model_type"))
	if err != nil {
		return err
	}
	return edge.JSON(w, http.StatusOK, map[string]any{"data": list})
}

// datasetOnly keeps apps' keys away from routes that need a dataset key; who
// has one learns that they are not there yet.
func datasetOnly(_ http.ResponseWriter, r *http.Request) error {
	token, err := key(r)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(token, "dataset-") && !strings.HasPrefix(token, "ds-") {
		return invalidToken()
	}
	return errs.New(errs.NotImplemented, "")
}
