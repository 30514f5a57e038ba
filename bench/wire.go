package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// wire sends one HTTP request again and again over a connection that it keeps.
// The load generator shares the machine with what it measures, so it does what
// a client must and no more: it writes bytes that were made once and reads the
// answer that belongs to them.
type wire struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
	body    []byte
}

// dialWire connects to a server and makes the request.
func dialWire(ctx context.Context, addr, path, key string, body []byte) (*wire, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, addr, key, len(body), body)
	return &wire{conn: conn, in: bufio.NewReader(conn), request: request}, nil
}

// do makes the request and returns the body of the answer, which is good until
// the next call.
func (w *wire) do() ([]byte, error) {
	if _, err := w.conn.Write(w.request); err != nil {
		return nil, err
	}
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	proto, status, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(" "))
	if !bytes.HasPrefix(proto, []byte("HTTP/1.1")) || !bytes.HasPrefix(status, []byte(strconv.Itoa(http.StatusOK))) {
		return nil, fmt.Errorf("the server answers %s", line)
	}
	length := -1
	for {
		if line, err = w.in.ReadSlice('\n'); err != nil {
			return nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if strings.EqualFold(string(name), "Content-Length") {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, err
			}
		}
	}
	if length < 0 {
		return nil, fmt.Errorf("an answer without a length")
	}
	if cap(w.body) < length {
		w.body = make([]byte, length)
	}
	w.body = w.body[:length]
	_, err = io.ReadFull(w.in, w.body)
	return w.body, err
}

func (w *wire) close() { _ = w.conn.Close() }
