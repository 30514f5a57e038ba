package conformance

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/workflow/value"
)

// step takes one step: waits, imports, request, captures.
func (r *run) step(ctx context.Context, s *step) error {
	if err := clock.Sleep(ctx, r.t.clock, seconds(s.Value("wait"), 0)); err != nil {
		return err
	}
	for _, a := range s.imports {
		if err := r.makeApp(ctx, a); err != nil {
			return err
		}
	}
	if err := r.derive(s); err != nil {
		return err
	}
	if s.String("request") == "" {
		return nil
	}
	res, err := r.request(ctx, s)
	if err != nil {
		return err
	}
	source := res.Value("body")
	events, isStream := res.Value("events").([]any)
	if isStream {
		source = value.Obj("events", withoutPings(events))
	}
	if err := r.after(ctx, s, res, source); err != nil {
		return err
	}
	if s.Value("record") == false {
		want, isSet := number(s.Value("expect_status"))
		if got, _ := number(res.Value("status")); isSet && want != 0 && got != want {
			return fmt.Errorf("answered %v: %s", got, shorten(value.JSON(res), 500))
		}
		return nil
	}
	if isStream {
		res.Set("events", mergedStream(events))
	}
	r.transcript = append(r.transcript, entry{step: s, name: s.title(), response: res})
	return nil
}

// derive takes variables out of texts: the first group of a pattern.
func (r *run) derive(s *step) error {
	wanted, _ := s.Value("derive").(*value.Object)
	for name, v := range wanted.All() {
		pair := texts(v)
		if len(pair) != 2 {
			return fmt.Errorf("derive %s: wants a text and a pattern", name)
		}
		re, err := regexp.Compile(pair[1])
		if err != nil {
			return fmt.Errorf("derive %s: %w", name, err)
		}
		text := r.fillText(pair[0])
		m := re.FindStringSubmatch(text)
		if len(m) < 2 {
			return fmt.Errorf("derive %s: %s has no %s", name, text, pair[1])
		}
		r.vars[name] = m[1]
	}
	return nil
}

// after captures variables and remembers what is to be cleaned up.
func (r *run) after(ctx context.Context, s *step, res *value.Object, source any) error {
	captures, _ := s.Value("capture").(*value.Object)
	if err := r.capture(captures, source); err != nil {
		return err
	}
	if path := s.String("cleanup_app"); path != "" {
		id, err := mustDig(source, path)
		if err != nil {
			return err
		}
		r.madeApps = append(r.madeApps, value.Str(id))
	}
	if status, _ := number(res.Value("status")); s.String("cleanup_any") != "" && status < 300 {
		var missing error
		made := reBraced.ReplaceAllStringFunc(r.fillText(s.String("cleanup_any")), func(found string) string {
			got, err := mustDig(source, found[1:len(found)-1])
			missing = errors.Join(missing, err)
			return value.Str(got)
		})
		if missing != nil {
			return missing
		}
		r.cleanups = append(r.cleanups, cleanup{"DELETE " + made, r.t.console})
	}
	for _, request := range texts(s.Value("cleanup")) {
		auth := s.String("cleanup_auth")
		if auth == "" {
			auth = "console"
		}
		client, err := r.session(ctx, r.fillText(auth))
		if err != nil {
			return err
		}
		r.cleanups = append(r.cleanups, cleanup{r.fillText(request), client})
	}
	return nil
}

func (r *run) capture(wanted *value.Object, source any) error {
	for name, path := range wanted.All() {
		got, err := mustDig(source, r.fillText(value.Str(path)))
		if err != nil {
			return err
		}
		r.vars[name] = got
	}
	return nil
}

// request sends the step's request, again and again when it polls.
func (r *run) request(ctx context.Context, s *step) (*value.Object, error) {
	poll, ok := s.Value("poll").(*value.Object)
	if !ok {
		return r.once(ctx, s)
	}
	until, _ := poll.Value("until").(*value.Object)
	limit := r.t.clock.Now().Add(seconds(poll.Value("timeout"), 20*time.Second))
	for {
		res, err := r.once(ctx, s)
		if err != nil {
			return nil, err
		}
		if r.reached(until, res) {
			return res, nil
		}
		if r.t.clock.Now().After(limit) {
			return nil, fmt.Errorf("poll timed out, last %s", shorten(value.JSON(res), 500))
		}
		if err := clock.Sleep(ctx, r.t.clock, seconds(poll.Value("interval"), 300*time.Millisecond)); err != nil {
			return nil, err
		}
	}
}

func (r *run) reached(until *value.Object, res *value.Object) bool {
	for path, want := range until.All() {
		got, _ := dig(res, "body."+strings.TrimLeft(strings.TrimLeft(path, "$"), "."))
		options, ok := r.fill(want).([]any)
		if !ok {
			options = []any{r.fill(want)}
		}
		found := false
		for _, o := range options {
			found = found || equal(o, got)
		}
		if !found {
			return false
		}
	}
	return true
}

