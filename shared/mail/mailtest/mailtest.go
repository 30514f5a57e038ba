// Package mailtest is the suite that every driver of package mail passes.
package mailtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/mail"
	"github.com/millrace/millrace/shared/mail/driver"
)

// Run runs the suite. arrived returns the texts of everything that has come out
// at the other end; nil where nobody can see it.
func Run(t *testing.T, d driver.Driver, arrived func() []string) {
	t.Helper()
	m, err := mail.New(d, "Millrace <no-reply@example.com>")
	require.NoError(t, err)
	send := func(ctx context.Context, to, subject string) error {
		return m.Send(ctx, mail.Message{ID: "id-1", To: []string{to}, Subject: subject, Text: "Grüße: https://example.com/form/abc"})
	}
	require.NoError(t, send(t.Context(), "ann@example.com", "Bitte prüfen"))
	for _, bad := range [][2]string{{"nobody", "x"}, {"", "x"}, {"ann@example.com", "x\r\nBcc: y@example.com"}} {
		require.True(t, errs.Is(send(t.Context(), bad[0], bad[1]), errs.InvalidParam), bad)
	}
	require.True(t, errs.Is(m.Send(t.Context(), mail.Message{ID: "x"}), errs.InvalidParam))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, send(ended, "ann@example.com", "too late"))
	if arrived == nil {
		return
	}
	list := arrived()
	require.Len(t, list, 1)
	require.Contains(t, list[0], "https://example.com/form/abc")
	_, err = mail.New(d, "nowhere")
	require.True(t, errs.Is(err, errs.InvalidParam))
}
