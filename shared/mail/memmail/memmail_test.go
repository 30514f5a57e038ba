package memmail_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/mail/driver"
	"github.com/millrace/millrace/shared/mail/mailtest"
	"github.com/millrace/millrace/shared/mail/memmail"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	b := memmail.New()
	mailtest.Run(t, b, func() (out []string) {
		for _, m := range b.Mails() {
			out = append(out, m.Text)
		}
		return out
	})
	require.Equal(t, "Bitte prüfen", b.Mails()[0].Subject)
	b.Fail(errors.New("no"))
	require.ErrorContains(t, b.Send(t.Context(), driver.Message{}), "no")
}
