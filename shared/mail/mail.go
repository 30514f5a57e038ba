// Package mail sends e-mails to people: plain text from the deployment's own
// address. What carries them is a driver (package smtp; memmail for tests,
// logmail where nothing is configured but somebody wants to read them).
//
// It keeps no queue: who has to be sure that a mail is sent stores it and tries
// until Send has worked, as package humaninput does. It renders no templates.
//
// START HERE: Mailer.
package mail

import (
	"context"
	"net/mail"
	"strings"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/mail/driver"
)

// Message is what is to be sent.
type Message struct {
	// ID is the same for every try to send the mail, so that readers who get it
	// twice see it once.
	ID            string
	To            []string
	Subject, Text string
}

// Mailer sends mails. It is safe for concurrent use.
type Mailer struct {
	driver driver.Driver
	from   string
}

// New returns a mailer that sends from an address ("x@example.com" or
// "Name <x@example.com>"). Codes: InvalidParam.
func New(d driver.Driver, from string) (*Mailer, error) {
	if _, err := mail.ParseAddress(from); err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, "the address that mails are sent from is not valid")
	}
	return &Mailer{driver: d, from: from}, nil
}

// Send returns when the mail was taken. Codes: InvalidParam for a message that
// can never be sent; anything else may work later.
func (m *Mailer) Send(ctx context.Context, msg Message) error {
	if len(msg.To) == 0 {
		return errs.New(errs.InvalidParam, "a mail needs a reader")
	}
	for _, to := range msg.To {
		if _, err := mail.ParseAddress(to); err != nil {
			return errs.Wrap(errs.InvalidParam, err, "the address of a mail's reader is not valid")
		}
	}
	if strings.ContainsAny(msg.Subject, "\r\n") || strings.ContainsAny(msg.ID, "\r\n<>@ ") || msg.ID == "" {
		return errs.New(errs.InvalidParam, "the header of a mail is not valid")
	}
	return m.driver.Send(ctx, driver.Message{ID: msg.ID, From: m.from, To: msg.To, Subject: msg.Subject, Text: msg.Text})
}
