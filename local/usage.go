package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"

	"github.com/millrace/millrace/local/apiclient"
	"github.com/millrace/millrace/local/demo"
)

const usageUsage = `usage: millrace usage [flags]

Shows what the apps of a running server used of models.
  --app ID        of one app (default: the whole workspace)
  --by GROUP      model, app, user, day or node (default model)
  --from, --to    dates (2026-01-31) or times; --to is not included

  --server URL    (default http://127.0.0.1:8080)
  --email, --password
                  who calls (default: the account of the demo)
`

// usageRow is one sum as the server tells it.
type usageRow struct {
	Provider, Model, Role, Day, Node string
	AppID                            string `json:"app_id"`
	UserID                           string `json:"user_id"`
	Calls                            int64
	PromptTokens                     int64  `json:"prompt_tokens"`
	CompletionTokens                 int64  `json:"completion_tokens"`
	TotalTokens                      int64  `json:"total_tokens"`
	TotalPrice                       string `json:"total_price"`
	Currency                         string
	Latency                          float64
}

func (r *usageRow) group() string {
	for _, s := range []string{r.Model, r.AppID, r.Day, r.Node} {
		if s != "" {
			return s
		}
	}
	if r.Role != "" {
		return r.Role + " " + r.UserID
	}
	return "total"
}

// usageCommand prints sums of usage.
func usageCommand(ctx context.Context, args []string, out io.Writer) error {
	var server, email, password, app, by, from, to string
	flags := flag.NewFlagSet("millrace usage", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&server, "server", "http://127.0.0.1:8080", "")
	flags.StringVar(&email, "email", demo.Email, "")
	flags.StringVar(&password, "password", demo.Password, "")
	flags.StringVar(&app, "app", "", "")
	flags.StringVar(&by, "by", "model", "")
	flags.StringVar(&from, "from", "", "")
	flags.StringVar(&to, "to", "", "")
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("usage takes no argument %q", flags.Arg(0))
	}
	if err != nil {
		_, _ = fmt.Fprint(out, usageUsage)
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	c := apiclient.New(server, nil)
	if _, err := c.Login(ctx, email, password); err != nil {
		return err
	}
	path := "/workspaces/current/usage"
	if app != "" {
		path = "/apps/" + url.PathEscape(app) + "/usage"
	}
	query := url.Values{"group_by": {by}}
	for name, v := range map[string]string{"from": from, "to": to} {
		if v != "" {
			query.Set(name, v)
		}
	}
	var answer struct {
		Data, Totals []usageRow
		Warnings     []string
	}
	if err := c.Console(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &answer); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var p printer
	p.line(w, "%s\tcalls\tprompt\tcompletion\ttokens\tprice\tseconds", by)
	for _, list := range [][]usageRow{answer.Data, answer.Totals} {
		for i := range list {
			r := &list[i]
			p.line(w, "%s\t%d\t%d\t%d\t%d\t%s %s\t%.2f", r.group(), r.Calls, r.PromptTokens, r.CompletionTokens, r.TotalTokens, r.TotalPrice, r.Currency, r.Latency)
		}
	}
	if err := errors.Join(p.err, w.Flush()); err != nil {
		return err
	}
	for _, text := range answer.Warnings {
		p.line(out, "! %s", text)
	}
	return p.err
}
