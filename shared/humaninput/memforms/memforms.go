// Package memforms keeps the rows of package humaninput in memory, for tests
// and as the second implementation that the suite in humaninput/formtest holds
// the Postgres one against.
package memforms

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Store is a humaninput.Store in memory.
type Store struct {
	mu      sync.Mutex
	forms   []*humaninput.Form
	mails   []*owedMail
	wakes   []owedWake
	tokens  []humaninput.UploadToken
	uploads []upload
}

type owedMail struct {
	humaninput.Mail
	due time.Time
}

type owedWake struct {
	humaninput.Wake
	at time.Time
}

type upload struct{ tenantID, formID, uploadID string }

var _ humaninput.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{} }

func notFound() error { return errs.New(errs.NotFound, "Form not found.") }

// find returns the stored form; the caller holds the lock.
func (s *Store) find(tenantID, id string) *humaninput.Form {
	for _, f := range s.forms {
		if f.ID == id && f.TenantID == tenantID {
			return f
		}
	}
	return nil
}

// shown is a copy that the caller may keep.
func shown(f *humaninput.Form) *humaninput.Form {
	c := *f
	if f.Submission != nil {
		answer := *f.Submission
		c.Submission = &answer
	}
	c.Deliveries, c.Recipients = slices.Clone(f.Deliveries), slices.Clone(f.Recipients)
	return &c
}

// Create stores a form that is not there yet.
func (s *Store) Create(_ context.Context, f *humaninput.Form, mails []humaninput.Mail) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, have := range s.forms {
		if have.ID == f.ID {
			return nil
		}
	}
	// As a database does, keep the text of the definition and not its values.
	d, err := humaninput.DecodeDefinition(humaninput.EncodeDefinition(&f.Definition, f.ExpiresAt))
	if err != nil {
		return err
	}
	stored := shown(f)
	stored.Definition = d
	s.forms = append(s.forms, stored)
	for _, m := range mails {
		s.mails = append(s.mails, &owedMail{Mail: m, due: f.CreatedAt})
	}
	return nil
}

// Form returns a form of the tenant.
func (s *Store) Form(_ context.Context, tenantID, id string) (*humaninput.Form, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.find(tenantID, id); f != nil {
		return shown(f), nil
	}
	return nil, notFound()
}

// ByToken returns the form that a token opens.
func (s *Store) ByToken(_ context.Context, token string) (*humaninput.Form, *humaninput.Recipient, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.forms {
		for _, r := range f.Recipients {
			if r.Token == token {
				return shown(f), &r, nil
			}
		}
	}
	return nil, nil, notFound()
}

// OfRun returns the forms of a run.
func (s *Store) OfRun(_ context.Context, tenantID, runID string) ([]humaninput.Form, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []humaninput.Form
	for _, f := range s.forms {
		if f.TenantID == tenantID && f.RunID == runID {
			out = append(out, *shown(f))
		}
	}
	return out, nil
}

// OfMessages returns the forms of messages.
func (s *Store) OfMessages(_ context.Context, tenantID, appID string, messageIDs []string) (map[string][]humaninput.Form, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]humaninput.Form{}
	for _, f := range s.forms {
		if f.TenantID == tenantID && f.AppID == appID && slices.Contains(messageIDs, f.MessageID) {
			out[f.MessageID] = append(out[f.MessageID], *shown(f))
		}
	}
	return out, nil
}

// Submit stores an answer to a waiting form.
func (s *Store) Submit(_ context.Context, tenantID, id string, a humaninput.Submission, notBefore time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.find(tenantID, id)
	if f == nil || f.Status != humaninput.StatusWaiting || !a.At.Before(f.ExpiresAt) || !f.CreatedAt.After(notBefore) {
		return false, nil
	}
	raw, err := value.Encode(a.Data)
	if err != nil {
		return false, err
	}
	data, err := value.Decode(raw)
	if err != nil {
		return false, err
	}
	a.Data, _ = value.Revive(data).(*value.Object)
	f.Status, f.Submission = humaninput.StatusSubmitted, &a
	if f.RunID != "" {
		s.wakes = append(s.wakes, owedWake{humaninput.Wake{TenantID: tenantID, FormID: id, RunID: f.RunID}, a.At})
	}
	return true, nil
}

// OwedWakes returns wake-ups that nobody has sent.
func (s *Store) OwedWakes(_ context.Context, before time.Time, limit int) ([]humaninput.Wake, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []humaninput.Wake
	for _, w := range s.wakes {
		if w.at.Before(before) && len(out) < limit {
			out = append(out, w.Wake)
		}
	}
	return out, nil
}

// SettleWake forgets a wake-up.
func (s *Store) SettleWake(_ context.Context, tenantID, formID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakes = slices.DeleteFunc(s.wakes, func(w owedWake) bool { return w.TenantID == tenantID && w.FormID == formID })
	return nil
}

// End gives a waiting form a final status.
func (s *Store) End(_ context.Context, tenantID, id, status string, _ time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.find(tenantID, id)
	if f == nil || f.Status != humaninput.StatusWaiting {
		return false, nil
	}
	f.Status = status
	return true, nil
}

// AddUploadToken stores a token.
func (s *Store) AddUploadToken(_ context.Context, t humaninput.UploadToken) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = append(s.tokens, t)
	return nil
}

// UploadToken returns a token by its text.
func (s *Store) UploadToken(_ context.Context, token string) (humaninput.UploadToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.Token == token {
			return t, nil
		}
	}
	return humaninput.UploadToken{}, notFound()
}

// AddUpload says that a file was uploaded for a form.
func (s *Store) AddUpload(_ context.Context, t humaninput.UploadToken, uploadID string, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads = append(s.uploads, upload{t.TenantID, t.FormID, uploadID})
	return nil
}

// Uploads returns the ids of a form's files.
func (s *Store) Uploads(_ context.Context, tenantID, formID string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, u := range s.uploads {
		if u.tenantID == tenantID && u.formID == formID {
			out = append(out, u.uploadID)
		}
	}
	return out, nil
}

// ClaimMails takes mails that are owed.
func (s *Store) ClaimMails(_ context.Context, formID string, now, until time.Time, limit int) ([]humaninput.Mail, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []humaninput.Mail
	for _, m := range s.mails {
		if (formID == "" || m.FormID == formID) && !m.due.After(now) && len(out) < limit {
			m.due = until
			out = append(out, m.Mail)
		}
	}
	return out, nil
}

// SettleMail forgets a mail or says when to try again.
func (s *Store) SettleMail(_ context.Context, tenantID, id string, sent bool, retryAt time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sent || retryAt.IsZero() {
		s.mails = slices.DeleteFunc(s.mails, func(m *owedMail) bool { return m.TenantID == tenantID && m.ID == id })
		return nil
	}
	for _, m := range s.mails {
		if m.TenantID == tenantID && m.ID == id {
			m.Attempts++
			m.due = retryAt
		}
	}
	return nil
}
