package assemble

import (
	usageroutes "github.com/millrace/millrace/shared/api/console/usage"
	"github.com/millrace/millrace/shared/api/edge"
	usagestore "github.com/millrace/millrace/shared/postgres/usage"
	"github.com/millrace/millrace/shared/usage"
)

// usageService answers for usage and keeps budgets.
func usageService(p *Platform) (*usage.Service, error) {
	return once(p, "usage", func() (*usage.Service, error) {
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		return usage.New(usagestore.New(pool), p.Clock), nil
	})
}

// usageRoutes builds the routes of metering.
func usageRoutes(p *Platform) (routes []edge.Route, err error) {
	var d usageroutes.Deps
	if d.Apps, err = appService(p); err != nil {
		return nil, err
	}
	if d.Auth, err = consoleAuth(p); err != nil {
		return nil, err
	}
	if d.Usage, err = usageService(p); err != nil {
		return nil, err
	}
	return usageroutes.Routes(d), nil
}
