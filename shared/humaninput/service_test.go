package humaninput_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/humaninput/memforms"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/mail"
	"github.com/millrace/millrace/shared/mail/memmail"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

const node = `{"form_content":"Hi {{#start.q#}} {{#$output.note#}} {{#$output.doc#}} {{#$output.docs#}}",
	"inputs":[
		{"type":"paragraph","output_variable_name":"note"},
		{"type":"select","output_variable_name":"kind","option_source":{"type":"constant","selector":[],"value":["a","b"]}},
		{"type":"file","output_variable_name":"doc","allowed_file_types":["document"]},
		{"type":"file-list","output_variable_name":"docs","number_limits":2}],
	"user_actions":[{"id":"ok","title":"OK!"}],"timeout":1,"timeout_unit":"hour",
	"delivery_methods":[
		{"id":"3f1d2c4e-0000-4000-8000-000000000001","type":"webapp","enabled":true},
		{"id":"3f1d2c4e-0000-4000-8000-000000000002","type":"email","enabled":true,"config":{"subject":"About {{#start.q#}}\nBcc: x","body":"Go to {{#url#}}, {{#start.q#}}",
			"recipients":{"include_bound_group":false,"items":[{"type":"member","reference_id":"m1"},{"type":"member","reference_id":"gone"},
				{"type":"external","email":"out@example.com"},{"type":"external","email":"OUT@example.com"}]}}}]}`

type waker struct {
	mu    sync.Mutex
	runs  []string
	fails error
}

func (w *waker) Signal(_ context.Context, _, runID string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fails != nil {
		return w.fails
	}
	w.runs = append(w.runs, runID)
	return nil
}

type members []humaninput.Member

func (m members) Members(context.Context, string) ([]humaninput.Member, error) { return m, nil }

type world struct {
	t     *testing.T
	clock *clock.Fake
	box   *memmail.Box
	waker *waker
	store *memforms.Store
	*humaninput.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clock.NewFake(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), box: memmail.New(), waker: &waker{}, store: memforms.New()}
	mailer, err := mail.New(w.box, "Millrace <no-reply@example.com>")
	require.NoError(t, err)
	w.Service = humaninput.New(w.store, humaninput.Options{
		Clock: w.clock, Mailer: mailer, Waker: w.waker, WebURL: "https://web.example.com/",
		Directory: members{{AccountID: "m1", Email: "one@example.com"}, {AccountID: "m2", Email: "two@example.com"}},
	})
	return w
}

func (w *world) ask(change ...string) humaninput.Ask {
	w.t.Helper()
	v, err := value.Decode([]byte(strings.NewReplacer(change...).Replace(node)))
	require.NoError(w.t, err)
	c, err := humaninput.ParseConfig("ask", "Ask", v.(*value.Object))
	require.NoError(w.t, err)
	pool := workflow.NewPool()
	pool.Set("start", "q", "you")
	return humaninput.Ask{ID: ids.New(), Config: c, Pool: pool, Run: &workflow.RunInfo{
		ID: ids.New(), TenantID: ids.New(), AppID: ids.New(), InvokeFrom: "service-api", UserID: "m2", UserFrom: "account",
	}}
}

func (w *world) open(change ...string) *humaninput.Form {
	w.t.Helper()
	f, err := w.Open(w.t.Context(), w.ask(change...))
	require.NoError(w.t, err)
	return f
}

func (w *world) access(f *humaninput.Form) humaninput.Access {
	w.t.Helper()
	x, err := w.ByToken(w.t.Context(), f.Token(humaninput.RecipientWebApp))
	require.NoError(w.t, err)
	return x
}

// library finds files by the id in a reference.
type library map[string]*value.File

func (l library) ResolveFile(_ context.Context, ref *value.Object, _ inputs.FileRules) (*value.File, error) {
	if f := l[ref.String("upload_file_id")]; f != nil {
		return f, nil
	}
	return nil, errs.New(errs.InvalidParam, "Invalid upload file")
}

func ref(id string) *value.Object {
	return value.Obj("type", "document", "transfer_method", "local_file", "upload_file_id", id)
}

func good() *value.Object {
	return value.Obj("note", "n", "kind", "a", "doc", ref("1"), "docs", []any{ref("1"), ref("1")})
}

func files() []inputs.Files {
	return []inputs.Files{library{}, library{"1": {Type: "document", TransferMethod: "local_file", Filename: "a.txt", RelatedID: "1"}}}
}

func TestAnswersAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.access(w.open())
	for name, c := range map[string]struct {
		action, message string
		change          func(o *value.Object)
	}{
		"action":    {"maybe", "Invalid action: maybe", func(*value.Object) {}},
		"missing":   {"ok", "Missing required inputs: kind, docs", func(o *value.Object) { o.Delete("kind"); o.Set("docs", nil) }},
		"option":    {"ok", "Invalid value for select input 'kind': c", func(o *value.Object) { o.Set("kind", "c") }},
		"no text":   {"ok", "Invalid value for paragraph input 'note': a text is expected", func(o *value.Object) { o.Set("note", int64(1)) }},
		"no file":   {"ok", "Invalid value for file input 'doc': a file is expected", func(o *value.Object) { o.Set("doc", "x") }},
		"not yours": {"ok", "Invalid value for file input 'doc': Invalid upload file", func(o *value.Object) { o.Set("doc", ref("2")) }},
		"no list":   {"ok", "Invalid value for file-list input 'docs': a list of files is expected", func(o *value.Object) { o.Set("docs", ref("1")) }},
		"too many":  {"ok", "Invalid value for file-list input 'docs': at most 2 files are allowed", func(o *value.Object) { o.Set("docs", []any{ref("1"), ref("1"), ref("1")}) }},
	} {
		data := good()
		c.change(data)
		err := w.Submit(t.Context(), x, humaninput.Answer{Action: c.action, Inputs: data, Files: files()})
		require.True(t, errs.Is(err, errs.InvalidFormData), name)
		require.Equal(t, c.message, errs.Public(err).Message, name)
	}
	require.NoError(t, w.Submit(t.Context(), x, humaninput.Answer{Action: "ok", Inputs: good(), Files: files(), EndUserID: ids.New()}))
	f, err := w.Form(t.Context(), x.Form.TenantID, x.Form.ID)
	require.NoError(t, err)
	out := f.Definition.Outputs(f.Submission)
	require.Equal(t, "Hi you n [file] [2 files]", out.Value("__rendered_content"))
	require.Equal(t, "OK!", out.Value("__action_value"))
	require.IsType(t, &value.File{}, out.Value("doc"))
	require.Equal(t, []string{x.Form.RunID}, w.waker.runs)
}

func TestAnswersCountOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.access(w.open())
	results := make(chan error, 8)
	for range cap(results) {
		go func() {
			results <- w.Submit(t.Context(), x, humaninput.Answer{Action: "ok", Inputs: good(), Files: files()})
		}()
	}
	accepted := 0
	for range cap(results) {
		if err := <-results; err == nil {
			accepted++
		} else {
			require.True(t, errs.Is(err, errs.HumanInputFormSubmitted), err)
		}
	}
	require.Equal(t, 1, accepted)
	require.Len(t, w.waker.runs, 1)
}

func TestLateAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.access(w.open())
	w.clock.Advance(time.Hour)
	err := w.Submit(t.Context(), x, humaninput.Answer{Action: "ok", Inputs: good(), Files: files()})
	require.True(t, errs.Is(err, errs.HumanInputFormExpired), "the timer has not run yet, but the time is over")
	f, err := w.Settle(t.Context(), x.Form)
	require.NoError(t, err)
	require.Equal(t, humaninput.StatusTimeout, f.Status)
	require.True(t, errs.Is(w.Active(f), errs.HumanInputFormExpired))
}

func TestWakeUpsAreNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.access(w.open())
	w.waker.fails = errors.New("the process is about to die")
	require.NoError(t, w.Submit(t.Context(), x, humaninput.Answer{Action: "ok", Inputs: good(), Files: files()}))
	w.waker.fails = nil
	require.NoError(t, w.Sweep(t.Context()))
	require.Empty(t, w.waker.runs, "who took the answer may still be at it")
	w.clock.Advance(time.Minute)
	require.NoError(t, w.Sweep(t.Context()))
	require.NoError(t, w.Sweep(t.Context()))
	require.Equal(t, []string{x.Form.RunID}, w.waker.runs, "once")
}

