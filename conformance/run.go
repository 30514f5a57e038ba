package conformance

import (
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/dsl"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Result is what came of one case.
type Result struct {
	// Skipped says why the case did not run.
	Skipped string
	// Failures are differences that count; none means that the case passed.
	Failures []Finding
	// Notes do not count: fields that the recording lacks, and differences in
	// steps that show a peculiarity of the recorded server.
	Notes []Finding
	// Quirks are those of the notes that are differences.
	Quirks []Finding
}

// run is one case while it runs.
type run struct {
	*Case
	t          *Target
	vars       map[string]any
	sessions   map[string]*session
	passports  map[string][2]string // alias -> code, token
	madeApps   []string
	cleanups   []cleanup
	transcript []entry
}

type cleanup struct {
	request string
	session *session
}

// entry is one recorded step of the transcript.
type entry struct {
	step     *step
	name     string
	response *value.Object
}

// The patterns of variables and addresses; compiled once, never changed.
var (
	reVar      = regexp.MustCompile(`\$\{([\p{L}\p{N}_.-]+)\}`)
	reWholeVar = regexp.MustCompile(`\A\$\{([\p{L}\p{N}_.-]+)\}\z`)
	reBraced   = regexp.MustCompile(`\{(\$[^}]*)\}`)
	reURL      = regexp.MustCompile(`\Ahttps?://`)
)

// Run runs a case and compares its transcript with the recording. What the
// case made is deleted, unless Options.Keep says otherwise.
func (t *Target) Run(ctx context.Context, c *Case) Result {
	if slices.Contains(c.Requires, "second-workspace") && t.opts.SecondEmail == "" {
		return Result{Skipped: "needs the owner of a second workspace"}
	}
	r := &run{Case: c, t: t, sessions: map[string]*session{}, passports: map[string][2]string{}, vars: map[string]any{
		"base": t.base, "echo": t.opts.EchoURL, "ECHO_URL": t.opts.EchoURL, "mock": t.opts.MockURL, "email": t.opts.Email,
		"nonce": strings.ReplaceAll(ids.Random(), "-", "")[:12], "provider": provider, "second_email": t.opts.SecondEmail,
		"second_password_b64": base64.StdEncoding.EncodeToString([]byte(t.opts.SecondPassword)),
	}}
	if !t.opts.Keep {
		defer r.cleanUp(context.WithoutCancel(ctx))
	}
	if err := r.perform(ctx); err != nil {
		return Result{Failures: []Finding{{Text: err.Error()}}}
	}
	return r.check()
}

func (r *run) perform(ctx context.Context) error {
	for _, a := range r.apps {
		if err := r.makeApp(ctx, a); err != nil {
			return err
		}
	}
	return r.take(ctx, r.steps)
}

func (r *run) take(ctx context.Context, steps []*step) error {
	for _, s := range steps {
		if err := r.step(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.title(), err)
		}
	}
	return nil
}

// fill replaces ${name}; a text that is one variable becomes its value.
func (r *run) fill(v any) any {
	switch v := v.(type) {
	case string:
		if m := reWholeVar.FindStringSubmatch(v); m != nil {
			if got, ok := r.vars[m[1]]; ok {
				return got
			}
		}
		return r.fillText(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = r.fill(x)
		}
		return out
	case *value.Object:
		out := value.NewObject(v.Len())
		for k, x := range v.All() {
			out.Set(r.fillText(k), r.fill(x))
		}
		return out
	}
	return v
}

func (r *run) fillText(s string) string {
	return reVar.ReplaceAllStringFunc(s, func(found string) string {
		if got, ok := r.vars[found[2:len(found)-1]]; ok {
			return value.Str(got)
		}
		return found
	})
}

func prefix(alias string) string {
	if alias == "" || alias == "app" {
		return ""
	}
	return alias + "_"
}

