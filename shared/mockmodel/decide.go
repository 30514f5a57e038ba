package mockmodel

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/millrace/millrace/shared/workflow/value"
)

// answer is what the mock says to a chat.
type answer struct {
	text string
	call *toolCall
	wait int // ms before the answer; in streams before each word
}

type toolCall struct{ id, name, arguments string }

func (t *toolCall) object(index int) *value.Object {
	o := value.Obj("id", t.id, "type", "function", "function", value.Obj("name", t.name, "arguments", t.arguments))
	if index >= 0 {
		o.Set("index", index)
	}
	return o
}

// directive matches a word that starts a line.
func directive(pattern string) *regexp.Regexp { return regexp.MustCompile(`(?m)^[ \t]*` + pattern) }

// The patterns of decide. They are compiled once and never change.
var (
	reEncoded = regexp.MustCompile(`@@([A-Za-z0-9+/=]+)@@`)
	reFail    = directive(`FAIL[ \t]+(\d{3})[ \t]*([^\n]*)`)
	reSlow    = directive(`SLOW[ \t]+(\d+)[ \t]*`)
	reCall    = directive(`CALL[ \t]+(\S+)[ \t]*(\{.*\})?`)
	reReply   = directive(`REPLY:[ \t]*([^\n]*)`)
	reSay     = directive(`SAY[ \t]+(.*)`)
	reCount   = directive(`COUNT[ \t]+(\d+)`)
	reThink   = directive(`THINK[ \t]+([^|\n]*)\|[ \t]*([^\n]*)`)
	reEmpty   = directive(`EMPTY(?:[^\p{L}\p{N}_]|\z)`)
	reSystem  = directive(`SYSTEM\?`)
	reHistory = directive(`HISTORY\?`)
	reParams  = directive(`PARAMS\?`)
	reNumber  = regexp.MustCompile(`-?\d+(\.\d+)?`)
	reFailAny = regexp.MustCompile(`\bFAIL (\d{3})\b`)
	reWord    = regexp.MustCompile(`[\p{L}\p{N}_]+`)
)

// decide chooses the reply. It looks at lines of the last user message, so
// that directives work inside prompt templates too:
//
//	FAIL <status> [text]     an error with that HTTP status
//	SLOW <ms> [text]         waits before the answer, in streams before each word
//	CALL <tool> {json}       a tool call, when a tool of that name is offered
//	REPLY: <text>            exactly the text, \n for line breaks; also in the system message
//	SAY <text>               exactly the text
//	COUNT <n>                1 2 3 ... n
//	THINK <text> | <answer>  <think> text </think> and the answer
//	EMPTY                    an empty text
//	SYSTEM?                  the system message
//	HISTORY?                 number and roles of the messages
//	PARAMS?                  the sampling parameters
//	anything else            "echo: " and the text
//
// @@<base64>@@ anywhere in the text stands for the whole last user message. A
// tool message as the last one is repeated. With a response_format the reply
// is a JSON document that fits it.
func decide(messages []*value.Object, body *value.Object) (*answer, error) {
	user, system := "", []string{}
	for _, m := range messages {
		switch m.String("role") {
		case "user":
			user = contentText(m.Value("content"))
		case "system", "developer":
			system = append(system, contentText(m.Value("content")))
		}
	}
	systemText := strings.Join(system, "\n")
	if n := len(messages); n > 0 && slices.Contains([]string{"tool", "function"}, messages[n-1].String("role")) {
		return &answer{text: "tool said: " + contentText(messages[n-1].Value("content"))}, nil
	}
	for _, text := range []string{user, systemText} {
		if m := reEncoded.FindStringSubmatch(text); m != nil {
			plain, err := base64.StdEncoding.DecodeString(m[1])
			if err != nil {
				return nil, &failure{400, "bad request: " + err.Error()}
			}
			user = string(plain)
			break
		}
	}
	if m := reFail.FindStringSubmatch(user); m != nil {
		status, _ := strconv.Atoi(m[1])
		text := strings.TrimSpace(m[2])
		if text == "" {
			text = "mock failure " + m[1]
		}
		return nil, &failure{status, text}
	}
	out := &answer{}
	if m := reSlow.FindStringSubmatchIndex(user); m != nil {
		out.wait, _ = strconv.Atoi(user[m[2]:m[3]])
		user = user[:m[0]] + user[m[1]:]
	}
	tools := objects(body.Value("tools"))
	if m := reCall.FindStringSubmatch(user); m != nil && len(tools) > 0 {
		out.wish(m[1], m[2], tools, len(messages))
		return out, nil
	}
	for _, text := range []string{user, systemText} {
		if m := reReply.FindStringSubmatch(text); m != nil {
			out.text = strings.ReplaceAll(m[1], `\n`, "\n")
			return out, nil
		}
	}
	if text, ok := formatted(user, body.Value("response_format")); ok {
		out.text = text
		return out, nil
	}
	out.text = plainReply(user, systemText, messages, body)
	return out, nil
}

