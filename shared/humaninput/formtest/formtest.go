// Package formtest is the suite that every humaninput.Store passes.
package formtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/value"
)

// start is when the suite's forms are made.
func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// NewForm returns a form as a run asks it.
func NewForm() *humaninput.Form {
	delivery := humaninput.Delivery{ID: ids.New(), Method: humaninput.DeliveryWebApp, ConfigID: ids.Random(), Payload: value.Obj("type", "webapp")}
	return &humaninput.Form{
		ID: ids.New(), TenantID: ids.Random(), AppID: ids.Random(), RunID: ids.Random(), Kind: humaninput.KindRuntime, NodeID: "ask",
		MessageID: ids.Random(), ConversationID: ids.Random(),
		Definition: humaninput.Definition{
			NodeTitle: "Ask", Template: "{{#start.q#}} {{#$output.note#}}", Content: "héllo {{#$output.note#}}",
			Inputs:   []humaninput.Input{{Type: humaninput.InputParagraph, Name: "note"}},
			Actions:  []humaninput.Action{{ID: "ok", Title: "OK", Style: "primary"}},
			Defaults: value.Obj("note", "x"), DisplayInUI: true,
		},
		Status: humaninput.StatusWaiting, CreatedAt: start(), ExpiresAt: start().Add(time.Hour),
		Deliveries: []humaninput.Delivery{delivery},
		Recipients: []humaninput.Recipient{
			{ID: ids.New(), DeliveryID: delivery.ID, Type: humaninput.RecipientWebApp, Token: ids.Token(22)},
			{ID: ids.New(), DeliveryID: delivery.ID, Type: humaninput.RecipientMember, AccountID: ids.Random(), Email: "a@example.com", Token: ids.Token(22)},
		},
	}
}

// Run runs the suite on a store, which may hold other things.
func Run(t *testing.T, s humaninput.Store) {
	t.Run("forms", func(t *testing.T) { t.Parallel(); forms(t, s) })
	t.Run("answers", func(t *testing.T) { t.Parallel(); answers(t, s) })
	t.Run("races", func(t *testing.T) { t.Parallel(); races(t, s) })
	t.Run("uploads", func(t *testing.T) { t.Parallel(); uploads(t, s) })
	t.Run("mails", func(t *testing.T) { t.Parallel(); mails(t, s) })
	t.Run("tenants", func(t *testing.T) { t.Parallel(); tenants(t, s) })
}

func create(t *testing.T, s humaninput.Store, f *humaninput.Form, mails ...humaninput.Mail) *humaninput.Form {
	t.Helper()
	require.NoError(t, s.Create(t.Context(), f, mails))
	return f
}

func forms(t *testing.T, s humaninput.Store) {
	ctx, f := t.Context(), create(t, s, NewForm())
	have, err := s.Form(ctx, f.TenantID, f.ID)
	require.NoError(t, err)
	require.Equal(t, f.Definition.Content, have.Definition.Content)
	require.Equal(t, f.Definition.Actions, have.Definition.Actions)
	require.Equal(t, value.JSON(f.View()), value.JSON(have.View()))
	require.Equal(t, f.Recipients, have.Recipients)
	require.Equal(t, f.MessageID, have.MessageID)
	require.True(t, f.ExpiresAt.Equal(have.ExpiresAt))
	require.Nil(t, have.Submission)

	again := *f
	again.Recipients = []humaninput.Recipient{{ID: ids.New(), DeliveryID: f.Deliveries[0].ID, Type: humaninput.RecipientWebApp, Token: ids.Token(22)}}
	create(t, s, &again)
	have, err = s.Form(ctx, f.TenantID, f.ID)
	require.NoError(t, err)
	require.Equal(t, f.Recipients, have.Recipients, "a form is made once")

	have, r, err := s.ByToken(ctx, f.Recipients[1].Token)
	require.NoError(t, err)
	require.Equal(t, f.ID, have.ID)
	require.Equal(t, f.Recipients[1], *r)
	_, _, err = s.ByToken(ctx, "nosuchtoken")
	require.True(t, errs.Is(err, errs.NotFound))

	second := NewForm()
	second.TenantID, second.AppID, second.RunID, second.CreatedAt = f.TenantID, f.AppID, f.RunID, start().Add(time.Second)
	create(t, s, second)
	list, err := s.OfRun(ctx, f.TenantID, f.RunID)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []string{f.ID, second.ID}, []string{list[0].ID, list[1].ID})
	byMessage, err := s.OfMessages(ctx, f.TenantID, f.AppID, []string{f.MessageID, ids.Random()})
	require.NoError(t, err)
	require.Len(t, byMessage, 1)
	require.Equal(t, f.ID, byMessage[f.MessageID][0].ID)
}

