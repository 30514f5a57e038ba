// Package driver is the interface between package mail and what carries mails.
// Only drivers and mail itself import it.
package driver

import "context"

// Message is a complete mail.
type Message struct {
	// ID is the same for every try to send the mail; drivers make the Message-ID of it.
	ID            string
	From          string
	To            []string
	Subject, Text string
}

// Driver carries mails. It is safe for concurrent use.
type Driver interface {
	// Send returns when the next server has taken the mail, or cannot.
	Send(ctx context.Context, m Message) error
}
