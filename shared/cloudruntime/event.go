package cloudruntime

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace/shared/errs"
)

// shape is the kind of Lambda event, which decides how it is read and answered.
type shape int

const (
	shapeDirect   shape = iota
	shapeREST           // API Gateway REST, payload 1.0
	shapeHTTPAPI        // API Gateway HTTP API, payload 2.0
	shapeURL            // Function URL: payload 2.0, other host and path rules
	shapeALB            // load balancer target
	shapeALBMulti       // load balancer target with multi-value headers on
	shapeSQS
	shapeSchedule
)

// event holds the fields of every event shape we take; which of them are set
// tells the shape. One type, because the shapes share most names.
type event struct {
	Version        string              `json:"version"`
	HTTPMethod     string              `json:"httpMethod"`
	Path           string              `json:"path"`
	RawPath        string              `json:"rawPath"`
	RawQuery       *string             `json:"rawQueryString"`
	Cookies        []string            `json:"cookies"`
	Headers        map[string]string   `json:"headers"`
	MultiHeaders   map[string][]string `json:"multiValueHeaders"`
	Query          map[string]string   `json:"queryStringParameters"`
	MultiQuery     map[string][]string `json:"multiValueQueryStringParameters"`
	Body           string              `json:"body"`
	Base64         bool                `json:"isBase64Encoded"`
	RequestContext *requestContext     `json:"requestContext"`

	Records []sqsRecord `json:"Records"`

	ID         string   `json:"id"`
	Source     string   `json:"source"`
	DetailType string   `json:"detail-type"`
	Resources  []string `json:"resources"`
}

type requestContext struct {
	Stage      string          `json:"stage"`
	DomainName string          `json:"domainName"`
	RequestID  string          `json:"requestId"`
	ELB        json.RawMessage `json:"elb"`
	HTTP       *struct {
		Method   string `json:"method"`
		SourceIP string `json:"sourceIp"`
	} `json:"http"`
	Identity struct {
		SourceIP string `json:"sourceIp"`
	} `json:"identity"`
}

type sqsRecord struct {
	MessageID   string            `json:"messageId"`
	EventSource string            `json:"eventSource"`
	SourceARN   string            `json:"eventSourceARN"`
	Body        string            `json:"body"`
	Attributes  map[string]string `json:"attributes"`
	MessageAttr map[string]struct {
		StringValue *string `json:"stringValue"`
		DataType    string  `json:"dataType"`
	} `json:"messageAttributes"`
}

// recognise reads an event. A payload that is no JSON object, or none of the
// shapes, is a direct call: the caller's own JSON.
func recognise(payload []byte) (event, shape) {
	var e event
	if trimmed := bytes.TrimLeft(payload, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return e, shapeDirect
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		// A direct call may use our field names with types of its own.
		return event{}, shapeDirect
	}
	rc := e.RequestContext
	switch {
	case rc != nil && len(rc.ELB) > 0 && e.HTTPMethod != "":
		if e.MultiHeaders != nil {
			return e, shapeALBMulti
		}
		return e, shapeALB
	case rc != nil && rc.HTTP != nil && e.Version == "2.0":
		if strings.Contains(rc.DomainName, ".lambda-url.") {
			return e, shapeURL
		}
		return e, shapeHTTPAPI
	case rc != nil && e.HTTPMethod != "":
		return e, shapeREST
	case len(e.Records) > 0 && e.Records[0].EventSource == "aws:sqs":
		return e, shapeSQS
	case e.DetailType != "" && e.Source != "":
		return e, shapeSchedule
	}
	return e, shapeDirect
}

func (s shape) isHTTP() bool {
	switch s {
	case shapeREST, shapeHTTPAPI, shapeURL, shapeALB, shapeALBMulti:
		return true
	}
	return false
}

// request builds the http.Request an HTTP-shaped event describes.
func (e *event) request(ctx context.Context, s shape) (*http.Request, error) {
	body := []byte(e.Body)
	if e.Base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, errs.Wrap(errs.BadRequest, err, "the event's body is not valid base64")
		}
	}
	method, path, remote := e.HTTPMethod, e.Path, e.RequestContext.Identity.SourceIP
	if s == shapeHTTPAPI || s == shapeURL {
		method, path, remote = e.RequestContext.HTTP.Method, e.RawPath, e.RequestContext.HTTP.SourceIP
	}
	if stage := e.RequestContext.Stage; s == shapeHTTPAPI && stage != "" && stage != "$default" {
		// Payload 2.0 keeps a named stage in the path; payload 1.0 does not.
		path = strings.TrimPrefix(path, "/"+stage)
	}
	u := &url.URL{Path: path, RawQuery: e.rawQuery(s)}
	if u.Path == "" {
		u.Path = "/"
	}
	if decoded, err := url.PathUnescape(path); err == nil && decoded != path {
		u.Path, u.RawPath = decoded, path
	}
	// NewRequest is given a harmless address because some gateways pass paths
	// that do not parse; the real URL is set after.
	r, err := http.NewRequestWithContext(ctx, method, "/", bytes.NewReader(body))
	if err != nil {
		return nil, errs.Wrap(errs.BadRequest, err, "the event describes no valid request")
	}
	r.Header = e.header(s)
	u.Host = r.Header.Get("Host")
	if u.Host == "" {
		u.Host = e.RequestContext.DomainName
	}
	r.Host = u.Host
	r.Header.Del("Host")
	r.URL = u
	r.RequestURI = u.RequestURI()
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	if remote == "" {
		first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
		remote = strings.TrimSpace(first)
	}
	r.RemoteAddr = net.JoinHostPort(remote, "0")
	return r, nil
}

func (e *event) header(s shape) http.Header {
	h := make(http.Header, len(e.Headers)+len(e.MultiHeaders))
	for k, vs := range e.MultiHeaders {
		for _, v := range vs {
			h.Add(k, v)
		}
	}
	for k, v := range e.Headers {
		if _, have := h[http.CanonicalHeaderKey(k)]; !have {
			h.Set(k, v)
		}
	}
	if len(e.Cookies) > 0 && (s == shapeHTTPAPI || s == shapeURL) {
		h.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	return h
}

// rawQuery rebuilds the query string. Payload 2.0 has it raw; payload 1.0 has
// decoded pairs; a load balancer has pairs as the client wrote them.
func (e *event) rawQuery(s shape) string {
	if e.RawQuery != nil && (s == shapeHTTPAPI || s == shapeURL) {
		return *e.RawQuery
	}
	multi := e.MultiQuery
	if len(multi) == 0 {
		multi = make(map[string][]string, len(e.Query))
		for k, v := range e.Query {
			multi[k] = []string{v}
		}
	}
	if s == shapeREST {
		return url.Values(multi).Encode()
	}
	var b strings.Builder
	for k, vs := range multi {
		for _, v := range vs {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(k + "=" + v)
		}
	}
	return b.String()
}
