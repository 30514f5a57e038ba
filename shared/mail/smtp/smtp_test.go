package smtp_test

import (
	"bufio"
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
			say("250-here\r\n250 8BITMIME")
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

func open(t *testing.T, r *relay) driver.Driver {
	t.Helper()
	host, port, err := net.SplitHostPort(r.listener.Addr().String())
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	d, err := smtp.New(smtp.Options{Host: host, Port: n, LocalName: "millrace.test"})
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

func TestSettings(t *testing.T) {
	t.Parallel()
	_, err := smtp.New(smtp.Options{})
	require.Error(t, err, "a server is needed")
	for _, o := range []smtp.Options{{Host: "h", TLS: true}, {Host: "h", TLS: true, Opportunistic: true}, {Host: "h", Username: "u", Password: "p"}} {
		_, err := smtp.New(o)
		require.NoError(t, err)
	}
}
