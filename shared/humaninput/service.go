package humaninput

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/mail"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Waker makes a paused run look at what has changed. *run.Service is one.
type Waker interface {
	Signal(ctx context.Context, tenantID, runID string) error
}

// Member is somebody of a workspace.
type Member struct{ AccountID, Email string }

// Directory knows the members of workspaces.
type Directory interface {
	Members(ctx context.Context, tenantID string) ([]Member, error)
}

// Options tune a Service; zero values are usable.
type Options struct {
	// GlobalTimeout is the longest that any form waits [7 days].
	GlobalTimeout time.Duration
	// UploadTTL is how long an upload token is good [1 h].
	UploadTTL time.Duration
	// WebURL is where the pages of forms are.
	WebURL string
	// Mailer sends forms; nil sends none.
	Mailer *mail.Mailer
	// Directory finds members' addresses; nil knows nobody.
	Directory Directory
	// Waker is told of answers; nil leaves runs to Sweep's caller.
	Waker Waker
	Clock clock.Clock
	Log   *slog.Logger
}

const (
	defaultGlobalTimeout = 7 * 24 * time.Hour
	defaultUploadTTL     = time.Hour
	tokenLength          = 22
	// sweepAge is how old an owed wake-up is before somebody else than who took
	// the answer sends it.
	sweepAge   = 5 * time.Second
	sweepBatch = 100
)

// Service is what may be done with forms. It is safe for concurrent use.
type Service struct {
	store Store
	opts  Options
}

