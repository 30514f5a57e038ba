// Package smtp carries mails to the SMTP server of the deployment's operator.
//
// The protocol is a library's; the connection and the text of a mail are made
// here, because the library's own makers of both link template engines into
// every function that may send a mail.
package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"

	gosmtp "github.com/wneessen/go-mail/smtp"

	"github.com/millrace/millrace/shared/clock"
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
	// plain and is upgraded, which the server must offer. Without TLS nothing is
	// encrypted, and a password is given to this machine alone.
	TLS, Opportunistic bool
	// LocalName is how this side introduces itself.
	LocalName string
	Clock     clock.Clock
}

const (
	defaultPort = 465
	// timeout bounds one mail where the caller sets no bound.
	timeout = 30 * time.Second
)

type server struct{ o Options }

// New returns a driver. It connects for each mail. Codes: InvalidParam.
func New(o Options) (driver.Driver, error) {
	if o.Host == "" {
		return nil, errs.New(errs.InvalidParam, "the mail server has no name")
	}
	if o.Port == 0 {
		o.Port = defaultPort
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	return &server{o}, nil
}

// Send implements driver.Driver.
func (s *server) Send(ctx context.Context, m driver.Message) error {
	from, err := mail.ParseAddress(m.From)
	if err != nil {
		return errs.Wrap(errs.InvalidParam, err, "the address that mails are sent from is not valid")
	}
	to := make([]*mail.Address, len(m.To))
	for i, text := range m.To {
		if to[i], err = mail.ParseAddress(text); err != nil {
			return errs.Wrap(errs.InvalidParam, err, "the address of a mail's reader is not valid")
		}
	}
	if err := s.carry(ctx, from, to, s.text(m, from, to)); err != nil {
		return fmt.Errorf("smtp: %w", err)
	}
	return nil
}

func (s *server) carry(ctx context.Context, from *mail.Address, to []*mail.Address, text []byte) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // after Quit it is closed already
	if s.o.Username != "" && s.o.Password != "" {
		if err := c.Auth(s.auth(c)); err != nil {
			return err
		}
	}
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	for _, a := range to {
		if err := c.Rcpt(a.Address); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // the mail is taken, whatever the server says now
	return nil
}

// connect opens a session, encrypted where that is asked for.
func (s *server) connect(ctx context.Context) (*gosmtp.Client, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.o.Host, strconv.Itoa(s.o.Port)))
	if err != nil {
		return nil, err
	}
	end := s.o.Clock.Now().Add(timeout)
	if own, ok := ctx.Deadline(); ok && own.Before(end) {
		end = own
	}
	if err := conn.SetDeadline(end); err != nil {
		_ = conn.Close()
		return nil, err
	}
	config := &tls.Config{ServerName: s.o.Host, MinVersion: tls.VersionTLS12}
	if s.o.TLS && !s.o.Opportunistic {
		conn = tls.Client(conn, config)
	}
	c, err := gosmtp.NewClient(conn, s.o.Host)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if s.o.LocalName != "" {
		err = c.Hello(s.o.LocalName)
	}
	if err == nil && s.o.TLS && s.o.Opportunistic {
		err = c.StartTLS(config)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// auth chooses how to sign in from what the server offers.
func (s *server) auth(c *gosmtp.Client) gosmtp.Auth {
	_, offered := c.Extension("AUTH")
	if offered = " " + offered + " "; !strings.Contains(offered, " PLAIN ") && strings.Contains(offered, " LOGIN ") {
		return gosmtp.LoginAuth(s.o.Username, s.o.Password, s.o.Host, false)
	}
	return gosmtp.PlainAuth("", s.o.Username, s.o.Password, s.o.Host, false)
}

// text is a mail as it is sent.
func (s *server) text(m driver.Message, from *mail.Address, to []*mail.Address) []byte {
	readers := make([]string, len(to))
	for i, a := range to {
		readers[i] = a.String()
	}
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", from.String()}, {"To", strings.Join(readers, ", ")}, {"Subject", mime.QEncoding.Encode("utf-8", m.Subject)},
		{"Date", s.o.Clock.Now().Format(time.RFC1123Z)}, {"Message-ID", "<" + m.ID + "@" + domain(from.Address) + ">"},
		{"MIME-Version", "1.0"}, {"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(m.Text)) // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// domain is the part behind the @ of an address.
func domain(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
