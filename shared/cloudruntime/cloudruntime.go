// Package cloudruntime runs one function on whatever platform started it: it
// turns the platform's event into a call of an http.Handler or a TaskHandler
// and the result into the platform's answer.
//
// Two platforms are spoken: plain HTTP (a laptop, Cloud Run, Knative, Azure
// custom handlers, Function Compute) and AWS Lambda, where one entry takes API
// Gateway v1 and v2, load balancer and Function URL requests, SQS batches,
// EventBridge schedules and direct calls, with buffered or streamed answers.
//
// It is not a router and knows no function: which routes and queues a function
// serves is package catalogue's, what they do is wired by package assemble.
// START HERE: Serve. Then lambda.go for Lambda, plainhttp.go for the rest.
package cloudruntime

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
)

// Kind tells what set a task off.
type Kind string

// The kinds of task.
const (
	KindQueue    Kind = "queue"
	KindSchedule Kind = "schedule"
	KindDirect   Kind = "direct"
)

// Task is one unit of work that did not come in as an HTTP request.
type Task struct {
	Kind Kind
	// Source is the queue's catalogue name, the schedule's rule, or "" for a direct call.
	Source string
	// ID is the message's or the invocation's identity; a redelivery has the same one.
	ID   string
	Body []byte
	// Attributes is the message's metadata, trace context included.
	Attributes map[string]string
	// Attempt counts deliveries from 1; 0 where the platform does not tell.
	Attempt int
}

// TaskHandler does one task. The returned bytes answer a direct call and are
// dropped otherwise. An error makes the message be delivered again.
type TaskHandler func(ctx context.Context, task Task) ([]byte, error)

// Handlers is what a function serves; either field may be nil.
type Handlers struct {
	HTTP http.Handler
	Task TaskHandler
}

// Platform is how the process is being called.
type Platform string

// The platforms.
const (
	PlatformHTTP   Platform = "http"
	PlatformLambda Platform = "lambda"
)

// Options say how to serve. The zero value serves plain HTTP on 127.0.0.1:8080.
type Options struct {
	// Function is the catalogue name, for logs.
	Function string
	// Platform is usually Detect's result; empty means plain HTTP.
	Platform Platform
	// Addr is the plain HTTP address; empty means 127.0.0.1:8080.
	Addr string
	// Listener replaces Addr where the caller has bound the port already.
	Listener net.Listener
	// Streaming says that the deployment's integration streams answers. A
	// Lambda event does not tell, so the deployment's settings must.
	Streaming bool
	// Queues are the catalogue names of the queues the function consumes.
	Queues []string
	// TaskToken guards the plain HTTP task routes; see TasksTrusted.
	TaskToken string
	// TasksTrusted says that the platform authenticates callers of the task
	// routes itself (Cloud Run's invoker permission, say). With neither this
	// nor a token, the task routes refuse everybody.
	TasksTrusted bool
	// TimeLimit bounds a plain HTTP request or task; 0 is no limit. Lambda
	// brings its own deadline with each event.
	TimeLimit time.Duration
	// DrainTimeout is how long live requests may go on after the stop signal;
	// 0 means 25 s on plain HTTP and 2 s on Lambda.
	DrainTimeout time.Duration
	// AfterInvoke runs after the answer is sent and before the platform may
	// freeze the process: the place to flush telemetry.
	AfterInvoke func(ctx context.Context)
	// Logger gets one line per failed invocation; nil means slog.Default.
	Logger *slog.Logger
	// Propagator reads the caller's trace context; nil means W3C Trace Context.
	Propagator propagation.TextMapPropagator
	// Clock is for waiting; nil means the machine's.
	Clock clock.Clock
}

func (o Options) withDefaults() Options {
	if o.Platform == "" {
		o.Platform = PlatformHTTP
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:8080"
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 25 * time.Second
		if o.Platform == PlatformLambda {
			o.DrainTimeout = 2 * time.Second
		}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Propagator == nil {
		o.Propagator = propagation.TraceContext{}
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	return o
}

// Detect reads what platforms put into the environment through lookup and
// returns the platform and the address to listen on. Lambda wins over ports
// because a Lambda environment may carry a PORT of the user's own.
func Detect(lookup func(name string) (string, bool)) (Platform, string) {
	if v, ok := lookup("AWS_LAMBDA_RUNTIME_API"); ok && v != "" {
		return PlatformLambda, ""
	}
	for _, name := range []string{"FUNCTIONS_CUSTOMHANDLER_PORT", "FC_SERVER_PORT", "PORT"} {
		if v, ok := lookup(name); ok && v != "" {
			return PlatformHTTP, ":" + v
		}
	}
	return PlatformHTTP, "127.0.0.1:8080"
}

// Serve answers until ctx ends (the stop signal), then lets live requests and
// tasks finish within the drain time. Handlers see the coming stop through
// Stopping and the platform's time limit as their context's deadline.
func Serve(ctx context.Context, h Handlers, o Options) error {
	if h.HTTP == nil && h.Task == nil {
		return errs.New(errs.Internal, "cloudruntime: the function serves nothing")
	}
	o = o.withDefaults()
	switch o.Platform {
	case PlatformHTTP:
		return serveHTTP(ctx, h, o)
	case PlatformLambda:
		return serveLambda(ctx, h, o)
	}
	return errs.Newf(errs.Internal, "cloudruntime: unknown platform %q", o.Platform)
}

type stoppingKey struct{}

// Stopping returns a channel that closes when the platform has asked the
// process to stop: long work should reach a safe point and hand over. It is
// nil, and so never ready, outside a served request or task.
func Stopping(ctx context.Context) <-chan struct{} {
	ch, _ := ctx.Value(stoppingKey{}).(<-chan struct{})
	return ch
}

func withStopping(ctx context.Context, stop <-chan struct{}) context.Context {
	return context.WithValue(ctx, stoppingKey{}, stop)
}
