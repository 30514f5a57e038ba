package assemble

import (
	"context"
	"strings"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/web"
	"github.com/millrace/millrace/shared/cloudruntime"
)

// WebApp builds web-app.
func WebApp(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	if err := p.Config.Need("SECRET_KEY"); err != nil {
		return cloudruntime.Handlers{}, err
	}
	apps, err := appService(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	files, err := fileService(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	routes := web.Routes(web.Deps{
		Apps: apps, Files: files, SecretKey: p.Config.Security.SecretKey, Clock: p.Clock,
		MaxRunFiles: p.Config.Files.WorkflowFileLimit,
	})
	return cloudruntime.Handlers{HTTP: edge.NewRouter(routes, &edge.Options{
		Logger: p.Logger, Clock: p.Clock, CORS: pageOrigins(p.Config.Security.WebAPICORSOrigins),
	})}, nil
}

// pageOrigins lets pages of other origins call the web API. Cookies are taken
// only from origins that are named: with "*", any page that a visitor opens
// could otherwise act with the passports in their browser.
func pageOrigins(setting string) *edge.CORS {
	c := &edge.CORS{Headers: []string{"Content-Type", "Authorization", "Last-Event-ID", "X-App-Code", "X-App-Passport"}}
	all := false
	for origin := range strings.SplitSeq(setting, ",") {
		if origin = strings.TrimSpace(origin); origin != "" {
			c.Origins = append(c.Origins, origin)
			all = all || origin == "*"
		}
	}
	c.Credentials = !all
	return c
}
