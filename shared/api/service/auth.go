package service

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// anonymousSession is the end user of requests that name none.
const anonymousSession = "DEFAULT-USER"

// where says which part of a request names the end user.
type where int

const (
	inQuery where = iota
	inQueryRequired
	inBody // of routes whose body may be absent
	inBodyRequired
	inForm
)

// key returns the API key of a request.
func key(r *http.Request) (string, error) {
	const missing = "Authorization header must be provided and start with 'Bearer'"
	scheme, token, ok := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	token = strings.TrimSpace(token)
	if !ok || token == "" {
		return "", errs.New(errs.Unauthorized, missing)
	}
	if !strings.EqualFold(scheme, "bearer") {
		return "", errs.New(errs.Unauthorized, "Authorization scheme must be 'Bearer'")
	}
	return token, nil
}

func invalidToken() error { return errs.New(errs.Unauthorized, "Access token is invalid") }

// forApp serves a route that needs an app's key and no end user.
func (a *api) forApp(h func(http.ResponseWriter, *http.Request, *App) error) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		app, err := a.app(r)
		if err != nil {
			return err
		}
		return h(w, r, app)
	}
}

func (a *api) app(r *http.Request) (*App, error) {
	token, err := key(r)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(token, "app-") {
		return nil, invalidToken()
	}
	return a.Apps.AppByKey(r.Context(), token)
}

// forUser serves a route that needs an app's key and an end user. The order of
// checks is the contract's: key, body, user; the handler looks at the rest.
func (a *api) forUser(from where, h func(http.ResponseWriter, *http.Request, *caller) error) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		app, err := a.app(r)
		if err != nil {
			return err
		}
		c := &caller{app: app}
		session := ""
		switch from {
		case inQuery, inQueryRequired:
			session = r.URL.Query().Get("user")
		case inForm:
			if err := a.parseForm(w, r); err != nil {
				return err
			}
			session = r.FormValue("user")
		case inBody, inBodyRequired:
			if c.body, err = readBody(r, from == inBodyRequired); err != nil {
				return err
			}
			if v := c.body.Value("user"); v != nil {
				session = value.Str(v)
			}
		}
		if session == "" && (from == inQueryRequired || from == inBodyRequired) {
			return errs.New(errs.InvalidParam, "Arg user must be provided.")
		}
		anonymous := session == ""
		if anonymous {
			session = anonymousSession
		}
		if c.user, err = a.Apps.EndUser(r.Context(), app.TenantID, app.ID, session, anonymous); err != nil {
			return err
		}
		return h(w, r, c)
	}
}

// readBody reads a JSON object. Without a body it returns an empty one where
// that is allowed.
func readBody(r *http.Request, required bool) (*value.Object, error) {
	var raw json.RawMessage
	read := edge.DecodeOptional
	if required {
		read = edge.Decode
	}
	if err := read(r, &raw); err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return value.NewObject(0), nil
	}
	v, err := value.Decode(raw)
	if err != nil {
		return nil, errs.Wrap(errs.BadRequest, err, "")
	}
	o, ok := v.(*value.Object)
	if !ok {
		return nil, errs.New(errs.InvalidParam, "the body must be a JSON object")
	}
	return o, nil
}

// needChat refuses apps without conversations.
func needChat(app *App) error {
	switch app.Mode {
	case modeChat, modeAgentChat, modeAgent, modeAdvancedChat:
		return nil
	}
	return errs.New(errs.NotChatApp, "")
}

// needWorkflow refuses apps that are no workflows.
func needWorkflow(app *App) error {
	if app.Mode != modeWorkflow {
		return errs.New(errs.NotWorkflowApp, "")
	}
	return nil
}

// The modes of apps.
const (
	modeWorkflow     = "workflow"
	modeAdvancedChat = "advanced-chat"
	modeChat         = "chat"
	modeAgentChat    = "agent-chat"
	modeAgent        = "agent"
	modeCompletion   = "completion"
)
