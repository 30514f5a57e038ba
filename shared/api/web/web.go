// Package web is the API behind apps' pages, under /api: what a visitor's
// browser calls. A visitor gets a passport for a page (passport.go) and shows
// it with every other request (auth.go).
//
// Handlers parse, call the domain of apps and render. Forms that runs ask people
// need no passport: who has a form's token may answer it (forms.go). Workflows
// run through package service's VisitorRuns behind Guard. Chats, and the
// visitor's conversations, files and saved messages, are not there yet: behind
// the passport they answer 501.
//
// START HERE: Routes.
package web

import (
	"net/http"
	"strings"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/page"
	"github.com/millrace/millrace/shared/api/show"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Files tells the limits of uploads and signs links. *file.Service is one.
type Files interface {
	Signer() *file.Signer
	LimitsMB() (file, image, video, audio int64)
}

// Deps is what the API is made of. All but Clock and MaxRunFiles are required.
type Deps struct {
	Apps  *app.Service
	Files Files
	// SecretKey signs passports.
	SecretKey string
	// Clock is nil for the machine's.
	Clock clock.Clock
	// MaxRunFiles is shown as the limit of files in one run; 0 means 10.
	MaxRunFiles int
}

const defaultMaxRunFiles = 10

type api struct{ Deps }

// Routes returns the table.
func Routes(d Deps) []edge.Route {
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	if d.MaxRunFiles <= 0 {
		d.MaxRunFiles = defaultMaxRunFiles
	}
	a := &api{d}
	return append([]edge.Route{
		{Method: "GET", Path: "/api/passport", Handler: a.passport},
		{Method: "GET", Path: "/api/login/status", Handler: a.loginStatus},
		{Method: "GET", Path: "/api/system-features", Handler: systemFeatures},
		{Method: "GET", Path: "/api/webapp/access-mode", Handler: accessMode},

		{Method: "GET", Path: "/api/site", Handler: a.guard(a.site)},
		{Method: "GET", Path: "/api/parameters", Handler: a.guard(a.parameters)},
		{Method: "GET", Path: "/api/meta", Handler: a.guard(meta)},
	}, a.later()...)
}

// later are the routes behind the passport that are not there yet: who has none
// is refused, who has one learns that.
func (a *api) later() []edge.Route {
	list := []edge.Route{
		{Method: "POST", Path: "/api/audio-to-text"}, {Method: "POST", Path: "/api/text-to-audio"},
		{Method: "POST", Path: "/api/chat-messages"}, {Method: "POST", Path: "/api/chat-messages/{task_id}/stop"},
		{Method: "POST", Path: "/api/completion-messages"}, {Method: "POST", Path: "/api/completion-messages/{task_id}/stop"},
		{Method: "GET", Path: "/api/conversations"}, {Method: "DELETE", Path: "/api/conversations/{c_id:uuid}"},
		{Method: "POST", Path: "/api/conversations/{c_id:uuid}/name"}, {Method: "PATCH", Path: "/api/conversations/{c_id:uuid}/pin"},
		{Method: "PATCH", Path: "/api/conversations/{c_id:uuid}/unpin"},
		{Method: "POST", Path: "/api/files/upload"}, {Method: "POST", Path: "/api/remote-files/upload"},
		{Method: "GET", Path: "/api/remote-files/{url:path}"},
		{Method: "GET", Path: "/api/messages"}, {Method: "POST", Path: "/api/messages/{message_id:uuid}/feedbacks"},
		{Method: "GET", Path: "/api/messages/{message_id:uuid}/more-like-this"},
		{Method: "GET", Path: "/api/messages/{message_id:uuid}/suggested-questions"},
		{Method: "GET", Path: "/api/saved-messages"}, {Method: "POST", Path: "/api/saved-messages"},
		{Method: "DELETE", Path: "/api/saved-messages/{message_id:uuid}"},
	}
	h := a.guard(func(_ http.ResponseWriter, r *http.Request, v *visit) error {
		if m := v.access.App.Mode; (m == "workflow" || m == "completion") && ofChats(r.URL.Path) {
			return errs.New(errs.NotChatApp, "")
		}
		return errs.New(errs.NotImplemented, "")
	})
	for i := range list {
		list[i].Handler = h
	}
	return list
}

// ofChats reports whether only apps that hold conversations have a route.
func ofChats(path string) bool {
	return strings.HasPrefix(path, "/api/conversations") || strings.HasPrefix(path, "/api/chat-messages") || path == "/api/messages"
}

// site tells the page which app it is for, and how it looks.
func (a *api) site(w http.ResponseWriter, _ *http.Request, v *visit) error {
	if v.access.Archived() {
		return errs.New(errs.Forbidden, "")
	}
	return edge.OK(w, about(v.access, v.user.ID, a.Files.Signer()))
}

// about tells which app a page is for; userID is nil where nobody is known.
func about(x app.SiteAccess, userID any, signer page.Signer) *value.Object {
	looks := page.Site(x.Site, signer)
	looks.Set("prompt_public", x.Site.PromptPublic)
	return value.Obj(
		"app_id", x.App.ID, "end_user_id", userID, "mode", x.App.Mode, "enable_site", x.App.EnableSite,
		"site", looks, "model_config", nil, "plan", x.TenantPlan, "can_replace_logo", false, "custom_config", nil,
	)
}

// parameters tells the page the app's form and features.
func (a *api) parameters(w http.ResponseWriter, r *http.Request, v *visit) error {
	d, err := a.definition(r, v.access.App)
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.InvalidParam) {
		return errs.New(errs.AppUnavailable, "")
	}
	if err != nil {
		return err
	}
	l := page.Limits{RunFiles: int64(a.MaxRunFiles)}
	l.File, l.Image, l.Video, l.Audio = a.Files.LimitsMB()
	return edge.OK(w, page.Parameters(d, l))
}

func (a *api) definition(r *http.Request, x app.App) (page.Definition, error) {
	if x.HasWorkflow() {
		w, err := a.Apps.Published(r.Context(), x)
		if err != nil {
			return page.Definition{}, err
		}
		return page.OfWorkflow([]byte(w.Graph), []byte(w.Features))
	}
	c, err := a.Apps.ModelConfig(r.Context(), x.TenantID, x.ID)
	if err != nil {
		return page.Definition{}, err
	}
	return page.OfConfig(c), nil
}

func meta(w http.ResponseWriter, _ *http.Request, _ *visit) error { return edge.OK(w, page.Meta()) }

func systemFeatures(w http.ResponseWriter, _ *http.Request) error {
	return edge.OK(w, show.SystemFeatures())
}

// accessMode tells who may open a page: everybody, where the edition has no
// sign-in for pages.
func accessMode(w http.ResponseWriter, _ *http.Request) error {
	return edge.OK(w, value.Obj("accessMode", "public"))
}
