package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/millrace/millrace/local/apiclient"
	"github.com/millrace/millrace/local/demo"
	"github.com/millrace/millrace/shared/clock"
)

const replayUsage = `usage: millrace replay RUN [flags]
       millrace replay-batch APP [flags]

Both talk to a server that runs already.

replay runs a workflow run again and shows what came out beside the original.
  --from NODE     keep the results of everything that does not lie behind NODE
  --draft         run the app's draft instead of the run's own version
  --version ID    run this version
  --inputs JSON   inputs to change; the others stay as they were

replay-batch runs the last runs of an app's users against the draft.
  --last N        how many (default 10, at most 100)
  --from NODE, --version ID as above

  --server URL    (default http://127.0.0.1:8080)
  --email, --password
                  who calls (default: the account of the demo)
`

// remote are the flags of commands that talk to a running server.
type remote struct {
	server, email, password string
	from, version, inputs   string
	draft                   bool
	last                    int
}

// replayCommand runs replay and replay-batch. Their object comes first.
func replayCommand(ctx context.Context, command string, args []string, out io.Writer) error {
	var o remote
	flags := flag.NewFlagSet("millrace "+command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.server, "server", "http://127.0.0.1:8080", "")
	flags.StringVar(&o.email, "email", demo.Email, "")
	flags.StringVar(&o.password, "password", demo.Password, "")
	flags.StringVar(&o.from, "from", "", "")
	flags.StringVar(&o.version, "version", "", "")
	flags.StringVar(&o.inputs, "inputs", "", "")
	flags.BoolVar(&o.draft, "draft", false, "")
	flags.IntVar(&o.last, "last", 10, "")
	id := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		id, args = args[0], args[1:]
	}
	err := flags.Parse(args)
	if id == "" && err == nil {
		id = flags.Arg(0)
	}
	if err != nil || id == "" {
		_, _ = fmt.Fprint(out, replayUsage)
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%s needs an id", command)
		}
		return err
	}
	if o.draft {
		o.version = "draft"
	}
	c := apiclient.New(o.server, nil)
	if _, err := c.Login(ctx, o.email, o.password); err != nil {
		return err
	}
	if command == "replay-batch" {
		return o.batch(ctx, c, id, out)
	}
	return o.one(ctx, c, id, out)
}

// side and comparison are what the server tells of two runs.
type side struct {
	RunID    string `json:"run_id"`
	Status   string
	Error    string
	Tokens   int64
	Price    string
	Currency string
	Elapsed  float64
}

type difference struct {
	Path, Kind    string
	Before, After json.RawMessage
}

type comparison struct {
	State, Refused string
	Before, After  side
	Same           bool
	Differences    []difference
}

func (o *remote) one(ctx context.Context, c *apiclient.Client, runID string, out io.Writer) error {
	var detail struct {
		AppID string `json:"app_id"`
	}
	if err := c.Console(ctx, http.MethodGet, "/runs/"+runID, nil, &detail); err != nil {
		return err
	}
	body := map[string]any{"from_node": o.from, "version": o.version, "response_mode": "blocking"}
	if o.inputs != "" {
		if !json.Valid([]byte(o.inputs)) {
			return errors.New("--inputs is no JSON")
		}
		body["inputs"] = json.RawMessage(o.inputs)
	}
	var answer struct{ Comparison comparison }
	if err := c.Console(ctx, http.MethodPost, "/apps/"+detail.AppID+"/workflow-runs/"+runID+"/replay", body, &answer); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "run  %s\nfrom %s\n\n", answer.Comparison.After.RunID, runID)
	if err != nil {
		return err
	}
	return table(out, []comparison{answer.Comparison})
}

// batchPoll is how often the report of a batch is asked for.
const batchPoll = 500 * time.Millisecond

func (o *remote) batch(ctx context.Context, c *apiclient.Client, appID string, out io.Writer) error {
	var made struct {
		ID   string
		Runs int
	}
	body := map[string]any{"last": o.last, "from_node": o.from, "version": o.version}
	if err := c.Console(ctx, http.MethodPost, "/apps/"+appID+"/workflow-runs/replay-batch", body, &made); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "batch %s: %d runs\n\n", made.ID, made.Runs); err != nil {
		return err
	}
	for {
		var report struct {
			Done                            bool
			Total, Same, Different, Refused int
			Runs                            []comparison
		}
		if err := c.Console(ctx, http.MethodGet, "/apps/"+appID+"/replay-batches/"+made.ID, nil, &report); err != nil {
			return err
		}
		if report.Done {
			if err := table(out, report.Runs); err != nil {
				return err
			}
			_, err := fmt.Fprintf(out, "\n%d the same, %d different, %d refused\n", report.Same, report.Different, report.Refused)
			return err
		}
		if err := clock.Sleep(ctx, clock.System{}, batchPoll); err != nil {
			return err
		}
	}
}

// table prints one line for each run and below it where its outputs differ.
func table(out io.Writer, list []comparison) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var p printer
	p.line(w, "RUN\tSTATUS\tOUTPUTS\tTOKENS\tPRICE\tSECONDS")
	for i := range list {
		c := &list[i]
		if c.Refused != "" {
			p.line(w, "%s\trefused\t-\t-\t-\t-", c.Before.RunID)
			continue
		}
		outputs := "same"
		if n := len(c.Differences); n > 0 {
			outputs = fmt.Sprintf("%d different", n)
		}
		p.line(w, "%s\t%s\t%s\t%s\t%s\t%s", c.Before.RunID, change(c.Before.Status, c.After.Status), outputs,
			change(fmt.Sprint(c.Before.Tokens), fmt.Sprint(c.After.Tokens)), change(c.Before.Price, c.After.Price),
			change(fmt.Sprintf("%.2f", c.Before.Elapsed), fmt.Sprintf("%.2f", c.After.Elapsed)))
	}
	if err := errors.Join(p.err, w.Flush()); err != nil {
		return err
	}
	for i := range list {
		why := list[i].Refused + list[i].After.Error
		if len(list[i].Differences) == 0 && why == "" {
			continue
		}
		p.line(out, "\n%s", list[i].Before.RunID)
		if why != "" {
			p.line(out, "  ! %s", why)
		}
		for _, d := range list[i].Differences {
			if d.Kind != "added" {
				p.line(out, "  - %s: %s", d.Path, d.Before)
			}
			if d.Kind != "removed" {
				p.line(out, "  + %s: %s", d.Path, d.After)
			}
		}
	}
	return p.err
}

func change(before, after string) string {
	if before == after {
		return before
	}
	return before + " -> " + after
}

// printer keeps the first error of many lines.
type printer struct{ err error }

func (p *printer) line(w io.Writer, format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(w, format+"\n", args...)
	}
}