// wish makes the tool call that CALL asks for.
func (a *answer) wish(name, arguments string, tools []*value.Object, messages int) {
	if arguments == "" {
		arguments = "{}"
	}
	for _, t := range tools {
		if f, ok := t.Value("function").(*value.Object); ok && f.String("name") == name {
			a.call = &toolCall{"call_" + shortHash([]any{name, arguments, int64(messages)}), name, arguments}
			return
		}
	}
	a.text = "no tool named " + name
}

// formatted answers requests for JSON.
func formatted(user string, format any) (string, bool) {
	f, ok := format.(*value.Object)
	if !ok {
		return "", false
	}
	switch f.String("type") {
	case "json_schema":
		spec := f.Value("json_schema")
		if text, ok := spec.(string); ok {
			spec, _ = value.Decode([]byte(text))
		}
		schema := spec
		if o, ok := spec.(*value.Object); ok && truthy(o.Value("schema")) {
			schema = o.Value("schema")
		}
		return value.JSON(fitSchema(schema, user, "value", schema, 0)), true
	case "json_object":
		return value.JSON(value.Obj("echo", strings.TrimSpace(user))), true
	}
	return "", false
}

func plainReply(user, system string, messages []*value.Object, body *value.Object) string {
	if m := reSay.FindStringSubmatch(user); m != nil {
		return m[1]
	}
	if m := reCount.FindStringSubmatch(user); m != nil {
		n, _ := strconv.Atoi(m[1])
		words := make([]string, n)
		for i := range words {
			words[i] = strconv.Itoa(i + 1)
		}
		return strings.Join(words, " ")
	}
	if m := reThink.FindStringSubmatch(user); m != nil {
		return "<think>\n" + strings.TrimSpace(m[1]) + "\n</think>" + m[2]
	}
	switch {
	case reEmpty.MatchString(user):
		return ""
	case reSystem.MatchString(user):
		if system == "" {
			system = "(none)"
		}
		return "system: " + system
	case reHistory.MatchString(user):
		return history(messages)
	case reParams.MatchString(user):
		got := value.NewObject(4)
		for _, k := range []string{"frequency_penalty", "max_completion_tokens", "max_tokens", "presence_penalty",
			"response_format", "seed", "stop", "temperature", "top_p"} {
			if v, ok := body.Get(k); ok {
				got.Set(k, sorted(v))
			}
		}
		return "params: " + value.JSONASCII(got)
	}
	return "echo: " + strings.TrimSpace(user)
}

func history(messages []*value.Object) string {
	parts := make([]string, len(messages))
	for i, m := range messages {
		text := []rune(strings.ReplaceAll(strings.TrimSpace(contentText(m.Value("content"))), "\n", "/"))
		parts[i] = m.String("role") + "=" + string(text[:min(len(text), 40)])
	}
	return fmt.Sprintf("%d messages: %s", len(messages), strings.Join(parts, ", "))
}

// fitSchema makes a small value that fits a JSON schema; strings echo the
// start of the text, or what the text says that the property is.
func fitSchema(schema any, text, name string, root any, depth int) any {
	s, ok := schema.(*value.Object)
	if !ok || depth > 12 {
		return nil
	}
	if ref, ok := s.Get("$ref"); ok {
		node := root
		for _, key := range strings.Split(strings.TrimLeft(value.Str(ref), "#/"), "/") {
			o, _ := node.(*value.Object)
			if o == nil {
				break
			}
			node = o.Value(key)
		}
		return fitSchema(node, text, name, root, depth+1)
	}
	if v, ok := s.Get("const"); ok {
		return v
	}
	if options, ok := s.Value("enum").([]any); ok && len(options) > 0 {
		for _, o := range options {
			if strings.Contains(strings.ToLower(text), strings.ToLower(value.Str(o))) {
				return o
			}
		}
		return options[0]
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		if list, ok := s.Value(key).([]any); ok && len(list) > 0 {
			return fitSchema(list[0], text, name, root, depth+1)
		}
	}
	return fitKind(s, text, name, root, depth)
}

