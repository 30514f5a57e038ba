package conformance

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace/millrace/shared/workflow/value"
)

var (
	rePlaceholder = regexp.MustCompile(`<uuid:\d+>|<any>`)
	reNumbered    = regexp.MustCompile(`<uuid:\d+>`)
)

// options are what a case or a step takes out of the comparison: lists of
// globs over paths such as $.body.data.outputs.x.
type options struct {
	ignore    []string
	loose     []string
	unordered []string
	tolerance map[string]float64
	byNode    bool
}

func readOptions(o *value.Object) options {
	out := options{ignore: texts(o.Value("ignore")), loose: texts(o.Value("loose")), unordered: texts(o.Value("unordered")),
		byNode: o.String("order") == "by-node"}
	if t, ok := o.Value("tolerance").(*value.Object); ok {
		out.tolerance = map[string]float64{}
		for glob, x := range t.All() {
			out.tolerance[glob], _ = number(x)
		}
	}
	return out
}

// with adds a step's options to a case's.
func (o options) with(step options) options {
	out := options{ignore: slices.Concat(o.ignore, step.ignore), loose: slices.Concat(o.loose, step.loose),
		unordered: slices.Concat(o.unordered, step.unordered), tolerance: map[string]float64{}, byNode: o.byNode || step.byNode}
	for _, from := range []map[string]float64{o.tolerance, step.tolerance} {
		for glob, x := range from {
			out.tolerance[glob] = x
		}
	}
	return out
}

func texts(v any) []string {
	list, _ := v.([]any)
	out := make([]string, 0, len(list))
	for _, x := range list {
		out = append(out, value.Str(x))
	}
	return out
}

// Finding is one difference between a recording and a transcript.
type Finding struct {
	// Step counts the recorded steps from 1; 0 when the case broke off.
	Step int
	// Name is the step's.
	Name string
	// Path is where in the response, $ at its root.
	Path string
	// Text says what was expected and what came.
	Text string
}

func (f Finding) String() string {
	if f.Step == 0 {
		return f.Text
	}
	return fmt.Sprintf("step %d (%s) %s: %s", f.Step, f.Name, f.Path, f.Text)
}

// comparer compares one case's responses. It remembers over all steps which
// uuid stands for which of the recording.
type comparer struct {
	options
	globs    map[string]*regexp.Regexp
	uuidOf   map[string]string // recorded placeholder -> uuid
	nameOf   map[string]string // uuid -> recorded placeholder
	failures []Finding
	notes    []Finding
}

func newComparer() *comparer {
	return &comparer{globs: map[string]*regexp.Regexp{}, uuidOf: map[string]string{}, nameOf: map[string]string{}}
}

func (c *comparer) matches(path string, globs []string) bool {
	for _, g := range globs {
		re := c.globs[g]
		if re == nil {
			re = globPattern(g)
			c.globs[g] = re
		}
		if re.MatchString(path) {
			return true
		}
	}
	return false
}

