package assemble

import (
	"context"
	"io"
	"net/http"

	"github.com/millrace/millrace/shared/api/console/tools"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/postgres/workflowtools"
	"github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/builtin"
	"github.com/millrace/millrace/shared/tool/builtin/audiotool"
	"github.com/millrace/millrace/shared/tool/builtin/codetool"
	"github.com/millrace/millrace/shared/tool/builtin/timetool"
	"github.com/millrace/millrace/shared/tool/builtin/webtool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/workflowtool"
)

// toolService has the tools of every provider type: adding one is a line here.
func toolService(p *Platform) (*tool.Service, error) {
	return once(p, "tools", func() (*tool.Service, error) {
		files, err := fileService(p)
		if err != nil {
			return nil, err
		}
		models, err := providerService(p)
		if err != nil {
			return nil, err
		}
		box, err := openSandbox(p)
		if err != nil {
			return nil, err
		}
		published, err := workflowTools(p)
		if err != nil {
			return nil, err
		}
		return tool.New(tool.Options{
			Runtimes: map[tool.ProviderType]driver.Runtime{
				driver.Workflow: workflowtool.NewRuntime(published, func() (workflowtool.Runs, error) { return runner(p) }),
				driver.Builtin: builtin.New(
					audiotool.New(models, files), codetool.New(box), timetool.New(p.Clock), webtool.New(p.Egress(), models),
				),
			},
			Files: files, Fetch: fetcher(p.Egress()),
		}), nil
	})
}

// workflowTools knows the workflows that are published as tools.
func workflowTools(p *Platform) (*workflowtool.Service, error) {
	return once(p, "workflow-tools", func() (*workflowtool.Service, error) {
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		apps, err := appService(p)
		if err != nil {
			return nil, err
		}
		return workflowtool.New(workflowtool.Deps{Store: workflowtools.New(pool), Apps: apps, Clock: p.Clock}), nil
	})
}

// toolRoutes builds the routes of tools.
func toolRoutes(p *Platform) (routes []edge.Route, err error) {
	d := tools.Deps{ConsoleURL: p.Config.URLs.ConsoleAPI}
	if d.Tools, err = toolService(p); err != nil {
		return nil, err
	}
	if d.Workflows, err = workflowTools(p); err != nil {
		return nil, err
	}
	auth, err := consoleAuth(p)
	if err != nil {
		return nil, err
	}
	d.Auth = auth.Member
	return tools.Routes(&d), nil
}

// fetcher downloads what a tool names by URL. The client bounds its size.
func fetcher(client *http.Client) func(context.Context, string) ([]byte, string, error) {
	return func(ctx context.Context, url string) ([]byte, string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, "", errs.Wrap(errs.InvalidParam, err, "the address is not valid")
		}
		res, err := client.Do(req)
		if err != nil {
			return nil, "", errs.Wrap(errs.InvalidParam, err, "the server cannot be reached")
		}
		defer res.Body.Close() //nolint:errcheck // read to the end, or given up
		if res.StatusCode >= http.StatusBadRequest {
			return nil, "", errs.Newf(errs.InvalidParam, "the server answered %s", res.Status)
		}
		data, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, "", errs.Wrap(errs.InvalidParam, err, "the content cannot be read")
		}
		return data, res.Header.Get("Content-Type"), nil
	}
}
