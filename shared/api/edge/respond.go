package edge

import (
	"bytes"
	"encoding/json"
	"net/http"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// JSON answers with v in the contract's text form: see PythonJSON.
func JSON(w http.ResponseWriter, status int, v any) error {
	body, err := PythonJSON(v)
	if err != nil {
		return errs.Wrap(errs.Internal, err, "")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody to tell
	return nil
}

// OK answers 200 with v.
func OK(w http.ResponseWriter, v any) error { return JSON(w, http.StatusOK, v) }

// NoContent answers 204 without a body.
func NoContent(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Success is the contract's {"result": "success"}.
func Success(w http.ResponseWriter, status int) error {
	return JSON(w, status, map[string]string{"result": "success"})
}

// Error answers with what a client may see of err.
func Error(w http.ResponseWriter, _ *http.Request, err error) {
	body := errs.Public(err)
	if body.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
	}
	if JSON(w, body.Status, body) != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

const notFoundHTML = `<!doctype html>
<html lang=en>
<title>404 Not Found</title>
<h1>Not Found</h1>
<p>There is nothing at this address.</p>
`

// NotFoundPage answers the HTML page that the contract has for paths outside
// it.
func NotFoundPage(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte(notFoundHTML))
}

// PythonJSON encodes v the way the contract's server writes JSON: a space after
// commas and colons, everything outside ASCII escaped.
func PythonJSON(v any) ([]byte, error) {
	if o, ok := v.(*value.Object); ok && o != nil {
		if text := value.JSONASCII(o); text != "" { // it has that form at once
			return []byte(text), nil
		}
	}
	var compact bytes.Buffer
	enc := json.NewEncoder(&compact)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return pythonise(bytes.TrimRight(compact.Bytes(), "\n")), nil
}

const hexDigits = "0123456789abcdef"

func pythonise(in []byte) []byte {
	out := make([]byte, 0, len(in)+len(in)/8+1)
	inString := false
	for i := 0; i < len(in); {
		c := in[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(in[i:])
			i += n
			if r1, r2 := utf16.EncodeRune(r); r1 != utf8.RuneError {
				out = appendEscape(appendEscape(out, r1), r2)
			} else {
				out = appendEscape(out, r)
			}
			continue
		}
		i++
		out = append(out, c)
		switch {
		case inString && c == '\\':
			out = append(out, in[i])
			i++
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == ':'):
			out = append(out, ' ')
		}
	}
	return out
}

func appendEscape(out []byte, r rune) []byte {
	return append(out, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
