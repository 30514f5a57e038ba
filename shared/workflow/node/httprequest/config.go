package httprequest

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/egress"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Kinds of bodies.
const (
	bodyNone   = "none"
	bodyForm   = "form-data"
	bodyURL    = "x-www-form-urlencoded"
	bodyText   = "raw-text"
	bodyJSON   = "json"
	bodyBinary = "binary"
)

// template is a parsed template.
type template []workflow.Segment

func parseTemplate(s string) template { return workflow.ParseTemplate(s) }

func (t template) render(pool *workflow.Pool) string { return workflow.Render(t, pool, value.Text) }

// single reports whether the template is one placeholder and nothing else.
func (t template) single() bool { return len(t) == 1 && t[0].Selector != nil }

// pair is a line "key:value" of headers or parameters. A line that is a single
// placeholder is kept whole: its value may bring several lines.
type pair struct {
	whole      template
	key, value template
}

type config struct {
	method   string
	url      template
	headers  []pair
	params   []pair
	auth     *auth
	body     string
	items    []item
	timeouts egress.Timeouts
	// skipVerify is nil when the node leaves it to the settings.
	skipVerify *bool
}

type auth struct {
	kind   string // basic, bearer, custom; "" when the configuration is missing
	apiKey template
	header string
}

type item struct {
	key, value template
	file       workflow.Selector // of items of type file
	isFile     bool
}

func parseConfig(o *value.Object) (*config, error) {
	c := &config{
		method: strings.ToUpper(o.String("method")), url: parseTemplate(o.String("url")),
		headers: parsePairs(o.String("headers")), params: parsePairs(o.String("params")), body: bodyNone,
	}
	switch c.method {
	case "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS":
	default:
		return nil, fmt.Errorf("method %q is not known", o.String("method"))
	}
	if a, ok := o.Value("authorization").(*value.Object); ok && a.String("type") == "api-key" {
		c.auth = &auth{}
		if cfg, ok := a.Value("config").(*value.Object); ok {
			*c.auth = auth{kind: cfg.String("type"), apiKey: parseTemplate(cfg.String("api_key")), header: cfg.String("header")}
		}
	}
	if b, ok := o.Value("body").(*value.Object); ok {
		if kind := b.String("type"); kind != "" {
			c.body = kind
		}
		c.items = parseItems(b.Value("data"))
	}
	if t, ok := o.Value("timeout").(*value.Object); ok {
		c.timeouts = egress.Timeouts{
			Connect: seconds(t, "connect", "max_connect_timeout"),
			Read:    seconds(t, "read", "max_read_timeout"),
			Write:   seconds(t, "write", "max_write_timeout"),
		}
	}
	if verify, ok := o.Value("ssl_verify").(bool); ok {
		skip := !verify
		c.skipVerify = &skip
	}
	return c, nil
}

func seconds(o *value.Object, names ...string) time.Duration {
	for _, name := range names {
		if n, ok := o.Value(name).(int64); ok && n > 0 {
			return time.Duration(n) * time.Second
		}
	}
	return 0
}

func parseItems(v any) []item {
	// Old apps have the text itself where newer ones have a list.
	if s, ok := v.(string); ok {
		return []item{{value: parseTemplate(s)}}
	}
	list, _ := v.([]any)
	out := make([]item, 0, len(list))
	for _, x := range list {
		o, ok := x.(*value.Object)
		if !ok {
			continue
		}
		out = append(out, item{
			key: parseTemplate(o.String("key")), value: parseTemplate(o.String("value")),
			file: workflow.SelectorFrom(o.Value("file")), isFile: o.String("type") == "file",
		})
	}
	return out
}

// parsePairs cuts lines before anything is filled in, so that the values of
// variables cannot add headers of their own.
func parsePairs(text string) []pair {
	var out []pair
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if t := parseTemplate(line); t.single() {
			out = append(out, pair{whole: t})
			continue
		}
		key, val, _ := strings.Cut(line, ":")
		out = append(out, pair{key: parseTemplate(strings.TrimSpace(key)), value: parseTemplate(strings.TrimSpace(val))})
	}
	return out
}

type field struct{ key, value string }

func renderPairs(pairs []pair, pool *workflow.Pool) []field {
	var out []field
	for _, p := range pairs {
		if p.whole == nil {
			out = append(out, field{oneLine(p.key.render(pool)), p.value.render(pool)})
			continue
		}
		for line := range strings.Lines(p.whole.render(pool)) {
			if line = strings.TrimSpace(line); line != "" {
				key, val, _ := strings.Cut(line, ":")
				out = append(out, field{strings.TrimSpace(key), strings.TrimSpace(val)})
			}
		}
	}
	return out
}

// oneLine keeps a header on its line.
func oneLine(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(s))
}
