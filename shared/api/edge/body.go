package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/errs"
)

// Validator is a body that checks itself after decoding. Problems makes the
// error.
type Validator interface{ Validate() error }

// Decode reads a JSON body into dst and validates it. Unknown fields are
// ignored, as the contract does. Codes: UnsupportedMediaType when the declared
// type is not JSON, BadRequest when the text is not JSON, InvalidParam when it
// does not fit, RequestEntityTooLarge.
func Decode(r *http.Request, dst any) error {
	if !declaresJSON(r) {
		return errs.New(errs.UnsupportedMediaType, "")
	}
	return decode(r, dst)
}

// DecodeOptional is Decode for routes whose body may be absent: without a JSON
// body dst keeps its values and is validated as it is.
func DecodeOptional(r *http.Request, dst any) error {
	if !declaresJSON(r) || r.ContentLength == 0 {
		return validate(dst)
	}
	return decode(r, dst)
}

func decode(r *http.Request, dst any) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return errs.New(errs.RequestEntityTooLarge, "")
		}
		return errs.Wrap(errs.BadRequest, err, notUnderstood)
	}
	return DecodeBytes(data, dst)
}

const notUnderstood = "The browser (or proxy) sent a request that this server could not understand."

// DecodeBytes is Decode for a body that was read already.
func DecodeBytes(data []byte, dst any) error {
	if err := json.Unmarshal(data, dst); err != nil {
		var mismatch *json.UnmarshalTypeError
		if errors.As(err, &mismatch) {
			var p Problems
			p.Add(mismatch.Field, "wrong type, got "+mismatch.Value)
			return p.Err()
		}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errs.Wrap(errs.BadRequest, err, notUnderstood)
		}
		return errs.Wrap(errs.InvalidParam, err, err.Error())
	}
	return validate(dst)
}

func validate(dst any) error {
	if v, ok := dst.(Validator); ok {
		return v.Validate()
	}
	return nil
}

func declaresJSON(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (media == "application/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}

// Problems collects what is wrong with a request's fields.
type Problems struct {
	// Code is the error's code; "" means InvalidParam.
	Code errs.Code
	list []string
}

// Add notes a problem with a field.
func (p *Problems) Add(field, problem string) {
	p.list = append(p.list, field+"\n  "+problem)
}

// Require notes a missing field.
func (p *Problems) Require(field string, present bool) {
	if !present {
		p.Add(field, "Field required")
	}
}

// Length notes a text with too few or too many characters; most 0 means no
// limit.
func (p *Problems) Length(field, value string, least, most int) {
	switch n := len([]rune(value)); {
	case n < least:
		p.Add(field, fmt.Sprintf("should have at least %d characters", least))
	case most > 0 && n > most:
		p.Add(field, fmt.Sprintf("should have at most %d characters", most))
	}
}

// OneOf notes a value outside a set.
func (p *Problems) OneOf(field, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	p.Add(field, "should be one of "+strings.Join(allowed, ", "))
}

// Err returns the error, nil when there is no problem.
func (p *Problems) Err() error {
	if len(p.list) == 0 {
		return nil
	}
	code := p.Code
	if code == "" {
		code = errs.InvalidParam
	}
	noun := "errors"
	if len(p.list) == 1 {
		noun = "error"
	}
	return errs.Newf(code, "%d validation %s for the request\n%s", len(p.list), noun, strings.Join(p.list, "\n"))
}

// Query reads query parameters and collects what is wrong with them.
type Query struct {
	Problems
	r *http.Request
}

// NewQuery reads the request's query.
func NewQuery(r *http.Request) *Query { return &Query{r: r} }

// Text returns a parameter, "" when it is absent.
func (q *Query) Text(name string) string { return q.r.URL.Query().Get(name) }

// Has reports whether the parameter was sent.
func (q *Query) Has(name string) bool { return q.r.URL.Query().Has(name) }

// Int returns a whole number within bounds; most 0 means no upper bound.
func (q *Query) Int(name string, fallback, least, most int) int {
	raw := q.Text(name)
	if raw == "" {
		if q.Has(name) {
			q.Add(name, "should be a valid integer")
		}
		return fallback
	}
	n, err := strconv.Atoi(strings.TrimSpace(raw))
	switch {
	case err != nil:
		q.Add(name, "should be a valid integer")
		return fallback
	case n < least:
		q.Add(name, fmt.Sprintf("should be greater than or equal to %d", least))
	case most > 0 && n > most:
		q.Add(name, fmt.Sprintf("should be less than or equal to %d", most))
	}
	return n
}

// Bool returns a flag in the spellings that the contract accepts.
func (q *Query) Bool(name string, fallback bool) bool {
	switch strings.ToLower(q.Text(name)) {
	case "":
		return fallback
	case "1", "true", "t", "yes", "y", "on":
		return true
	case "0", "false", "f", "no", "n", "off":
		return false
	}
	q.Add(name, "should be a valid boolean")
	return fallback
}

// Page is the contract's numbered pagination.
type Page[T any] struct {
	Page    int  `json:"page"`
	Limit   int  `json:"limit"`
	Total   int  `json:"total"`
	HasMore bool `json:"has_more"`
	Data    []T  `json:"data"`
}

// NewPage fills in HasMore and makes sure that Data is a list.
func NewPage[T any](page, limit, total int, data []T) Page[T] {
	if data == nil {
		data = []T{}
	}
	return Page[T]{Page: page, Limit: limit, Total: total, HasMore: page*limit < total, Data: data}
}
