package humaninput

import (
	"context"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/mail"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

const (
	mailTimeout     = 15 * time.Second
	mailClaim       = time.Minute
	mailBatch       = 20
	maxMailAttempts = 10
	// urlPlaceholder is where a mail's text wants the address of the form.
	urlPlaceholder = "{{#url#}}"
)

// debugging says whether the person who builds the app has started the run.
func debugging(r *workflow.RunInfo) bool {
	return r.InvokeFrom == "debugger" || r.InvokeFrom == "explore"
}

// address adds the deliveries and recipients of a form and returns the mails
// that it owes.
func (s *Service) address(ctx context.Context, f *Form, a Ask) ([]Mail, error) {
	var mails []Mail
	for _, m := range a.Config.Methods {
		if !m.Enabled {
			continue
		}
		d := Delivery{ID: ids.New(), Method: m.Type, ConfigID: m.ID, Payload: m.Raw}
		f.Deliveries = append(f.Deliveries, d)
		if m.Type == DeliveryWebApp {
			f.recipient(Recipient{DeliveryID: d.ID, Type: RecipientWebApp})
			continue
		}
		to, err := s.readers(ctx, m.Email, a.Run)
		if err != nil {
			return nil, err
		}
		for _, r := range to {
			r.DeliveryID = d.ID
			r = f.recipient(r)
			if s.opts.Mailer == nil {
				continue
			}
			mails = append(mails, Mail{
				ID: ids.New(), TenantID: f.TenantID, FormID: f.ID, To: r.Email,
				Subject: oneLine(workflow.RenderText(m.Email.Subject, a.Pool)), Body: s.body(m.Email.Body, r.Token, a.Pool),
			})
		}
	}
	// Who looks after the app may always answer, whatever the node says.
	d := Delivery{ID: ids.New(), Method: DeliveryWebApp, Payload: value.NewObject(0)}
	f.Deliveries = append(f.Deliveries, d)
	if debugging(a.Run) && a.Run.UserFrom == "account" {
		f.recipient(Recipient{DeliveryID: d.ID, Type: RecipientConsole, AccountID: a.Run.UserID})
	}
	f.recipient(Recipient{DeliveryID: d.ID, Type: RecipientBackstage})
	return mails, nil
}

func (f *Form) recipient(r Recipient) Recipient {
	r.ID, r.Token = ids.New(), ids.Token(tokenLength)
	f.Recipients = append(f.Recipients, r)
	return r
}

// readers are who a mail goes to, each address once. In debug mode it goes to
// the person who debugs alone.
func (s *Service) readers(ctx context.Context, m *EmailMethod, run *workflow.RunInfo) ([]Recipient, error) {
	var members []Member
	if s.opts.Directory != nil && (m.Everyone || m.Debug || len(m.Members) > 0) {
		var err error
		if members, err = s.opts.Directory.Members(ctx, run.TenantID); err != nil {
			return nil, err
		}
	}
	wanted := map[string]bool{}
	for _, id := range m.Members {
		wanted[id] = true
	}
	debug := m.Debug && debugging(run)
	seen := map[string]bool{}
	var out []Recipient
	add := func(r Recipient) {
		if key := strings.ToLower(r.Email); r.Email != "" && !seen[key] {
			seen[key] = true
			out = append(out, r)
		}
	}
	for _, x := range members {
		if debug && x.AccountID == run.UserID || !debug && (m.Everyone || wanted[x.AccountID]) {
			add(Recipient{Type: RecipientMember, AccountID: x.AccountID, Email: x.Email})
		}
	}
	if !debug {
		for _, email := range m.External {
			add(Recipient{Type: RecipientExternal, Email: strings.TrimSpace(email)})
		}
	}
	return out, nil
}

// body is the text of a mail: the node's, with the run's variables and the
// address of the form.
func (s *Service) body(template, token string, pool *workflow.Pool) string {
	text, url := workflow.RenderText(template, pool), s.PageURL(token)
	if !strings.Contains(text, urlPlaceholder) {
		return text + "\n\n" + url + "\n"
	}
	return strings.ReplaceAll(text, urlPlaceholder, url)
}

// sendMails sends mails that are owed, of one form or of any, and returns how
// many it took. A mail may be sent twice when a process dies right after
// sending it; its message id is the same then, so that readers see one.
func (s *Service) sendMails(ctx context.Context, formID string) (int, error) {
	now := s.now()
	mails, err := s.store.ClaimMails(ctx, formID, now, now.Add(mailClaim), mailBatch)
	if err != nil {
		return 0, err
	}
	for _, m := range mails {
		sending, cancel := context.WithTimeout(ctx, mailTimeout)
		failed := s.opts.Mailer.Send(sending, mail.Message{ID: m.ID, To: []string{m.To}, Subject: m.Subject, Text: m.Body})
		cancel()
		var retryAt time.Time
		if failed != nil {
			s.opts.Log.WarnContext(ctx, "send form by mail", "form_id", m.FormID, "attempt", m.Attempts+1, "error", failed)
			if m.Attempts+1 < maxMailAttempts {
				retryAt = s.now().Add(time.Minute << min(m.Attempts, 6))
			}
		}
		if err := s.store.SettleMail(context.WithoutCancel(ctx), m.TenantID, m.ID, failed == nil, retryAt); err != nil {
			return len(mails), err
		}
	}
	return len(mails), nil
}

// Channels are the ways besides the run's own surface in which a form may be
// answered, and the token that this surface answers with.
func (f *Form) Channels(run *workflow.RunInfo) (token string, channels []any) {
	channels = []any{}
	switch {
	case debugging(run):
		token = f.Token(RecipientConsole, RecipientBackstage, RecipientWebApp)
	case run.InvokeFrom == "web-app":
		token = f.Token(RecipientWebApp)
	default:
		token = f.Token(RecipientWebApp)
		if f.Token(RecipientBackstage) != "" {
			channels = append(channels, "console")
		}
	}
	if f.Token(RecipientMember, RecipientExternal) != "" {
		channels = append(channels, "email")
	}
	return token, channels
}
