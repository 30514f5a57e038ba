// Package web is the door of the API behind apps' pages, under /api. It refuses
// who may not come in the way the contract does; what lies behind the door is
// not there yet and answers 501 through package edge.
//
// It makes no passports: a caller who names a page that exists gets 501 too.
//
// START HERE: Routes.
package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
)

// Sites knows apps' pages.
type Sites interface {
	// HasSite reports whether there is a page with that code that people may open.
	HasSite(ctx context.Context, code string) (bool, error)
}

// guarded are the routes that need a passport.
func guarded() []edge.Route {
	list := []edge.Route{
		{Method: "POST", Path: "/api/audio-to-text"}, {Method: "POST", Path: "/api/text-to-audio"},
		{Method: "POST", Path: "/api/chat-messages"}, {Method: "POST", Path: "/api/chat-messages/{task_id}/stop"},
		{Method: "POST", Path: "/api/completion-messages"}, {Method: "POST", Path: "/api/completion-messages/{task_id}/stop"},
		{Method: "GET", Path: "/api/conversations"}, {Method: "DELETE", Path: "/api/conversations/{c_id}"},
		{Method: "POST", Path: "/api/conversations/{c_id}/name"}, {Method: "PATCH", Path: "/api/conversations/{c_id}/pin"},
		{Method: "PATCH", Path: "/api/conversations/{c_id}/unpin"}, {Method: "POST", Path: "/api/files/upload"},
		{Method: "GET", Path: "/api/messages"}, {Method: "POST", Path: "/api/messages/{message_id}/feedbacks"},
		{Method: "GET", Path: "/api/messages/{message_id}/more-like-this"}, {Method: "GET", Path: "/api/messages/{message_id}/suggested-questions"},
		{Method: "GET", Path: "/api/meta"}, {Method: "GET", Path: "/api/parameters"}, {Method: "GET", Path: "/api/site"},
		{Method: "GET", Path: "/api/saved-messages"}, {Method: "POST", Path: "/api/saved-messages"},
		{Method: "DELETE", Path: "/api/saved-messages/{message_id}"}, {Method: "GET", Path: "/api/workflow/{task_id}/events"},
		{Method: "POST", Path: "/api/workflows/run"}, {Method: "POST", Path: "/api/workflows/tasks/{task_id}/stop"},
	}
	for i := range list {
		list[i].Handler = door
	}
	return list
}

// Routes returns the table.
func Routes(sites Sites) []edge.Route {
	return append(guarded(), edge.Route{
		Method: "GET", Path: "/api/passport", Handler: func(_ http.ResponseWriter, r *http.Request) error { return passport(r, sites) },
	})
}

// door turns away who has no passport.
func door(_ http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("X-App-Passport") != "" {
		return errs.New(errs.NotImplemented, "")
	}
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, "passport-") && c.Value != "" {
			return errs.New(errs.NotImplemented, "")
		}
	}
	return errs.New(errs.Unauthorized, "App token is missing.")
}

func passport(r *http.Request, sites Sites) error {
	code := r.Header.Get("X-App-Code")
	if code == "" {
		return errs.New(errs.Unauthorized, "X-App-Code header is missing.")
	}
	ok, err := sites.HasSite(r.Context(), code)
	if err != nil {
		return err
	}
	if !ok {
		return errs.New(errs.NotFound, "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.")
	}
	return errs.New(errs.NotImplemented, "")
}