func answer(at time.Time) humaninput.Submission {
	return humaninput.Submission{ActionID: "ok", Data: value.Obj("note", "zoë"), At: at, EndUserID: ids.Random(), RecipientID: ids.Random()}
}

func answers(t *testing.T, s humaninput.Store) {
	ctx, f := t.Context(), create(t, s, NewForm())
	a := answer(start().Add(time.Minute))
	a.Data.Set("doc", &value.File{Type: "document", TransferMethod: "local_file", Filename: "a.txt", RelatedID: ids.Random()})
	ok, err := s.Submit(ctx, f.TenantID, f.ID, a, start().Add(time.Nanosecond))
	require.NoError(t, err)
	require.False(t, ok, "the deployment's time for it is over")
	ok, err = s.Submit(ctx, f.TenantID, f.ID, answer(f.ExpiresAt), start().Add(-time.Hour))
	require.NoError(t, err)
	require.False(t, ok, "its own time is over")
	ok, err = s.Submit(ctx, f.TenantID, f.ID, a, start().Add(-time.Hour))
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = s.Submit(ctx, f.TenantID, f.ID, a, start().Add(-time.Hour))
	require.NoError(t, err)
	require.False(t, ok, "it was answered")
	ok, err = s.End(ctx, f.TenantID, f.ID, humaninput.StatusTimeout, a.At)
	require.NoError(t, err)
	require.False(t, ok)
	have, err := s.Form(ctx, f.TenantID, f.ID)
	require.NoError(t, err)
	require.Equal(t, humaninput.StatusSubmitted, have.Status)
	require.Equal(t, "zoë", have.Submission.Data.Value("note"))
	require.Equal(t, a.Data.Value("doc"), have.Submission.Data.Value("doc"), "a file is a file again")
	require.Equal(t, a.EndUserID, have.Submission.EndUserID)
	require.Equal(t, a.RecipientID, have.Submission.RecipientID)
	require.True(t, a.At.Equal(have.Submission.At))

	owed := func(before time.Time) (n int) {
		list, err := s.OwedWakes(ctx, before, 1000)
		require.NoError(t, err)
		for _, w := range list {
			if w.FormID == f.ID {
				require.Equal(t, humaninput.Wake{TenantID: f.TenantID, FormID: f.ID, RunID: f.RunID}, w)
				n++
			}
		}
		return n
	}
	require.Zero(t, owed(a.At))
	require.Equal(t, 1, owed(a.At.Add(time.Second)))
	require.NoError(t, s.SettleWake(ctx, f.TenantID, f.ID))
	require.Zero(t, owed(a.At.Add(time.Second)))

	late := create(t, s, NewForm())
	ok, err = s.End(ctx, late.TenantID, late.ID, humaninput.StatusTimeout, a.At)
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = s.Submit(ctx, late.TenantID, late.ID, a, start().Add(-time.Hour))
	require.NoError(t, err)
	require.False(t, ok)
}

// races has many answers and a timer come at the same moment.
func races(t *testing.T, s humaninput.Store) {
	f := create(t, s, NewForm())
	var wg sync.WaitGroup
	won := make(chan string, 20)
	for i := range 10 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if i%3 == 2 {
				if ok, err := s.End(context.Background(), f.TenantID, f.ID, humaninput.StatusTimeout, start()); err == nil && ok {
					won <- humaninput.StatusTimeout
				}
				return
			}
			if ok, err := s.Submit(context.Background(), f.TenantID, f.ID, answer(start().Add(time.Minute)), start().Add(-time.Hour)); err == nil && ok {
				won <- humaninput.StatusSubmitted
			}
		}()
	}
	wg.Wait()
	close(won)
	winner, ok := <-won
	require.True(t, ok, "somebody wins")
	_, more := <-won
	require.False(t, more, "one of them wins")
	have, err := s.Form(t.Context(), f.TenantID, f.ID)
	require.NoError(t, err)
	require.Equal(t, winner, have.Status)
	require.Equal(t, winner == humaninput.StatusSubmitted, have.Submission != nil)
}