// globPattern translates a shell pattern: * and ? match anything, dots and
// brackets of paths included, and [...] is a set.
func globPattern(glob string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(glob); i++ {
		switch ch := glob[i]; ch {
		case '*':
			b.WriteString(`.*`)
		case '?':
			b.WriteString(`.`)
		case '[':
			end := i + 1
			if end < len(glob) && glob[end] == '!' {
				end++
			}
			if end < len(glob) && glob[end] == ']' {
				end++
			}
			length := strings.IndexByte(glob[min(end, len(glob)):], ']')
			if length < 0 {
				b.WriteString(`\[`)
				continue
			}
			end += length
			set := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`).Replace(glob[i+1 : end])
			if rest, ok := strings.CutPrefix(set, "!"); ok {
				set = "^" + rest
			} else if strings.HasPrefix(set, "^") {
				set = `\` + set
			}
			b.WriteString("[" + set + "]")
			i = end
		default:
			end := i + 1
			for end < len(glob) && !strings.ContainsRune("*?[", rune(glob[end])) {
				end++
			}
			b.WriteString(regexp.QuoteMeta(glob[i:end]))
			i = end - 1
		}
	}
	re, err := regexp.Compile(b.String() + `\z`)
	if err != nil {
		return regexp.MustCompile(`\A` + regexp.QuoteMeta(glob) + `\z`)
	}
	return re
}

func (c *comparer) fail(path, format string, args ...any) {
	c.failures = append(c.failures, Finding{Path: path, Text: fmt.Sprintf(format, args...)})
}

func show(v any) string { return shorten(value.JSON(v), 400) }

// kind is the JSON type that counts for loose paths.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		if v == "<num>" || v == "<ts>" || v == "<ts-ms>" {
			return "number"
		}
		return "string"
	case []any:
		return "array"
	case *value.Object:
		return "object"
	}
	return "number"
}

// compare looks for what the recording e has and the answer a lacks or has
// differently. Fields that only a has are noted.
func (c *comparer) compare(path string, e, a any) {
	switch {
	case c.matches(path, c.ignore):
		return
	case c.matches(path, c.loose):
		if kind(e) != kind(a) {
			c.fail(path, "expected a %s, got %s", kind(e), show(a))
		}
		return
	case e == "<any>":
		return
	}
	switch e := e.(type) {
	case *value.Object:
		if got, ok := a.(*value.Object); ok {
			c.objects(path, e, got)
			return
		}
		c.fail(path, "expected an object, got %s", show(a))
		return
	case []any:
		if got, ok := a.([]any); ok {
			c.lists(path, e, got)
			return
		}
		c.fail(path, "expected an array, got %s", show(a))
		return
	case string:
		if got, ok := a.(string); ok {
			c.strings(path, e, got)
			return
		}
	}
	x, isNumber := number(e)
	y, both := number(a)
	if isNumber && both {
		allowed := 0.0
		for glob, t := range c.tolerance {
			if c.matches(path, []string{glob}) {
				allowed = max(allowed, t)
			}
		}
		if math.Abs(x-y) <= max(allowed, 1e-6*max(1, math.Abs(x))) {
			return
		}
	} else if e == nil && a == nil {
		return
	} else if b, ok := e.(bool); ok && a == b {
		return
	}
	c.fail(path, "expected %s, got %s", show(e), show(a))
}

func (c *comparer) objects(path string, e, a *value.Object) {
	for k, want := range e.All() {
		sub := path + "." + k
		if got, ok := a.Get(k); ok {
			c.compare(sub, want, got)
			continue
		}
		if c.matches(sub, c.ignore) {
			continue
		}
		if at := uuidKey(k, a); at != "" {
			c.compare(sub, want, a.Value(at))
			continue
		}
		c.fail(sub, "missing (expected %s)", show(want))
	}
	var extra []string
	for _, k := range a.Keys() {
		if _, known := e.Get(k); !known && !c.matches(path+"."+k, c.ignore) && !reWholeUUID.MatchString(k) {
			extra = append(extra, k)
		}
	}
	if len(extra) > 0 {
		slices.Sort(extra)
		c.notes = append(c.notes, Finding{Path: path, Text: "extra fields " + strings.Join(extra, ", ")})
	}
}

// uuidKey returns the key of a that is a uuid, when the recorded key is one.
func uuidKey(recorded string, a *value.Object) string {
	if !rePlaceholder.MatchString(recorded) {
		return ""
	}
	for _, k := range a.Keys() {
		if reWholeUUID.MatchString(k) {
			return k
		}
	}
	return ""
}

func (c *comparer) lists(path string, e, a []any) {
	if len(e) != len(a) {
		c.fail(path, "expected %d items, got %d", len(e), len(a))
		if isEvents(e) {
			c.fail(path, "events expected: %s", eventNames(e))
			c.fail(path, "events received: %s", eventNames(a))
		} else {
			c.fail(path, "expected %s, got %s", show(e), show(a))
		}
		return
	}
	if c.matches(path, c.unordered) {
		e, a = sortedValues(e), sortedValues(a)
	}
	for i := range e {
		c.compare(fmt.Sprintf("%s[%d]", path, i), e[i], a[i])
	}
}

// sortedValues orders a list by its text without uuids, whose order means
// nothing.
func sortedValues(list []any) []any {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(x, y any) int { return strings.Compare(withoutUUIDs(x), withoutUUIDs(y)) })
	return out
}

func withoutUUIDs(v any) string {
	return canonical(mapStrings(v, func(s string) string {
		return reNumbered.ReplaceAllString(reUUID.ReplaceAllString(s, "<uuid>"), "<uuid>")
	}))
}

// mapStrings replaces the texts, not the keys, of a value.
func mapStrings(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = mapStrings(x, f)
		}
		return out
	case *value.Object:
		out := value.NewObject(v.Len())
		for k, x := range v.All() {
			out.Set(k, mapStrings(x, f))
		}
		return out
	}
	return v
}

// strings compares texts; placeholders of the recording match what they stand
// for.
func (c *comparer) strings(path, e, a string) {
	if e == a || e == "<validation-detail>" && a != "" {
		return
	}
	places := rePlaceholder.FindAllStringIndex(e, -1)
	if places == nil {
		c.fail(path, "expected %s, got %s", show(e), show(a))
		return
	}
	var pattern strings.Builder
	var names []string
	pattern.WriteString(`(?s)\A`)
	from := 0
	for _, p := range places {
		pattern.WriteString(regexp.QuoteMeta(e[from:p[0]]))
		if name := e[p[0]:p[1]]; name == "<any>" {
			pattern.WriteString(`.*`)
		} else {
			names = append(names, name)
			pattern.WriteString("(" + uuidPattern + ")")
		}
		from = p[1]
	}
	pattern.WriteString(regexp.QuoteMeta(e[from:]) + `\z`)
	re, err := regexp.Compile(pattern.String())
	if err != nil {
		c.fail(path, "the recorded text cannot be matched: %v", err)
		return
	}
	m := re.FindStringSubmatch(a)
	if m == nil {
		c.fail(path, "expected %s, got %s", show(e), show(a))
		return
	}
	for i, name := range names {
		c.bind(name, m[i+1], path)
	}
}

// bind ties a uuid to a placeholder of the recording, one to one.
func (c *comparer) bind(name, id, path string) {
	if before, ok := c.uuidOf[name]; ok && before != id {
		c.fail(path, "identity: %s was %s before, here it is %s", name, before, id)
		return
	}
	if before, ok := c.nameOf[id]; ok && before != name {
		c.fail(path, "identity: %s stands for %s before, here %s is expected", id, before, name)
		return
	}
	c.uuidOf[name], c.nameOf[id] = id, name
}

func isEvents(list []any) bool {
	if len(list) == 0 {
		return false
	}
	o, ok := list[0].(*value.Object)
	if !ok {
		return false
	}
	_, ok = o.Get("event")
	return ok
}

func eventNames(list []any) string {
	names := make([]string, 0, len(list))
	for _, x := range list {
		ev, _ := x.(*value.Object)
		data, _ := ev.Value("data").(*value.Object)
		name := ev.String("event")
		if id := data.Value("node_id"); id != nil && id != "" {
			name += ":" + value.Str(id)
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}
