package smtp_test

import (
	"bufio"
	"encoding/base64"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/mail/driver"
	"github.com/millrace/millrace/shared/mail/mailtest"
	"github.com/millrace/millrace/shared/mail/smtp"
)

// relay is an SMTP server that keeps what it gets.
type relay struct {
	listener net.Listener
	mu       sync.Mutex
	mails    []string
	refuse   bool
	// offers is what the server says after its name.
	offers string
	signed []string
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
	return r
}

func (r *relay) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	say := func(s string) { _, _ = c.Write([]byte(s + "\r\n")) }
	say("220 here")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " "); verb {
		case "EHLO":
			say("250-here" + r.offers + "\r\n250 8BITMIME")
		case "AUTH":
			r.mu.Lock()
			r.signed = append(r.signed, strings.TrimSpace(line))
			r.mu.Unlock()
			say("235 welcome")
		case "RCPT":
			r.mu.Lock()
			refuse := r.refuse
			r.mu.Unlock()
			if refuse {
				say("550 unknown")
				continue
			}
			say("250 ok")
		case "DATA":
			say("354 go on")
			var body strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				body.WriteString(line)
			}
			r.mu.Lock()
			r.mails = append(r.mails, body.String())
			r.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (r *relay) arrived() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.mails...)
}

func open(t *testing.T, r *relay, change ...func(*smtp.Options)) driver.Driver {
	t.Helper()
	host, port, err := net.SplitHostPort(r.listener.Addr().String())
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	o := smtp.Options{Host: host, Port: n, LocalName: "millrace.test"}
	for _, f := range change {
		f(&o)
	}
	d, err := smtp.New(o)
	require.NoError(t, err)
	return d
}

func TestSuite(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	mailtest.Run(t, open(t, r), r.arrived)
	text := r.arrived()[0]
	require.Contains(t, text, "Message-ID: <id-1@example.com>", "the same for every try")
	require.Contains(t, text, "From: \"Millrace\" <no-reply@example.com>")
	require.Contains(t, text, "text/plain")
}

func TestRefusedReader(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	r.refuse = true
	err := open(t, r).Send(t.Context(), driver.Message{ID: "x", From: "a@example.com", To: []string{"b@example.com"}, Text: "x"})
	require.ErrorContains(t, err, "550")
	require.Empty(t, r.arrived())
}

func TestSignsIn(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	r.offers = "\r\n250-AUTH PLAIN LOGIN"
	m := driver.Message{ID: "x", From: "a@example.com", To: []string{"b@example.com"}, Text: "x"}
	require.NoError(t, open(t, r, func(o *smtp.Options) { o.Username, o.Password = "me", "secret" }).Send(t.Context(), m))
	require.Equal(t, []string{"AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00me\x00secret"))}, r.signed)
	require.Len(t, r.arrived(), 1)
}

func TestNothingGoesOutInPlainTextWhereTLSIsAsked(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	m := driver.Message{ID: "x", From: "a@example.com", To: []string{"b@example.com"}, Text: "x"}
	require.Error(t, open(t, r, func(o *smtp.Options) { o.TLS, o.Opportunistic = true, true }).Send(t.Context(), m), "the server offers no upgrade")
	require.Error(t, open(t, r, func(o *smtp.Options) { o.TLS = true }).Send(t.Context(), m), "the server speaks plain text")
	require.Empty(t, r.arrived())
	_, err := smtp.New(smtp.Options{})
	require.Error(t, err, "a server is needed")
}
