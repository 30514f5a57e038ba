package httprequest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow/value"
)

func TestHeadersKeepTheServersOrder(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack() // the server would sort them
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Echo: yes\r\nSet-Cookie: a=1\r\n"+
			"Content-Length: 2\r\nSet-Cookie: b=2\r\nAccept-Ranges: none\r\n\r\n{}")
		_ = conn.Close()
	}))
	t.Cleanup(s.Close)
	res, err := f.run(t, `{"type":"http-request","method":"get","url":"`+s.URL+`","headers":"",`+noAuth+`}`)
	require.NoError(t, err)
	require.Equal(t, `{"content-type": "application/json", "x-echo": "yes", "set-cookie": "a=1, b=2", "content-length": "2", "accept-ranges": "none"}`,
		value.JSON(res.Outputs.Value("headers")))
}
