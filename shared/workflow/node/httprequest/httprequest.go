// Package httprequest is the node that calls any HTTP API. Everything goes
// through a client of package egress; each try is one request, retries are the
// engine's.
//
// Files: config.go reads the configuration, request.go makes the request,
// response.go decides what the answer is, requestlog.go writes the request
// that users see, lenient.go repairs JSON. START HERE: node.Run.
package httprequest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/millrace/millrace/shared/egress"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Error types that users see and fail branches get.
const (
	typeRequest      = "HttpRequestNodeError"
	typeStatus       = "HTTPResponseCodeError"
	typeAuth         = "AuthorizationConfigError"
	typeURL          = "InvalidURLError"
	typeMethod       = "InvalidHttpMethodError"
	typeBody         = "RequestBodyError"
	typeFileFetch    = "FileFetchError"
	typeResponseSize = "ResponseSizeError"
)

// Files reads the files that requests carry and keeps those that answers are.
type Files interface {
	// Open returns the content of a file that a variable holds.
	Open(ctx context.Context, tenantID string, f *value.File) (io.ReadCloser, error)
	// SaveToolFile keeps content that a node produced.
	SaveToolFile(ctx context.Context, tenantID, userID, conversationID, mimeType string, data []byte) (*value.File, error)
}

// Options tunes the node type. Zero fields have the contract's defaults.
type Options struct {
	// Client makes the requests; Insecure those of nodes that do not check
	// certificates. Both come from package egress. Required.
	Client, Insecure *http.Client
	// Files is required.
	Files Files
	// MaxText and MaxBinary bound answers: 1 MiB and 10 MiB.
	MaxText, MaxBinary int64
	// Timeouts are the longest and the default times: 10, 600 and 600 seconds.
	Timeouts egress.Timeouts
	// SkipVerify is what nodes do about certificates that do not say it
	// themselves.
	SkipVerify bool
	// UserAgent is sent unless the node has its own; "" means Millrace.
	UserAgent string
}

type nodeType struct{ opts Options }

// New returns the node type.
func New(opts Options) workflow.Type {
	if opts.MaxText <= 0 {
		opts.MaxText = 1 << 20
	}
	if opts.MaxBinary <= 0 {
		opts.MaxBinary = 10 << 20
	}
	opts.Timeouts = egress.Timeouts{
		Connect: orDefault(opts.Timeouts.Connect, 10*time.Second),
		Read:    orDefault(opts.Timeouts.Read, 600*time.Second),
		Write:   orDefault(opts.Timeouts.Write, 600*time.Second),
	}
	if opts.UserAgent == "" {
		opts.UserAgent = "Millrace"
	}
	return nodeType{opts}
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// Name is the DSL's type string.
func (nodeType) Name() string { return "http-request" }

// Kind says that the node just runs.
func (nodeType) Kind() workflow.Kind { return workflow.KindExecutable }

// Effect is true: someone else notices.
func (nodeType) Effect() bool { return true }

// New parses the configuration.
func (t nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	c, err := parseConfig(cfg.Data)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", cfg.ID, err)
	}
	return &node{opts: t.opts, cfg: c, strict: cfg.Retry.Enabled || cfg.ErrorStrategy != workflow.StrategyNone}, nil
}

type node struct {
	opts Options
	cfg  *config
	// strict nodes fail for statuses other than 2xx: there is something that
	// deals with the failure.
	strict bool
}

// Run sends the request once.
func (n *node) Run(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	res := &workflow.Result{}
	req, err := n.build(ctx, x)
	if err != nil {
		return res, n.failure(ctx, err)
	}
	res.ProcessData = value.Obj("request", req.log(x.Pool.Secrets()))
	if !req.sendable() {
		return res, workflow.Fail(typeMethod, "Invalid http method "+req.method)
	}
	answer, err := n.send(ctx, x, req)
	if err != nil {
		return res, n.failure(ctx, err)
	}
	files := []any{}
	body := answer.text
	if answer.isFile {
		conversation := x.Run.ConversationID
		f, err := n.opts.Files.SaveToolFile(ctx, x.Run.TenantID, x.Run.UserID, conversation, answer.mime, answer.data)
		if err != nil {
			return res, n.failure(ctx, err)
		}
		files, body = append(files, f), ""
	}
	res.Outputs = value.Obj("status_code", int64(answer.status), "body", body, "headers", answer.headers, "files", files)
	if n.strict && (answer.status < 200 || answer.status > 299) {
		return res, workflow.Fail(typeStatus, fmt.Sprintf("Request failed with status code %d", answer.status))
	}
	return res, nil
}

func (n *node) send(ctx context.Context, x *workflow.Execution, r *request) (*answer, error) {
	client := n.opts.Client
	if skip := n.cfg.skipVerify; (skip == nil && n.opts.SkipVerify) || (skip != nil && *skip) {
		client = n.opts.Insecure
	}
	ctx = egress.WithTimeouts(ctx, n.timeouts())
	ctx, order := egress.WithHeaderOrder(ctx)
	if r.auth != nil {
		ctx = egress.WithPrivateHeaders(ctx, r.auth.key)
	}
	req, err := r.http(ctx)
	if err != nil {
		return nil, err
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", n.opts.UserAgent)
	}
	// A crash between sending and journalling repeats the try under the same
	// key; methods that may be repeated anyway need none.
	if (r.method == http.MethodPost || r.method == http.MethodPatch) && x.Key != "" && req.Header.Get("Idempotency-Key") == "" {
		req.Header.Set("Idempotency-Key", x.Key)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return n.read(resp, order.Names())
}

// timeouts are the node's own, within what is allowed.
func (n *node) timeouts() egress.Timeouts {
	within := func(own, limit time.Duration) time.Duration {
		if own <= 0 || own > limit {
			return limit
		}
		return own
	}
	return egress.Timeouts{
		Connect: within(n.cfg.timeouts.Connect, n.opts.Timeouts.Connect),
		Read:    within(n.cfg.timeouts.Read, n.opts.Timeouts.Read),
		Write:   within(n.cfg.timeouts.Write, n.opts.Timeouts.Write),
	}
}

// failure tells the user what went wrong, without what only the operator may
// know.
func (n *node) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var failed *workflow.Failure
	if errors.As(err, &failed) {
		return failed
	}
	return &workflow.Failure{Type: typeRequest, Message: explain(err), Cause: err}
}

func explain(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, egress.ErrForbidden):
		return "Access to the requested address is not allowed"
	case errors.Is(err, egress.ErrConnectTimeout):
		return "Connecting to the server timed out"
	case errors.Is(err, egress.ErrReadTimeout):
		return "The read operation timed out"
	case errors.As(err, &dns):
		return "Name or service not known: " + dns.Name
	case errors.As(err, &op):
		return "Connection failed: " + op.Err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "Server disconnected without sending a response."
	}
	return "Request failed: " + err.Error()
}
