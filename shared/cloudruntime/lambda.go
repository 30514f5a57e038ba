package cloudruntime

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"go.opentelemetry.io/otel/propagation"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
)

// serveLambda runs the runtime API loop until ctx ends and the live invocation,
// if any, has finished. The loop itself never returns: it is left behind when
// the caller's main ends.
func serveLambda(ctx context.Context, h Handlers, o Options) error {
	base, abandon := context.WithCancel(withStopping(context.WithoutCancel(ctx), ctx.Done()))
	defer abandon()
	l := &lambdaEntry{handlers: h, opts: o}
	go lambda.StartWithOptions(l.invoke,
		lambda.WithContext(base),
		// Without a registered extension the platform kills without a signal.
		lambda.WithEnableSIGTERM(),
	)
	<-ctx.Done()
	done := make(chan struct{})
	go func() { l.live.Wait(); close(done) }()
	select {
	case <-done:
	case <-o.Clock.After(o.DrainTimeout):
		o.Logger.Warn("stopping with an invocation under way", "function", o.Function)
		abandon()
	}
	return nil
}

type lambdaEntry struct {
	handlers Handlers
	opts     Options
	live     sync.WaitGroup
}

// invoke is the one entry for every event.
func (l *lambdaEntry) invoke(ctx context.Context, payload json.RawMessage) (any, error) {
	l.live.Add(1)
	after := func() {
		if l.opts.AfterInvoke != nil {
			l.opts.AfterInvoke(context.WithoutCancel(ctx)) // its time limit may be over
		}
		l.live.Done()
	}
	e, s := recognise(payload)
	if s.isHTTP() && l.handlers.HTTP != nil {
		if l.opts.Streaming && s != shapeALB && s != shapeALBMulti && s != shapeHTTPAPI {
			return l.stream(ctx, &e, s, after), nil
		}
		out, err := l.buffer(ctx, &e, s)
		return finish(out, err, after)
	}
	if l.handlers.Task == nil || s.isHTTP() {
		return finish(nil, functionError(errs.New(errs.BadRequest,
			"the function "+l.opts.Function+" does not serve this kind of event")), after)
	}
	switch s {
	case shapeSQS:
		out, err := l.batch(ctx, e.Records)
		return finish(out, err, after)
	case shapeSchedule:
		t := Task{Kind: KindSchedule, ID: e.ID, Body: payload, Attempt: 1}
		if len(e.Resources) > 0 {
			t.Source = path.Base(e.Resources[0])
		}
		_, err := runTask(ctx, l.handlers.Task, t, l.opts)
		return finish([]byte("null"), functionError(err), after)
	}
	t := Task{Kind: KindDirect, Body: payload, Attempt: 1, Attributes: directAttributes(ctx)}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		t.ID = lc.AwsRequestID
	}
	out, err := runTask(ctx, l.handlers.Task, t, l.opts)
	if err == nil && len(out) == 0 {
		out = []byte("null")
	}
	if err == nil && len(out) > maxBuffered {
		err = errTooLarge
	}
	return finish(out, functionError(err), after)
}

// directAttributes reads trace context from the caller's client context, the
// only metadata a direct invocation has.
func directAttributes(ctx context.Context) map[string]string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.ClientContext.Custom
	}
	return nil
}

func finish(out []byte, err error, after func()) (any, error) {
	if err != nil {
		after()
		return nil, err
	}
	return newJSONAnswer(out, after), nil
}

// functionError makes err a function error that shows a caller its code and
// public message only.
func functionError(err error) error {
	if err == nil {
		return nil
	}
	b := errs.Public(err)
	return messages.InvokeResponse_Error{Type: b.Code, Message: b.Message}
}

func (l *lambdaEntry) buffer(ctx context.Context, e *event, s shape) ([]byte, error) {
	w := newBufferedWriter()
	r, err := e.request(ctx, s)
	if err != nil {
		return errorAnswer(s, err)
	}
	if p := l.call(w, r); p != nil {
		return errorAnswer(s, errs.New(errs.Internal, ""))
	}
	return w.answer(s)
}

