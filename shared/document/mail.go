package document

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
)

// maxParts bounds how deeply the parts of a message may be nested.
const maxParts = 16

// readMail returns the body of a message: its plain text, otherwise the text of
// its HTML. Attachments are left out.
func readMail(data []byte, most int64) (string, error) {
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return "", errors.New("the file is no e-mail message")
	}
	plain, page, err := mailPart(textproto.MIMEHeader(m.Header), io.LimitReader(m.Body, most), 0)
	if err != nil {
		return "", err
	}
	if plain == "" {
		plain = htmlText(page)
	}
	return strings.TrimSpace(strings.ReplaceAll(plain, "\r\n", "\n")), nil
}

// mailPart returns the plain and the HTML text of a part and of those inside.
func mailPart(h textproto.MIMEHeader, body io.Reader, depth int) (plain, page string, err error) {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		media, params = "text/plain", nil
	}
	if disposition, _, err := mime.ParseMediaType(h.Get("Content-Disposition")); err == nil && disposition == "attachment" {
		return "", "", nil
	}
	if strings.HasPrefix(media, "multipart/") {
		return mailParts(media, multipart.NewReader(body, params["boundary"]), depth)
	}
	if media != "text/plain" && media != "text/html" {
		return "", "", nil
	}
	switch strings.ToLower(strings.TrimSpace(h.Get("Content-Transfer-Encoding"))) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return "", "", err
	}
	text, ok := "", false
	if charset := params["charset"]; charset != "" {
		text, ok = decodeAs(raw, charset)
	}
	if !ok {
		text = decode(raw)
	}
	if media == "text/html" {
		return "", text, nil
	}
	return text, "", nil
}

func mailParts(media string, parts *multipart.Reader, depth int) (plain, page string, err error) {
	if depth >= maxParts {
		return "", "", errors.New("the message is nested too deeply")
	}
	join := func(have, more string) string {
		if have == "" || more == "" {
			return have + more
		}
		return have + "\n" + more
	}
	for {
		// Raw, because the transfer encoding is undone for all parts alike.
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return plain, page, nil
		}
		if err != nil {
			return "", "", err
		}
		text, markup, err := mailPart(p.Header, p, depth+1)
		if err != nil {
			return "", "", err
		}
		if media == "multipart/alternative" { // the same in several forms
			text, markup = first(plain, text), first(page, markup)
			plain, page = text, markup
			continue
		}
		if text == "" {
			text = htmlText(markup)
		}
		plain = join(plain, text)
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