func (r *run) makeApp(ctx context.Context, a appSpec) error {
	raw, err := fs.ReadFile(r.files, a.file)
	if err != nil {
		return err
	}
	text := r.fillText(string(raw))
	got, err := r.t.call(ctx, http.MethodPost, "/apps/imports", value.Obj("mode", "yaml-content", "yaml_content", text))
	if err != nil {
		return err
	}
	if got.String("status") == "pending" {
		if got, err = r.t.call(ctx, http.MethodPost, "/apps/imports/"+got.String("id")+"/confirm", nil); err != nil {
			return err
		}
	}
	if !slices.Contains([]string{"completed", "completed-with-warnings"}, got.String("status")) {
		return fmt.Errorf("import of %s failed: %s", a.file, shorten(value.JSON(got), 600))
	}
	id := got.String("app_id")
	r.madeApps = append(r.madeApps, id)
	r.vars[prefix(a.alias)+"app_id"] = id
	mode := got.String("app_mode")
	if mode == "" {
		doc, err := dsl.Parse(text)
		if err != nil {
			return err
		}
		app, _ := doc.Value("app").(*value.Object)
		mode = app.String("mode")
	}
	if a.publish && (mode == "workflow" || mode == "advanced-chat") {
		if _, err := r.t.call(ctx, http.MethodPost, "/apps/"+id+"/workflows/publish",
			value.Obj("marked_name", "", "marked_comment", "")); err != nil {
			return err
		}
	}
	if a.key {
		key, err := r.t.call(ctx, http.MethodPost, "/apps/"+id+"/api-keys", nil)
		if err != nil {
			return err
		}
		r.vars[prefix(a.alias)+"api_key"] = key.String("token")
	}
	if a.site {
		_, err = r.siteCode(ctx, a.alias)
	}
	return err
}

// siteCode returns the code of an app's web page.
func (r *run) siteCode(ctx context.Context, alias string) (string, error) {
	name := prefix(alias) + "site_code"
	if code, ok := r.vars[name].(string); ok && code != "" {
		return code, nil
	}
	app, err := r.t.call(ctx, http.MethodGet, "/apps/"+value.Str(r.vars[prefix(alias)+"app_id"]), nil)
	if err != nil {
		return "", err
	}
	for _, path := range []string{"site.access_token", "site.code"} {
		if code, ok := dig(app, path); ok {
			r.vars[name] = code
			return value.Str(code), nil
		}
	}
	return "", fmt.Errorf("the app %s has no site code", alias)
}

func (r *run) passport(ctx context.Context, alias string) (code, token string, err error) {
	if p, ok := r.passports[alias]; ok {
		return p[0], p[1], nil
	}
	if code, err = r.siteCode(ctx, alias); err != nil {
		return "", "", err
	}
	got, err := r.t.exchange(ctx, newSession(r.t.opts.Transport), request{
		method: http.MethodGet, url: r.t.base + "/api/passport", header: http.Header{"X-App-Code": {code}}})
	if err != nil {
		return "", "", fmt.Errorf("passport: %w", err)
	}
	r.passports[alias] = [2]string{code, got.String("access_token")}
	return code, got.String("access_token"), nil
}

// session returns the client that an auth setting stands for.
func (r *run) session(ctx context.Context, auth string) (*session, error) {
	kind, arg, _ := strings.Cut(auth, ":")
	switch kind {
	case "console":
		return r.t.console, nil
	case "session":
		s := r.sessions[arg]
		if s == nil {
			s = newSession(r.t.opts.Transport)
			r.sessions[arg] = s
		}
		s.useCSRF(r.t.base)
		return s, nil
	}
	s := newSession(r.t.opts.Transport)
	switch kind {
	case "none", "":
	case "app":
		key, ok := r.vars[prefix(arg)+"api_key"]
		if !ok {
			return nil, fmt.Errorf("the app %q has no key", arg)
		}
		s.header.Set("Authorization", "Bearer "+value.Str(key))
	case "dataset":
		key, err := r.t.knowledgeKey(ctx)
		if err != nil {
			return nil, err
		}
		s.header.Set("Authorization", "Bearer "+key)
	case "web":
		code, token, err := r.passport(ctx, arg)
		if err != nil {
			return nil, err
		}
		s.header.Set("X-App-Code", code)
		s.header.Set("X-App-Passport", token)
	case "bearer":
		s.header.Set("Authorization", "Bearer "+arg)
	case "raw":
		s.header.Set("Authorization", arg)
	default:
		return nil, fmt.Errorf("unknown auth %q", auth)
	}
	return s, nil
}

