package edge

import (
	"net"
	"net/http"
	"strings"
)

// ClientIP is the address that the nearest proxy saw. Callers can write these
// headers themselves: it is for the record and for limits that protect against
// accidents, not for decisions about who somebody is.
func ClientIP(r *http.Request) string {
	for _, ip := range []string{r.Header.Get("CF-Connecting-IP"), r.Header.Get("X-Forwarded-For")} {
		ip, _, _ = strings.Cut(ip, ",")
		if ip = strings.TrimSpace(ip); net.ParseIP(ip) != nil {
			return ip
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
