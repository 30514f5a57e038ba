package assemble

import (
	"github.com/millrace/millrace/shared/api/console/runs"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/postgres/replays"
)

// replayStore keeps which runs were made from which.
func replayStore(p *Platform) (*replays.Store, error) {
	return once(p, "replays", func() (*replays.Store, error) {
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		return replays.New(pool), nil
	})
}

// replayRoutes builds the routes that run runs again and show their journals.
func replayRoutes(p *Platform) (routes []edge.Route, err error) {
	d := runs.Deps{Clock: p.Clock, Logger: p.Logger, Ping: p.Config.Run.PingInterval}
	if d.Apps, err = appService(p); err != nil {
		return nil, err
	}
	if d.Auth, err = consoleAuth(p); err != nil {
		return nil, err
	}
	if d.Runs, err = runner(p); err != nil {
		return nil, err
	}
	if d.Replays, err = replayStore(p); err != nil {
		return nil, err
	}
	if d.History, err = historyService(p); err != nil {
		return nil, err
	}
	if d.Files, err = fileService(p); err != nil {
		return nil, err
	}
	if d.Usage, err = usageService(p); err != nil {
		return nil, err
	}
	return runs.Routes(d), nil
}