// once sends the step's request and returns the answer in the form of
// recordings.
func (r *run) once(ctx context.Context, s *step) (*value.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, seconds(s.Value("timeout"), r.t.opts.Timeout))
	defer cancel()
	req, err := r.build(s)
	if err != nil {
		return nil, err
	}
	auth := s.String("auth")
	if auth == "" {
		auth = r.auth
	}
	client, err := r.session(ctx, r.fillText(auth))
	if err != nil {
		return nil, err
	}
	res, err := client.send(ctx, req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end, or given up
	if kind := mediaType(res); kind == "text/event-stream" {
		out := value.Obj("status", int64(res.StatusCode), "type", kind)
		events, err := r.stream(ctx, s, res)
		if err != nil {
			return nil, err
		}
		out.Set("events", events)
		if s.Value("sse") != true {
			out.Set("note", "stream")
		}
		return out, nil
	}
	return response(res, texts(s.Value("headers_out")))
}

// stream reads events and takes the steps that belong between them.
func (r *run) stream(ctx context.Context, s *step, res *http.Response) ([]any, error) {
	events, waiting := []any{}, append([]*during{}, s.during...)
	err := readStream(res.Body, func(ev *value.Object) error {
		events = append(events, ev)
		var still, now []*during
		for _, d := range waiting {
			if d.String("after") == ev.String("event") && d.ofNode(ev) {
				now = append(now, d)
			} else {
				still = append(still, d)
			}
		}
		waiting = still
		for _, d := range now {
			captures, _ := d.Value("capture").(*value.Object)
			if err := r.capture(captures, ev); err != nil {
				return err
			}
			if err := clock.Sleep(ctx, r.t.clock, seconds(d.Value("wait"), 0)); err != nil {
				return err
			}
			if err := r.take(ctx, d.steps); err != nil {
				return err
			}
		}
		return nil
	})
	return events, err
}

func (d *during) ofNode(ev *value.Object) bool {
	node, ok := d.Get("node")
	if !ok {
		return true
	}
	got, _ := dig(ev, "data.node_id")
	return equal(node, got)
}

// build fills in the step's request.
func (r *run) build(s *step) (request, error) {
	method, target, _ := strings.Cut(r.fillText(s.String("request")), " ")
	target = strings.TrimSpace(target)
	if !reURL.MatchString(target) {
		target = r.t.base + target
	}
	req := request{method: strings.ToUpper(method), url: target, header: http.Header{}}
	if params, ok := r.fill(s.Value("params")).(*value.Object); ok {
		req.url = withParams(req.url, params)
	}
	form, _ := r.fill(s.Value("form")).(*value.Object)
	specs, hasFiles := s.Value("files").(*value.Object)
	body, hasJSON := s.Get("json")
	switch {
	case hasFiles:
		files, err := r.uploads(specs)
		if err != nil {
			return req, err
		}
		data, kind, err := multipartBody(form, files)
		if err != nil {
			return req, err
		}
		req.body = data
		req.header.Set("Content-Type", kind)
	case form.Len() > 0:
		req.body = urlencoded(form)
		req.header.Set("Content-Type", "application/x-www-form-urlencoded")
	case s.String("raw") != "":
		req.body = []byte(r.fillText(s.String("raw")))
	case hasJSON && body != nil:
		req.body = []byte(value.JSONASCII(r.fill(body)))
		req.header.Set("Content-Type", "application/json")
	}
	if headers, ok := r.fill(s.Value("headers")).(*value.Object); ok {
		for k, v := range headers.All() {
			req.header.Set(k, value.Str(v))
		}
	}
	return req, nil
}

// uploads makes the files of a form; a field may have several.
func (r *run) uploads(specs *value.Object) ([]upload, error) {
	var out []upload
	for field, v := range specs.All() {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, x := range list {
			spec, _ := r.fill(x).(*value.Object)
			if err := known(spec, "name", "type", "content", "base64", "path", "size"); err != nil {
				return nil, fmt.Errorf("file %s: %w", field, err)
			}
			data, err := r.fileData(spec)
			if err != nil {
				return nil, fmt.Errorf("file %s: %w", field, err)
			}
			f := upload{field: field, name: "file.txt", contentType: "application/octet-stream", data: data}
			if name, ok := spec.Get("name"); ok {
				f.name = value.Str(name)
			}
			if kind, ok := spec.Get("type"); ok {
				f.contentType = value.Str(kind)
			}
			out = append(out, f)
		}
	}
	return out, nil
}

func (r *run) fileData(spec *value.Object) ([]byte, error) {
	if text, ok := spec.Get("base64"); ok {
		return base64.StdEncoding.DecodeString(value.Str(text))
	}
	if path, ok := spec.Get("path"); ok {
		return fs.ReadFile(r.files, value.Str(path))
	}
	if size, ok := number(spec.Value("size")); ok {
		return []byte(strings.Repeat("x", int(size))), nil
	}
	return []byte(spec.String("content")), nil
}

func seconds(v any, otherwise time.Duration) time.Duration {
	if n, ok := number(v); ok {
		return time.Duration(n * float64(time.Second))
	}
	return otherwise
}

func withoutPings(events []any) []any {
	out := []any{}
	for _, x := range events {
		if ev, ok := x.(*value.Object); !ok || ev.String("event") != "ping" {
			out = append(out, x)
		}
	}
	return out
}

func mergedStream(events []any) []any {
	objects := make([]*value.Object, 0, len(events))
	for _, x := range events {
		if ev, ok := x.(*value.Object); ok {
			objects = append(objects, ev)
		}
	}
	out := []any{}
	for _, ev := range mergeEvents(objects) {
		out = append(out, ev)
	}
	return out
}