// New returns a service.
func New(store Store, o Options) *Service {
	if o.GlobalTimeout <= 0 {
		o.GlobalTimeout = defaultGlobalTimeout
	}
	if o.UploadTTL <= 0 {
		o.UploadTTL = defaultUploadTTL
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.WebURL = strings.TrimRight(o.WebURL, "/")
	return &Service{store: store, opts: o}
}

// Ask is a request to make a form.
type Ask struct {
	// ID is the node execution's.
	ID     string
	Kind   string // "" means KindRuntime
	Run    *workflow.RunInfo
	Config *Config
	Pool   *workflow.Pool
}

// Open makes the form of a node execution and sends it to whom it is for. A
// form that was made before, by a worker that died, is returned as it is.
func (s *Service) Open(ctx context.Context, a Ask) (*Form, error) {
	now := s.now()
	f := &Form{
		ID: a.ID, TenantID: a.Run.TenantID, AppID: a.Run.AppID, RunID: a.Run.ID, Kind: a.Kind, NodeID: a.Config.NodeID,
		ConversationID: a.Run.ConversationID, MessageID: a.Run.MessageID, Definition: a.Config.Fill(a.Pool), Status: StatusWaiting,
		CreatedAt: now, ExpiresAt: now.Add(a.Config.Timeout),
	}
	if f.Kind == "" {
		f.Kind = KindRuntime
	}
	mails, err := s.address(ctx, f, a)
	if err != nil {
		return nil, err
	}
	if err := s.store.Create(ctx, f, mails); err != nil {
		return nil, err
	}
	made, err := s.store.Form(ctx, f.TenantID, f.ID)
	if err != nil {
		return nil, err
	}
	if s.opts.Mailer != nil {
		if _, err := s.sendMails(ctx, f.ID); err != nil {
			s.opts.Log.WarnContext(ctx, "send form; tick will", "form_id", f.ID, "error", err)
		}
	}
	return made, nil
}

// Form returns a form of the tenant.
func (s *Service) Form(ctx context.Context, tenantID, id string) (*Form, error) {
	return s.store.Form(ctx, tenantID, id)
}

// Deadline is when a waiting form ends at the latest, and what it ends with.
func (s *Service) Deadline(f *Form) (at time.Time, status string) {
	if global := f.CreatedAt.Add(s.opts.GlobalTimeout); global.Before(f.ExpiresAt) {
		return global, StatusExpired
	}
	return f.ExpiresAt, StatusTimeout
}

// Settle ends a waiting form whose time is over, and returns the form as it is
// then.
func (s *Service) Settle(ctx context.Context, f *Form) (*Form, error) {
	at, status := s.Deadline(f)
	if f.Status != StatusWaiting || s.now().Before(at) {
		return f, nil
	}
	if _, err := s.store.End(ctx, f.TenantID, f.ID, status, s.now()); err != nil {
		return nil, err
	}
	return s.store.Form(ctx, f.TenantID, f.ID)
}

// notFound is the contract's answer to tokens that open nothing.
func notFound() error { return errs.New(errs.NotFound, "Form not found") }

// Access is a form that somebody holds a token of.
type Access struct {
	Form      *Form
	Recipient *Recipient
}

// ByToken returns what an access token opens, whatever has become of it. Codes:
// NotFound.
func (s *Service) ByToken(ctx context.Context, token string) (Access, error) {
	if len(token) > 64 || strings.ContainsRune(token, 0) {
		return Access{}, notFound()
	}
	f, r, err := s.store.ByToken(ctx, token)
	if errs.Is(err, errs.NotFound) {
		return Access{}, notFound()
	}
	if err != nil {
		return Access{}, err
	}
	return Access{f, r}, nil
}

// Active refuses a form that takes no answer any more. Codes:
// HumanInputFormSubmitted, HumanInputFormExpired.
func (s *Service) Active(f *Form) error {
	at, _ := s.Deadline(f)
	switch {
	case f.Status == StatusSubmitted:
		return errs.New(errs.HumanInputFormSubmitted, "This form has already been submitted by another user, form_id="+f.ID)
	case f.Status != StatusWaiting, !s.now().Before(at):
		return expired(f)
	}
	return nil
}

func expired(f *Form) error {
	return errs.New(errs.HumanInputFormExpired, "This form has expired, form_id="+f.ID)
}

// Answer is what somebody sends.
type Answer struct {
	Action string
	Inputs *value.Object
	// AccountID or EndUserID is who sends it, if that is known.
	AccountID, EndUserID string
	// Files resolve references to files with the rights of those who stand behind
	// the answer.
	Files []inputs.Files
}

// Submit takes an answer, once: of several at the same moment one counts. The
// run goes on by itself, even if this process ends right after. Codes: those of
// Active, InvalidFormData.
func (s *Service) Submit(ctx context.Context, x Access, a Answer) error {
	f := x.Form
	if err := s.Active(f); err != nil {
		return err
	}
	data, err := f.Definition.Check(ctx, a.Action, a.Inputs, a.Files...)
	if err != nil {
		return err
	}
	now := s.now()
	ok, err := s.store.Submit(ctx, f.TenantID, f.ID, Submission{
		ActionID: a.Action, Data: data, At: now, AccountID: a.AccountID, EndUserID: a.EndUserID, RecipientID: x.Recipient.ID,
	}, now.Add(-s.opts.GlobalTimeout))
	if err != nil {
		return err
	}
	if !ok {
		latest, err := s.store.Form(ctx, f.TenantID, f.ID)
		if err != nil {
			return err
		}
		if err := s.Active(latest); err != nil {
			return err
		}
		// Its run is over: it was stopped, or another branch failed.
		if _, err := s.store.End(ctx, f.TenantID, f.ID, StatusExpired, now); err != nil {
			return err
		}
		return expired(f)
	}
	s.wake(ctx, Wake{TenantID: f.TenantID, FormID: f.ID, RunID: f.RunID})
	return nil
}

// wake tells a run of its answer. When that fails the wake-up stays owed and
// Sweep sends it.
func (s *Service) wake(ctx context.Context, w Wake) {
	if s.opts.Waker == nil || w.RunID == "" {
		return
	}
	ctx = context.WithoutCancel(ctx)
	err := s.opts.Waker.Signal(ctx, w.TenantID, w.RunID)
	if err == nil || errs.Is(err, errs.NotFound) {
		err = s.store.SettleWake(ctx, w.TenantID, w.FormID)
	}
	if err != nil {
		s.opts.Log.WarnContext(ctx, "wake run after an answer; tick will", "run_id", w.RunID, "error", err)
	}
}

// Sweep does what processes that died have left: it wakes runs whose forms were
// answered and sends mails that are owed. A schedule calls it.
func (s *Service) Sweep(ctx context.Context) error {
	if s.opts.Waker != nil {
		owed, err := s.store.OwedWakes(ctx, s.now().Add(-sweepAge), sweepBatch)
		if err != nil {
			return err
		}
		for _, w := range owed {
			s.wake(ctx, w)
		}
	}
	if s.opts.Mailer == nil {
		return nil
	}
	for {
		n, err := s.sendMails(ctx, "")
		if err != nil || n == 0 {
			return err
		}
	}
}

// OfRun returns the forms of a run.
func (s *Service) OfRun(ctx context.Context, tenantID, runID string) ([]Form, error) {
	return s.store.OfRun(ctx, tenantID, runID)
}

// OfMessages returns what messages show of the forms that their runs asked, by
// message id.
func (s *Service) OfMessages(ctx context.Context, tenantID, appID string, messageIDs []string) (map[string][]*value.Object, error) {
	if len(messageIDs) == 0 {
		return nil, nil
	}
	forms, err := s.store.OfMessages(ctx, tenantID, appID, messageIDs)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]*value.Object, len(forms))
	for id, list := range forms {
		for i := range list {
			out[id] = append(out[id], list[i].Content())
		}
	}
	return out, nil
}

