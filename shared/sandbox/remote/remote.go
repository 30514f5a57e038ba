// Package remote runs user code on a sandbox service that speaks the contract's
// HTTP protocol (POST /v1/sandbox/run). It is a driver of package sandbox for
// machines that cannot jail code themselves, and for deployments that have such
// a service already. It isolates nothing: the service does.
package remote

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/sandbox/driver"
)

// DefaultAPIKey is the key of a service that nobody configured.
const DefaultAPIKey = "dify-sandbox"

// mark surrounds the result in what the program prints.
const mark = "<<RESULT>>"

// Options configure a Driver; the zero value is usable.
type Options struct {
	// APIKey is sent as X-Api-Key. Default DefaultAPIKey.
	APIKey string
	// Clock measures the time limit of a run. Default: the system's.
	Clock clock.Clock
}

// Driver calls a sandbox service.
type Driver struct {
	client *http.Client
	url    string
	opts   Options
}

var _ driver.Driver = (*Driver)(nil)

// Open returns a driver for the service at endpoint, for example
// "http://sandbox:8194". The client decides how the service is dialled and
// whether its certificate is checked. Nothing is called yet.
func Open(client *http.Client, endpoint string, opts Options) (*Driver, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("the address of the code sandbox: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("the address of the code sandbox must be an http or https URL, not %q", endpoint)
	}
	if opts.APIKey == "" {
		opts.APIKey = DefaultAPIKey
	}
	if opts.Clock == nil {
		opts.Clock = clock.System{}
	}
	return &Driver{client: client, url: u.JoinPath("v1/sandbox/run").String(), opts: opts}, nil
}

// Close does nothing: the client belongs to the caller.
func (d *Driver) Close() error { return nil }

// order and reply are the protocol's two messages.
type order struct {
	Language      string `json:"language"`
	Code          string `json:"code"`
	Preload       string `json:"preload"`
	EnableNetwork bool   `json:"enable_network"`
}

type reply struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    *struct {
		Stdout string `json:"stdout"`
		Error  string `json:"error"`
	} `json:"data"`
}

// Run sends one program to the service and reads the framed result.
func (d *Driver) Run(ctx context.Context, req *driver.Request) (*driver.Response, error) {
	o := order{EnableNetwork: req.EnableNetwork}
	switch req.Language {
	case driver.Python3:
		o.Language, o.Code = "python3", pythonProgram(req)
	case driver.JavaScript:
		o.Language, o.Code = "nodejs", javaScriptProgram(req)
	default:
		return nil, driver.Errorf(driver.Unsupported, "Unsupported language %s", req.Language)
	}
	body, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode the program: %w", err)
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	late := driver.Errorf(driver.Timeout, "The code ran longer than allowed.")
	go func() {
		select {
		case <-stop:
		case <-d.opts.Clock.After(req.Timeout):
			cancel(late)
		}
	}()
	rep, err := d.call(limited, body, req)
	switch {
	case err == nil:
		return result(rep, req)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("run code: %w", ctx.Err())
	case errors.Is(context.Cause(limited), late):
		return nil, late
	default:
		return nil, err
	}
}

func (d *Driver) call(ctx context.Context, body []byte, req *driver.Request) (*reply, error) {
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	hr.Header.Set("Content-Type", "application/json")
	hr.Header.Set("X-Api-Key", d.opts.APIKey)
	resp, err := d.client.Do(hr)
	if err != nil {
		return nil, unreachable("the service does not answer", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusServiceUnavailable {
		return nil, driver.Errorf(driver.Unavailable, "Code execution service is unavailable")
	}
	if resp.StatusCode != http.StatusOK {
		return nil, unreachable(fmt.Sprintf("Failed to execute code, got status code %d, please check if the sandbox service is running", resp.StatusCode), nil)
	}
	// The text is JSON inside JSON, so it may be several times as long.
	limit := 6*(req.MaxOutput+req.MaxStdout) + 1<<16
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, unreachable("the answer broke off", err)
	}
	if int64(len(raw)) > limit {
		return nil, driver.Errorf(driver.TooLarge, "The result of the code is larger than %d bytes.", req.MaxOutput)
	}
	var rep reply
	if err := json.Unmarshal(raw, &rep); err != nil {
		return nil, &driver.Error{Kind: driver.Internal, Message: "Failed to parse response", Cause: err}
	}
	if rep.Code != 0 {
		return nil, driver.Errorf(driver.Internal, "Got error code: %d. Got error msg: %s", rep.Code, rep.Message)
	}
	if rep.Data == nil {
		return nil, driver.Errorf(driver.Internal, "Failed to parse response")
	}
	return &rep, nil
}

func unreachable(cause string, err error) error {
	return &driver.Error{
		Kind:    driver.Unavailable,
		Message: "Failed to execute code, which is likely a network issue, please check if the sandbox service is running. ( Error: " + cause + " )",
		Cause:   err,
	}
}

// result cuts the result out of what the program printed: from the first mark
// to the last.
func result(rep *reply, req *driver.Request) (*driver.Response, error) {
	if rep.Data.Error != "" {
		return nil, driver.Errorf(driver.User, "%s", rep.Data.Error)
	}
	out := rep.Data.Stdout
	from, to := strings.Index(out, mark), strings.LastIndex(out, mark)
	if from < 0 || from == to {
		return nil, driver.Errorf(driver.User, "Failed to parse result: no result tag found in response. Response: %.200s...", out)
	}
	body := out[from+len(mark) : to]
	printed := out[:from] + strings.TrimPrefix(out[to+len(mark):], "\n")
	if int64(len(body)) > req.MaxOutput {
		return nil, driver.Errorf(driver.TooLarge, "The result of the code is larger than %d bytes.", req.MaxOutput)
	}
	if int64(len(printed)) > req.MaxStdout {
		return nil, driver.Errorf(driver.TooLarge, "The code printed more than %d bytes.", req.MaxStdout)
	}
	return &driver.Response{Output: json.RawMessage(body), Stdout: printed}, nil
}

// The programs carry their inputs as base64, so no input can end a string.

// pythonProgram calls main ten lines below the code's end, in the contract's
// words: both are part of tracebacks that users see.
func pythonProgram(req *driver.Request) string {
	return req.Code + `

import base64 as _base64, json as _json
inputs_obj = _json.loads(_base64.b64decode("` + base64.StdEncoding.EncodeToString(req.Inputs) + `").decode("utf-8"))





output_obj = main(**inputs_obj)
print("` + mark + `" + _json.dumps(output_obj, indent=4) + "` + mark + `")
`
}

func javaScriptProgram(req *driver.Request) string {
	return req.Code + `
;(function () {
  var show = function (r) { console.log("` + mark + `" + (JSON.stringify(r, null, 4) || "null") + "` + mark + `"); };
  var r = main(JSON.parse(Buffer.from("` + base64.StdEncoding.EncodeToString(req.Inputs) + `", "base64").toString("utf-8")));
  if (r && typeof r.then === "function") { r.then(show, function (e) { throw e; }); } else { show(r); }
})();
`
}
