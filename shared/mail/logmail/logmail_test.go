package logmail_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/mail/logmail"
	"github.com/millrace/millrace/shared/mail/mailtest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	mailtest.Run(t, logmail.New(slog.New(slog.NewTextHandler(&b, nil))), nil)
	require.Contains(t, b.String(), "https://example.com/form/abc")
}