func (l *lambdaEntry) stream(ctx context.Context, e *event, s shape, after func()) *streamAnswer {
	pr, pw := io.Pipe()
	w := &streamWriter{header: http.Header{}, pipe: pw}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err := e.request(ctx, s)
		if err != nil {
			writeError(w, err)
			_ = pw.Close() // never fails
			return
		}
		p := l.call(w, r)
		w.mu.Lock()
		begun := w.begun
		w.mu.Unlock()
		switch {
		case p != nil && begun:
			// Too late for a status: break the stream so that nobody takes the
			// half for the whole.
			_ = pw.CloseWithError(errs.New(errs.Internal, "the answer was broken off"))
			return
		case p != nil:
			writeError(w, errs.New(errs.Internal, ""))
		case !begun:
			w.WriteHeader(http.StatusOK)
		}
		_ = pw.Close()
	}()
	return &streamAnswer{PipeReader: pr, done: done, after: after}
}

// call runs the handler with the caller's trace context and returns a panic's value.
func (l *lambdaEntry) call(w http.ResponseWriter, r *http.Request) (panicked any) {
	ctx := l.opts.Propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	defer func() {
		if panicked = recover(); panicked != nil && panicked != http.ErrAbortHandler { //nolint:errorlint // a panic's value, told apart as net/http does
			l.opts.Logger.ErrorContext(ctx, "handler panicked", "function", l.opts.Function,
				"path", r.URL.Path, "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
		}
	}()
	l.handlers.HTTP.ServeHTTP(w, r.WithContext(ctx))
	return nil
}

// batch runs the messages of an SQS batch one after the other and names those
// that are to be delivered again. Messages not begun when the time limit is
// near are among them.
func (l *lambdaEntry) batch(ctx context.Context, records []sqsRecord) ([]byte, error) {
	type failure struct {
		ItemIdentifier string `json:"itemIdentifier"`
	}
	out := struct {
		Failures []failure `json:"batchItemFailures"`
	}{Failures: []failure{}}
	for _, rec := range records {
		if !l.timeLeft(ctx) {
			out.Failures = append(out.Failures, failure{rec.MessageID})
			continue
		}
		t, err := rec.task(l.opts.Queues)
		if err == nil {
			_, err = runTask(ctx, l.handlers.Task, t, l.opts)
		} else {
			l.opts.Logger.ErrorContext(ctx, "queue message is not readable", "message", rec.MessageID, "error", err.Error())
		}
		if err != nil {
			out.Failures = append(out.Failures, failure{rec.MessageID})
		}
	}
	return json.Marshal(out)
}

func (l *lambdaEntry) timeLeft(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return !ok || -clock.Since(l.opts.Clock, deadline) > batchMargin
}

// task undoes what the sender's queue driver (gocloud.dev's awssnssqs) does to
// fit a message into SQS: escaped attribute names and values, base64 bodies.
func (r *sqsRecord) task(queues []string) (Task, error) {
	t := Task{Kind: KindQueue, ID: r.MessageID, Body: []byte(r.Body), Attributes: make(map[string]string, len(r.MessageAttr))}
	t.Source = queueName(r.SourceARN[strings.LastIndexByte(r.SourceARN, ':')+1:], queues)
	t.Attempt, _ = strconv.Atoi(r.Attributes["ApproximateReceiveCount"]) // absent: the platform does not tell
	for k, v := range r.MessageAttr {
		if v.StringValue == nil {
			continue
		}
		if k == "base64encoded" {
			body, err := base64.StdEncoding.DecodeString(r.Body)
			if err != nil {
				return t, fmt.Errorf("message body: %w", err)
			}
			t.Body = body
			continue
		}
		val := *v.StringValue
		if u, err := url.PathUnescape(val); err == nil {
			val = u
		}
		t.Attributes[unescapeName(k)] = val
	}
	return t, nil
}

// unescapeName turns each "__0x<hex>__" back into its character.
func unescapeName(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "__0x")
		hex, after, closed := strings.Cut(rest, "__")
		n, err := strconv.ParseUint(hex, 16, 21)
		if !found || !closed || err != nil {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(before)
		b.WriteRune(rune(n))
		s = after
	}
}
