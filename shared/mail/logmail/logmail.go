// Package logmail writes mails to the log instead of sending them: on a laptop
// the links in them are what one wants to see. Texts may open forms, so it is
// for nothing else.
package logmail

import (
	"context"
	"log/slog"

	"github.com/millrace/millrace/shared/mail/driver"
)

type logger struct{ log *slog.Logger }

// New returns a driver that writes to log.
func New(log *slog.Logger) driver.Driver { return logger{log} }

// Send implements driver.Driver.
func (l logger) Send(ctx context.Context, m driver.Message) error {
	l.log.WarnContext(ctx, "mail, not sent", "to", m.To, "subject", m.Subject, "text", m.Text)
	return ctx.Err()
}
