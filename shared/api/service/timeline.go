package service

import (
	"net/http"

	"github.com/millrace/millrace/shared/api/sse"
	"github.com/millrace/millrace/shared/run"
)

// timeline shows the journal of a run to whoever has the app's key.
func (a *api) timeline(w http.ResponseWriter, r *http.Request, app *App) error {
	v, err := a.findRun(r.Context(), &caller{app: app}, r.PathValue("workflow_run_id"))
	if err != nil {
		return err
	}
	return a.showTimeline(w, r, v, true)
}

func (a *api) showTimeline(w http.ResponseWriter, r *http.Request, v *run.View, stream bool) error {
	t := sse.Timeline{Runs: a.Runs, Clock: a.Clock, Ping: a.Ping, Run: v, Stream: stream}
	return t.Serve(w, r)
}
