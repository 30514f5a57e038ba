package httprequest

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/shared/redact"
)

// maxLogged bounds the logged body in bytes.
const maxLogged = 64 << 10

// log is the request as users see it in process data: files named instead of
// shown, the authorization starred out, secrets masked.
func (r *request) log(secrets []string) string {
	var b strings.Builder
	target := r.url.EscapedPath()
	if target == "" {
		target = "/"
	}
	if r.query != "" {
		target += "?" + r.query
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", strings.ToUpper(r.method), target, r.url.Host)
	for _, h := range r.headers {
		switch {
		case strings.EqualFold(h.key, "Content-Type"):
		case r.auth != nil && strings.EqualFold(h.key, r.auth.key):
		default:
			fmt.Fprintf(&b, "%s: %s\r\n", h.key, h.value)
		}
	}
	if r.auth != nil {
		fmt.Fprintf(&b, "%s: %s\r\n", r.auth.key, strings.Repeat("*", len(r.auth.value)))
	}
	if t := r.contentType(); t != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", t)
	}
	shown := r.shown
	if shown == "" && len(r.names) > 0 {
		shown = "<file_content_binary: '" + strings.Join(r.names, "', '") + "'>"
	}
	if len(r.body) > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	b.WriteString("\r\n")
	if len(shown) > maxLogged {
		shown = strings.ToValidUTF8(shown[:maxLogged], "") + "..."
	}
	b.WriteString(shown)
	return redact.Text(b.String(), secrets)
}