func fitKind(s *value.Object, text, name string, root any, depth int) any {
	kind := s.String("type")
	if list, ok := s.Value("type").([]any); ok {
		kind = "null"
		for _, k := range list {
			if k != "null" {
				kind = value.Str(k)
				break
			}
		}
	}
	_, hasProperties := s.Get("properties")
	switch {
	case kind == "object" || hasProperties:
		out := value.NewObject(4)
		if props, ok := s.Value("properties").(*value.Object); ok {
			for k, v := range props.All() {
				out.Set(k, fitSchema(v, text, k, root, depth+1))
			}
		}
		return out
	case kind == "array":
		items := s.Value("items")
		if !truthy(items) {
			items = value.Obj("type", "string")
		}
		return []any{fitSchema(items, text, name, root, depth+1)}
	case kind == "integer" || kind == "number":
		n := 7.0
		if found := reNumber.FindString(text); found != "" {
			n, _ = strconv.ParseFloat(found, 64)
		}
		if kind == "integer" || n == float64(int64(n)) {
			return int64(n)
		}
		return n
	case kind == "boolean":
		return !slices.Contains(strings.Fields(strings.ToLower(text)), "no")
	case kind == "null":
		return nil
	}
	said := regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(name) + `\s*(?:is|=|:)\s*([\p{L}\p{N}_.-]+)`)
	if m := said.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	words := strings.Fields(text)
	return name + " of " + strings.Join(words[:min(len(words), 3)], " ")
}

// cut applies stop words and the token limit.
func cut(text string, stop any, limit int) (out, reason string) {
	stops, _ := stop.([]any)
	if one, ok := stop.(string); ok {
		stops = []any{one}
	}
	for _, s := range stops {
		if word, ok := s.(string); ok && word != "" {
			text, _, _ = strings.Cut(text, word)
		}
	}
	if limit > 0 {
		words, kept := 0, ""
		for _, p := range pieces(text) {
			if strings.TrimSpace(p) != "" {
				words++
			}
			if words > limit {
				return strings.TrimRightFunc(kept, unicode.IsSpace), "length"
			}
			kept += p
		}
	}
	return text, "stop"
}

// pieces cuts a text into words with the blanks after them.
func pieces(text string) []string {
	var out []string
	start, blank := 0, false
	for i, r := range text {
		if space := unicode.IsSpace(r); space {
			blank = true
		} else if blank {
			out = append(out, text[start:i])
			start, blank = i, false
		}
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}

func count(text string) int { return len(strings.Fields(text)) }

func contentText(v any) string {
	switch c := v.(type) {
	case string:
		return c
	case []any:
		parts := []string{}
		for _, part := range objects(c) {
			if kind := part.String("type"); kind == "text" {
				parts = append(parts, part.String("text"))
			} else {
				parts = append(parts, "["+kind+"]")
			}
		}
		return strings.Join(parts, " ")
	}
	return ""
}

func objects(v any) []*value.Object {
	list, _ := v.([]any)
	var out []*value.Object
	for _, x := range list {
		if o, ok := x.(*value.Object); ok {
			out = append(out, o)
		}
	}
	return out
}

func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case int64:
		return v != 0
	case float64:
		return v != 0
	case []any:
		return len(v) > 0
	case *value.Object:
		return v.Len() > 0
	}
	return true
}

func intOf(v any) int {
	switch n := v.(type) {
	case int64:
		return int(n)
	case float64:
		return int(n)
	}
	return 0
}

// sorted orders the keys of objects, deeply.
func sorted(v any) any {
	switch v := v.(type) {
	case *value.Object:
		keys := slices.Sorted(slices.Values(v.Keys()))
		o := value.NewObject(len(keys))
		for _, k := range keys {
			o.Set(k, sorted(v.Value(k)))
		}
		return o
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = sorted(x)
		}
		return out
	}
	return v
}

func shortHash(v any) string {
	sum := sha256.Sum256([]byte(value.JSON(sorted(v))))
	return hex.EncodeToString(sum[:])[:12]
}
