package cloudruntime

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/millrace/millrace/shared/errs"
)

const (
	// taskPrefix is where push brokers and schedulers post tasks.
	taskPrefix = "/_tasks/"
	// maxTaskBody bounds a posted task; larger bodies go through blob storage.
	maxTaskBody = 10 << 20
	// batchMargin is the time a batch keeps for answering before its deadline.
	batchMargin = 500 * time.Millisecond
	// readHeaderTimeout cuts off clients that hold a connection without asking.
	readHeaderTimeout = 10 * time.Second
)

// Handler returns the handler that plain HTTP serves: the function's own and,
// for functions that take tasks, the task routes. Exported for servers that
// mount several functions on one port.
func Handler(h Handlers, o Options) http.Handler {
	o = o.withDefaults()
	tasks := &taskRoute{handle: h.Task, opts: o}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := o.Propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		if o.TimeLimit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, o.TimeLimit)
			defer cancel()
		}
		switch r = r.WithContext(ctx); {
		case h.Task != nil && strings.HasPrefix(r.URL.Path, taskPrefix):
			tasks.ServeHTTP(w, r)
		case h.HTTP != nil:
			h.HTTP.ServeHTTP(w, r)
		default:
			writeError(w, errs.New(errs.NotFound, ""))
		}
	})
}

// serveHTTP listens until ctx ends, then waits for live requests.
func serveHTTP(ctx context.Context, h Handlers, o Options) error {
	if h.Task != nil && o.TaskToken == "" && !o.TasksTrusted {
		o.Logger.Warn("task routes refuse every caller: no task token is set and the platform is not trusted to check callers",
			"function", o.Function)
	}
	base, abandon := context.WithCancel(withStopping(context.WithoutCancel(ctx), ctx.Done()))
	defer abandon()
	handler := Handler(h, o)
	if o.AfterInvoke != nil {
		inner := handler
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer o.AfterInvoke(context.WithoutCancel(r.Context()))
			inner.ServeHTTP(w, r)
		})
	}
	ln := o.Listener
	if ln == nil {
		var err error
		if ln, err = (&net.ListenConfig{}).Listen(ctx, "tcp", o.Addr); err != nil {
			return errs.Wrap(errs.Internal, err, "cannot listen on "+o.Addr+"; is another process using the port?")
		}
	}
	// Live requests are counted here because Shutdown does not wait for hijacked ones.
	var live sync.WaitGroup
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			live.Add(1)
			defer live.Done()
			handler.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: readHeaderTimeout,
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return errs.Wrap(errs.Internal, err, "the HTTP server stopped")
	case <-ctx.Done():
	}
	drain, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		select {
		case <-o.Clock.After(o.DrainTimeout):
			cancel()
		case <-drain.Done():
		}
	}()
	if err := srv.Shutdown(drain); err != nil {
		o.Logger.Warn("stopping with requests under way", "function", o.Function)
		abandon() // handlers see their context end before their connection closes
		_ = srv.Close()
		return nil
	}
	live.Wait()
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return errs.Wrap(errs.Internal, err, "the HTTP server stopped")
	}
	return nil
}

// taskRoute takes a task as a POST. Three forms are known by their looks: a
// Pub/Sub push envelope, a CloudEvent in binary mode, and a bare body.
type taskRoute struct {
	handle TaskHandler
	opts   Options
}

// ServeHTTP answers 200 or 204 when the task is done, so that the broker drops
// the message; everything else makes it deliver again.
func (t *taskRoute) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		writeError(w, errs.New(errs.MethodNotAllowed, ""))
		return
	}
	if !t.allowed(r) {
		writeError(w, errs.New(errs.Forbidden, "This caller may not post tasks."))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTaskBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			err = errs.New(errs.RequestEntityTooLarge, "")
		} else {
			err = errs.Wrap(errs.BadRequest, err, "the body could not be read")
		}
		writeError(w, err)
		return
	}
	task, err := t.task(r, body)
	if err != nil {
		writeError(w, err)
		return
	}
	out, err := runTask(r.Context(), t.handle, task, t.opts)
	switch {
	case err != nil:
		writeError(w, err)
	case len(out) > 0 && task.Kind == KindDirect:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(out)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (t *taskRoute) allowed(r *http.Request) bool {
	if t.opts.TaskToken == "" {
		return t.opts.TasksTrusted
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(token), []byte(t.opts.TaskToken)) == 1
}

func (t *taskRoute) task(r *http.Request, body []byte) (Task, error) {
	source := strings.TrimPrefix(r.URL.Path, taskPrefix)
	task := Task{Kind: KindQueue, Source: source, Body: body, Attributes: map[string]string{}}
	switch source {
	case "direct":
		task.Kind, task.Source = KindDirect, ""
	case "schedule":
		task.Kind = KindSchedule
	default:
		task.Source = queueName(source, t.opts.Queues)
		if !slices.Contains(t.opts.Queues, task.Source) {
			return task, errs.New(errs.NotFound, "The function does not consume this queue.")
		}
	}
	for _, name := range t.opts.Propagator.Fields() {
		if v := r.Header.Get(name); v != "" {
			task.Attributes[name] = v
		}
	}
	if id := r.Header.Get("Ce-Id"); id != "" {
		task.ID = id
		for k, vs := range r.Header {
			if name, ok := strings.CutPrefix(k, "Ce-"); ok && len(vs) > 0 {
				task.Attributes[strings.ToLower(name)] = vs[0]
			}
		}
		return task, nil
	}
	if task.Kind != KindDirect {
		readPush(&task)
	}
	return task, nil
}

// readPush unwraps a Pub/Sub push envelope where the body is one.
func readPush(task *Task) {
	var push struct {
		Message *struct {
			Data       []byte            `json:"data"`
			Attributes map[string]string `json:"attributes"`
			MessageID  string            `json:"messageId"`
		} `json:"message"`
		Subscription    string `json:"subscription"`
		DeliveryAttempt int    `json:"deliveryAttempt"`
	}
	if json.Unmarshal(task.Body, &push) != nil || push.Message == nil || push.Subscription == "" {
		return // a bare body
	}
	task.ID, task.Body, task.Attempt = push.Message.MessageID, push.Message.Data, push.DeliveryAttempt
	for k, v := range push.Message.Attributes {
		task.Attributes[k] = v
	}
}