// PageURL is where a recipient answers.
func (s *Service) PageURL(token string) string { return s.opts.WebURL + "/form/" + token }

// SendsMail reports whether forms reach people by e-mail.
func (s *Service) SendsMail() bool { return s.opts.Mailer != nil }

func (s *Service) now() time.Time { return s.opts.Clock.Now().UTC().Truncate(time.Microsecond) }

// IssueUploadToken lets the holder of a form attach files to it for a while.
func (s *Service) IssueUploadToken(ctx context.Context, x Access) (UploadToken, time.Time, error) {
	if err := s.Active(x.Form); err != nil {
		return UploadToken{}, time.Time{}, err
	}
	t := UploadToken{
		ID: ids.New(), TenantID: x.Form.TenantID, AppID: x.Form.AppID, FormID: x.Form.ID, RecipientID: x.Recipient.ID,
		Token: uploadPrefix + ids.Token(32), CreatedAt: s.now(),
	}
	return t, s.uploadEnd(x.Form, t), s.store.AddUploadToken(ctx, t)
}

const uploadPrefix = "hitl_upload_"

func (s *Service) uploadEnd(f *Form, t UploadToken) time.Time {
	end, _ := s.Deadline(f)
	if own := t.CreatedAt.Add(s.opts.UploadTTL); own.Before(end) {
		return own
	}
	return end
}

// ByUploadToken returns the form that an upload token is for. Codes:
// InvalidUploadToken, those of Active.
func (s *Service) ByUploadToken(ctx context.Context, token string) (UploadToken, *Form, error) {
	invalid := &errs.Error{Code: errs.InvalidUploadToken, Message: "Upload token is invalid or expired.", Status: 403}
	if !strings.HasPrefix(token, uploadPrefix) || len(token) > 255 || strings.ContainsRune(token, 0) {
		return UploadToken{}, nil, invalid
	}
	t, err := s.store.UploadToken(ctx, token)
	if errs.Is(err, errs.NotFound) {
		return t, nil, invalid
	}
	if err != nil {
		return t, nil, err
	}
	f, err := s.store.Form(ctx, t.TenantID, t.FormID)
	if err != nil {
		return t, nil, err
	}
	if err := s.Active(f); err != nil {
		return t, nil, err
	}
	if !s.now().Before(s.uploadEnd(f, t)) {
		return t, nil, invalid
	}
	return t, f, nil
}

// AddUpload remembers that a file belongs to a form.
func (s *Service) AddUpload(ctx context.Context, t UploadToken, uploadID string) error {
	return s.store.AddUpload(ctx, t, uploadID, s.now())
}

// Uploaded resolves references to the files that were uploaded for a form, with
// the given resolver's rights.
func (s *Service) Uploaded(f *Form, inner inputs.Files) inputs.Files {
	return uploaded{s: s, form: f, inner: inner}
}

type uploaded struct {
	s     *Service
	form  *Form
	inner inputs.Files
}

// ResolveFile implements inputs.Files.
func (u uploaded) ResolveFile(ctx context.Context, ref *value.Object, rules inputs.FileRules) (*value.File, error) {
	f, err := u.inner.ResolveFile(ctx, ref, rules)
	if err != nil {
		return nil, err
	}
	if f.RelatedID == "" {
		return f, nil // of another server
	}
	mine, err := u.s.store.Uploads(ctx, u.form.TenantID, u.form.ID)
	if err != nil {
		return nil, err
	}
	for _, id := range mine {
		if id == f.RelatedID {
			return f, nil
		}
	}
	return nil, errs.New(errs.InvalidParam, "Invalid upload file")
}
