// Package smtp carries mails to the SMTP server of the deployment's operator.
package smtp

import (
	"context"
	"fmt"
	"net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/mail/driver"
)

// Options say where the server is. All but Host are optional.
type Options struct {
	Host     string
	Port     int // [465]
	Username string
	Password string
	// TLS encrypts from the first byte; with Opportunistic the connection starts
	// plain and is upgraded, which the server must offer.
	TLS, Opportunistic bool
	// LocalName is how this side introduces itself.
	LocalName string
}

type server struct{ client *gomail.Client }

// New returns a driver. It connects for each mail. Codes: InvalidParam.
func New(o Options) (driver.Driver, error) {
	if o.Port == 0 {
		o.Port = 465
	}
	opts := []gomail.Option{gomail.WithPort(o.Port)}
	switch {
	case o.TLS && o.Opportunistic:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case o.TLS:
		opts = append(opts, gomail.WithSSL())
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if o.Username != "" && o.Password != "" {
		// A server on a plain connection gets the password only if it is this machine.
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(o.Username), gomail.WithPassword(o.Password))
	}
	if o.LocalName != "" {
		opts = append(opts, gomail.WithHELO(o.LocalName))
	}
	c, err := gomail.NewClient(o.Host, opts...)
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, "the settings of the mail server are not valid")
	}
	return server{c}, nil
}

// Send implements driver.Driver.
func (s server) Send(ctx context.Context, m driver.Message) error {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.From(m.From); err != nil {
		return errs.Wrap(errs.InvalidParam, err, "the address that mails are sent from is not valid")
	}
	if err := msg.To(m.To...); err != nil {
		return errs.Wrap(errs.InvalidParam, err, "the address of a mail's reader is not valid")
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.ID + "@" + domain(m.From))
	msg.SetDate()
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if err := s.client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("smtp: %w", err)
	}
	return nil
}

// domain is the part behind the @ of an address.
func domain(from string) string {
	a, err := mail.ParseAddress(from)
	if err != nil {
		return "localhost"
	}
	return a.Address[strings.LastIndexByte(a.Address, '@')+1:]
}