// cleanUp deletes what the case made. It is best effort: what is left does not
// change the result.
func (r *run) cleanUp(ctx context.Context) {
	for _, id := range r.madeApps {
		_, _ = r.t.call(ctx, http.MethodDelete, "/apps/"+id, nil)
	}
	for _, c := range slices.Backward(r.cleanups) {
		method, path, _ := strings.Cut(c.request, " ")
		for range 5 {
			status := r.deleteOne(ctx, c.session, method, path)
			if status != http.StatusConflict {
				break
			}
			// Still in use by an app that is being deleted.
			_ = clock.Sleep(ctx, r.t.clock, time.Second)
		}
	}
}

func (r *run) deleteOne(ctx context.Context, s *session, method, path string) int {
	ctx, cancel := context.WithTimeout(ctx, r.t.opts.Timeout)
	defer cancel()
	res, err := s.send(ctx, request{method: method, url: r.t.base + path})
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// normalised is the transcript as recordings have it, uuids aside.
func (r *run) normalised() []*value.Object {
	bare := func(u string) string { return reURL.ReplaceAllString(u, "") }
	o := r.t.opts
	literals := []literal{
		{r.t.base, "<base>"}, {o.EchoURL, "<echo>"}, {o.MockURL, "<mock>"}, {bare(r.t.base), "<base-host>"},
		{bare(o.EchoURL), "<echo-host>"}, {value.Str(r.vars["nonce"]), "<nonce>"}, {o.Email, "<email>"}, {o.SecondEmail, "<second-email>"},
	}
	for _, u := range o.PublicURLs {
		literals = append(literals, literal{strings.TrimRight(u, "/"), "<base>"})
	}
	for _, name := range slices.Sorted(maps.Keys(r.vars)) {
		if code, ok := r.vars[name].(string); ok && strings.HasSuffix(name, "site_code") {
			literals = append(literals, literal{code, "<site-code>"})
		}
	}
	n := newNormaliser(literals)
	out := make([]*value.Object, len(r.transcript))
	for i, e := range r.transcript {
		out[i], _ = n.value(e.response, "").(*value.Object)
	}
	return out
}

// check compares the transcript with the recording.
func (r *run) check() Result {
	c := newComparer()
	var out Result
	actual := r.normalised()
	if len(r.expected) != len(actual) {
		out.Failures = append(out.Failures, Finding{
			Text: fmt.Sprintf("steps: expected %d recorded steps, got %d", len(r.expected), len(actual))})
	}
	for i := range min(len(actual), len(r.expected)) {
		s := r.transcript[i].step
		recorded, _ := r.expected[i].(*value.Object)
		want, _ := recorded.Value("response").(*value.Object)
		c.options = r.compare.with(s.compare)
		c.failures, c.notes = nil, nil
		compareResponse(c, want, actual[i])
		for _, list := range [][]Finding{c.failures, c.notes} {
			for j := range list {
				list[j].Step, list[j].Name = i+1, recorded.String("name")
			}
		}
		out.Notes = append(out.Notes, c.notes...)
		if why := s.String("quirk"); why != "" {
			out.Quirks = append(out.Quirks, c.failures...)
			for _, f := range c.failures {
				f.Text = "quirk (" + why + "): " + f.Text
				out.Notes = append(out.Notes, f)
			}
			continue
		}
		out.Failures = append(out.Failures, c.failures...)
	}
	return out
}

func compareResponse(c *comparer, want, got *value.Object) {
	if c.byNode {
		e, isStream := want.Value("events").([]any)
		a, both := got.Value("events").([]any)
		if isStream && both {
			want, got = want.Clone(), got.Clone()
			want.Set("events", groupEvents(e))
			got.Set("events", groupEvents(a))
		}
	}
	if status, _ := number(want.Value("status")); want.Value("text") == "<html>" && status >= 400 {
		// An error page of the recorded server's web framework: only its status
		// means anything.
		want, got = value.Obj("status", want.Value("status")), value.Obj("status", got.Value("status"))
	}
	c.compare("$", want, got)
}