func uploads(t *testing.T, s humaninput.Store) {
	ctx, f := t.Context(), create(t, s, NewForm())
	token := humaninput.UploadToken{
		ID: ids.New(), TenantID: f.TenantID, AppID: f.AppID, FormID: f.ID, RecipientID: f.Recipients[0].ID, Token: ids.Token(40), CreatedAt: start(),
	}
	require.NoError(t, s.AddUploadToken(ctx, token))
	have, err := s.UploadToken(ctx, token.Token)
	require.NoError(t, err)
	require.True(t, token.CreatedAt.Equal(have.CreatedAt))
	have.CreatedAt = token.CreatedAt
	require.Equal(t, token, have)
	_, err = s.UploadToken(ctx, "nothing")
	require.True(t, errs.Is(err, errs.NotFound))
	upload := ids.Random()
	require.NoError(t, s.AddUpload(ctx, token, upload, start()))
	list, err := s.Uploads(ctx, f.TenantID, f.ID)
	require.NoError(t, err)
	require.Equal(t, []string{upload}, list)
}

func mails(t *testing.T, s humaninput.Store) {
	ctx, f := t.Context(), NewForm()
	m := humaninput.Mail{ID: ids.New(), TenantID: f.TenantID, FormID: f.ID, To: "a@example.com", Subject: "S", Body: "B"}
	create(t, s, f, m)
	claim := func(now time.Time) []humaninput.Mail {
		list, err := s.ClaimMails(ctx, f.ID, now, now.Add(time.Minute), 10)
		require.NoError(t, err)
		return list
	}
	require.Equal(t, []humaninput.Mail{m}, claim(start()))
	require.Empty(t, claim(start()), "somebody sends it")
	require.Len(t, claim(start().Add(time.Minute)), 1, "who had it is gone")
	require.NoError(t, s.SettleMail(ctx, f.TenantID, m.ID, false, start().Add(time.Hour)))
	require.Empty(t, claim(start().Add(30*time.Minute)))
	again := claim(start().Add(time.Hour))
	require.Len(t, again, 1)
	require.Equal(t, 1, again[0].Attempts)
	require.NoError(t, s.SettleMail(ctx, f.TenantID, m.ID, true, time.Time{}))
	require.Empty(t, claim(start().Add(24*time.Hour)))
}

func tenants(t *testing.T, s humaninput.Store) {
	ctx, f, other := t.Context(), NewForm(), ids.Random()
	m := humaninput.Mail{ID: ids.New(), TenantID: f.TenantID, FormID: f.ID, To: "a@example.com", Subject: "S", Body: "B"}
	create(t, s, f, m)
	_, err := s.Form(ctx, other, f.ID)
	require.True(t, errs.Is(err, errs.NotFound))
	list, err := s.OfRun(ctx, other, f.RunID)
	require.NoError(t, err)
	require.Empty(t, list)
	for _, p := range [][2]string{{other, f.AppID}, {f.TenantID, other}} {
		byMessage, err := s.OfMessages(ctx, p[0], p[1], []string{f.MessageID})
		require.NoError(t, err)
		require.Empty(t, byMessage)
	}
	ok, err := s.Submit(ctx, other, f.ID, answer(start().Add(time.Minute)), start().Add(-time.Hour))
	require.NoError(t, err)
	require.False(t, ok)
	ok, err = s.End(ctx, other, f.ID, humaninput.StatusExpired, start())
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, s.SettleMail(ctx, other, m.ID, true, time.Time{}))
	owed, err := s.ClaimMails(ctx, f.ID, start(), start().Add(time.Minute), 10)
	require.NoError(t, err)
	require.Len(t, owed, 1)
	ok, err = s.Submit(ctx, f.TenantID, f.ID, answer(start().Add(time.Minute)), start().Add(-time.Hour))
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, s.SettleWake(ctx, other, f.ID))
	wakes, err := s.OwedWakes(ctx, start().Add(time.Hour), 1000)
	require.NoError(t, err)
	require.Contains(t, wakes, humaninput.Wake{TenantID: f.TenantID, FormID: f.ID, RunID: f.RunID})
	uploads, err := s.Uploads(ctx, other, f.ID)
	require.NoError(t, err)
	require.Empty(t, uploads)
}