func TestMails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.open()
	list := w.box.Mails()
	require.Len(t, list, 2, "each address once")
	require.Equal(t, []string{"one@example.com"}, list[0].To)
	require.Equal(t, "About you Bcc: x", list[0].Subject, "a subject adds no headers")
	token := f.Token(humaninput.RecipientMember)
	require.Equal(t, "Go to https://web.example.com/form/"+token+", you", list[0].Text)
	x, err := w.ByToken(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, "m1", x.Recipient.AccountID)
	require.Equal(t, f.ID, x.Form.ID)
	_, channels := f.Channels(&workflow.RunInfo{InvokeFrom: "service-api"})
	require.Equal(t, []any{"console", "email"}, channels)

	w.box.Fail(errors.New("the server is down"))
	w.open()
	w.box.Fail(nil)
	require.NoError(t, w.Sweep(t.Context()))
	require.Len(t, w.box.Mails(), 2)
	w.clock.Advance(2 * time.Minute)
	require.NoError(t, w.Sweep(t.Context()))
	require.Len(t, w.box.Mails(), 4)
	require.NoError(t, w.Sweep(t.Context()))
	require.Len(t, w.box.Mails(), 4)
}

func TestMailsToOthers(t *testing.T) {
	t.Parallel()
	to := func(debugging bool, change ...string) (out []string) {
		w := newWorld(t)
		a := w.ask(change...)
		if debugging {
			a.Run.InvokeFrom = "debugger"
		}
		_, err := w.Open(t.Context(), a)
		require.NoError(t, err)
		for _, m := range w.box.Mails() {
			out = append(out, m.To...)
		}
		return out
	}
	require.Equal(t, []string{"one@example.com", "two@example.com", "out@example.com"}, to(false, `"include_bound_group":false`, `"include_bound_group":true`))
	require.Equal(t, []string{"two@example.com"}, to(true, `"subject"`, `"debug_mode":true,"subject"`), "the person who debugs")
	require.Equal(t, []string{"one@example.com", "out@example.com"}, to(false, `"subject"`, `"debug_mode":true,"subject"`))
	require.Empty(t, to(false, `"type":"email","enabled":true`, `"type":"email","enabled":false`))
}

func TestUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.access(w.open())
	token, until, err := w.IssueUploadToken(t.Context(), x)
	require.NoError(t, err)
	require.Equal(t, w.clock.Now().Add(time.Hour), until)
	have, f, err := w.ByUploadToken(t.Context(), token.Token)
	require.NoError(t, err)
	require.Equal(t, x.Form.ID, f.ID)
	mine := w.Uploaded(f, files()[1])
	_, err = mine.ResolveFile(t.Context(), ref("1"), inputs.FileRules{})
	require.True(t, errs.Is(err, errs.InvalidParam), "of the workspace, but not of the form")
	require.NoError(t, w.AddUpload(t.Context(), have, "1"))
	_, err = mine.ResolveFile(t.Context(), ref("1"), inputs.FileRules{})
	require.NoError(t, err)
	for _, bad := range []string{"", "x", "hitl_upload_nothing", "hitl_upload_\x00"} {
		_, _, err = w.ByUploadToken(t.Context(), bad)
		require.True(t, errs.Is(err, errs.InvalidUploadToken), bad)
		require.Equal(t, 403, errs.Public(err).Status)
	}
	w.clock.Advance(time.Hour)
	_, _, err = w.ByUploadToken(t.Context(), token.Token)
	require.True(t, errs.Is(err, errs.HumanInputFormExpired))
}

func TestMessagesShowForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.ask()
	a.Run.MessageID = ids.New()
	f, err := w.Open(t.Context(), a)
	require.NoError(t, err)
	show := func() *value.Object {
		m, err := w.OfMessages(t.Context(), a.Run.TenantID, a.Run.AppID, []string{a.Run.MessageID})
		require.NoError(t, err)
		require.Len(t, m[a.Run.MessageID], 1)
		return m[a.Run.MessageID][0]
	}
	o := show()
	require.Equal(t, false, o.Value("submitted"))
	require.Equal(t, f.Token(humaninput.RecipientWebApp), o.Value("form_definition").(*value.Object).Value("form_token"))
	require.Nil(t, o.Value("form_submission_data"))
	require.NoError(t, w.Submit(t.Context(), w.access(f), humaninput.Answer{Action: "ok", Inputs: good(), Files: files()}))
	o = show()
	require.Equal(t, true, o.Value("submitted"))
	require.Nil(t, o.Value("form_definition").(*value.Object).Value("form_token"))
	require.Equal(t, "OK!", o.Value("form_submission_data").(*value.Object).Value("action_text"))
}
