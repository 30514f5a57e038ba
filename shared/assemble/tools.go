package assemble

import (
	"context"
	"io"
	"net/http"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/builtin"
	"github.com/millrace/millrace/shared/tool/builtin/audiotool"
	"github.com/millrace/millrace/shared/tool/builtin/codetool"
	"github.com/millrace/millrace/shared/tool/builtin/timetool"
	"github.com/millrace/millrace/shared/tool/builtin/webtool"
	"github.com/millrace/millrace/shared/tool/driver"
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
		return tool.New(tool.Options{
			Runtimes: map[tool.ProviderType]driver.Runtime{
				driver.Builtin: builtin.New(
					audiotool.New(models, files), codetool.New(box), timetool.New(p.Clock), webtool.New(p.Egress(), models),
				),
			},
			Files: files, Fetch: fetcher(p.Egress()),
		}), nil
	})
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
