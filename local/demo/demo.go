// Package demo drives a running server the way a person with curl would: it
// does the first-time setup, configures a model, imports the example apps,
// runs one and prints the stream as it comes.
//
// It uses the public HTTP API only (package apiclient); nothing in it reaches
// into the server. The command around it is local's.
package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/millrace/millrace/local/apiclient"
	"github.com/millrace/millrace/shared/clock"
)

// The demo account. The server listens on loopback and the data is a demo's, so
// that the password may be printed.
const (
	Email    = "demo@example.com"
	Password = "millrace-demo-1"
)

// Options says what to run against which server.
type Options struct {
	// API reaches the server.
	API *apiclient.Client
	// Apps holds the example apps, *.yml.
	Apps fs.FS
	// Model is configured for the apps; Mock says that its answers are made up.
	Model apiclient.Model
	Mock  bool
	// Out gets the story of what happens.
	Out io.Writer
	// Clock times the printed events.
	Clock clock.Clock
}

// What the example files carry and the demo replaces.
const (
	modelInExamples   = "name: demo-chat"
	addressInExamples = "http://127.0.0.1:8080"
)

type demo struct{ Options }

// Run plays the demo once. It may be run again on the same data; the examples
// are then imported again.
func Run(ctx context.Context, o Options) error {
	d := &demo{o}
	made, err := d.API.Login(ctx, Email, Password)
	if err != nil {
		return fmt.Errorf("log in as %s: %w (does the data folder belong to another account? choose a new one with --data)", Email, err)
	}
	if made {
		d.say("account    %s / %s", Email, Password)
	}
	if err := d.API.UseModel(ctx, d.Model); err != nil {
		return fmt.Errorf("configure the model: %w", err)
	}
	if d.Mock {
		d.say("model      %s, a built-in mock that makes its answers up (set OPENAI_API_KEY for a real one)", d.Model.Name)
	} else {
		d.say("model      %s at %s", d.Model.Name, d.Model.BaseURL)
	}
	keys, err := d.importApps(ctx)
	if err != nil {
		return fmt.Errorf("import the examples: %w", err)
	}
	return d.runTriage(ctx, keys)
}

// importApps imports and publishes each example and returns its API key by file
// name.
func (d *demo) importApps(ctx context.Context) (map[string]string, error) {
	files, err := fs.Glob(d.Apps, "*.yml")
	if err != nil {
		return nil, err
	}
	keys := map[string]string{}
	for _, file := range files {
		text, err := fs.ReadFile(d.Apps, file)
		if err != nil {
			return nil, err
		}
		dsl := strings.NewReplacer(modelInExamples, "name: "+d.Model.Name, addressInExamples, d.API.Base).Replace(string(text))
		app, err := d.API.Import(ctx, dsl)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		keys[strings.TrimSuffix(path.Base(file), ".yml")] = app.Key
		d.say("imported   examples/%-20s key %s", file, app.Key)
	}
	return keys, nil
}

func (d *demo) runTriage(ctx context.Context, keys map[string]string) error {
	body := map[string]any{
		"inputs": map[string]any{
			"subject": "The site is down", "message": "Since nine o'clock our customers cannot order. Please help!",
		},
		"response_mode": "streaming", "user": "demo",
	}
	key := keys["support-triage"]
	d.say("\nrunning    support-triage, streamed:\n")
	start := d.Clock.Now()
	p := &printer{out: d.Out, since: func() int64 { return clock.Since(d.Clock, start).Milliseconds() }}
	err := d.API.Stream(ctx, key, "/v1/workflows/run", body, func(ev apiclient.Event) error { return p.event(ev) })
	if err != nil {
		return err
	}
	if !p.done {
		return errors.New("the stream ended before the run did")
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	base := d.API.Base
	d.say("\nrepeat it  curl -N %s/v1/workflows/run \\\n             -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \\\n             -d '%s'",
		base, key, strings.ReplaceAll(string(raw), "'", `'\''`))
	d.say("chat       curl -N %s/v1/chat-messages \\\n             -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \\\n             -d '{\"inputs\":{},\"query\":\"How do I return a lamp?\",\"response_mode\":\"streaming\",\"user\":\"demo\"}'",
		base, keys["shop-assistant"])
	d.say("look       curl %s/v1/workflows/logs -H 'Authorization: Bearer %s'", base, key)
	return nil
}

// printer shows events as they arrive.
type printer struct {
	out    io.Writer
	since  func() int64 // milliseconds
	inText bool
	done   bool
}

func (p *printer) event(ev apiclient.Event) error {
	if p.inText && ev.Name != "text_chunk" {
		_, _ = fmt.Fprintln(p.out)
		p.inText = false
	}
	var body struct {
		Data struct {
			Title, Status string
			NodeType      string `json:"node_type"`
			Text          string
			Error         *string
			Outputs       json.RawMessage
			Elapsed       float64 `json:"elapsed_time"`
		}
	}
	if err := json.Unmarshal(ev.Data, &body); err != nil {
		return fmt.Errorf("the stream holds something that is not JSON: %w", err)
	}
	data, at := body.Data, fmt.Sprintf("  %5d ms  ", p.since())
	switch ev.Name {
	case "text_chunk":
		if !p.inText && strings.TrimSpace(data.Text) != "" {
			_, _ = fmt.Fprint(p.out, at, "text      ")
			p.inText = true
		}
		if p.inText {
			_, _ = fmt.Fprint(p.out, data.Text)
		}
	case "node_finished":
		_, _ = fmt.Fprintf(p.out, "%snode      %-36s %s (%.1f ms)\n", at, data.Title+" ["+data.NodeType+"]", data.Status, data.Elapsed*1000)
	case "workflow_finished":
		p.done = true
		_, _ = fmt.Fprintf(p.out, "%sfinished  %s\n%s\n", at, data.Status, indent(data.Outputs))
		if data.Status != "succeeded" {
			reason := data.Status
			if data.Error != nil {
				reason = *data.Error
			}
			return fmt.Errorf("the run did not succeed: %s", reason)
		}
	case "error":
		return fmt.Errorf("the run ended with an error: %s", ev.Data)
	}
	return nil
}

func indent(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "             ", "  ") != nil {
		return string(raw)
	}
	return "             " + b.String()
}

func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.Out, format+"\n", args...) }
