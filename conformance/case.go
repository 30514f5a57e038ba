package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/millrace/millrace/shared/dsl"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Case is one recorded conversation.
type Case struct {
	// Name is the name of its folder.
	Name string
	// Title says what it shows.
	Title string
	// Tags and Requires are the case's; the only known requirement is
	// "second-workspace".
	Tags, Requires []string

	files    fs.FS // its folder
	auth     string
	compare  options
	apps     []appSpec
	steps    []*step
	expected []any // recorded steps
}

// appSpec is one app that a case or a step imports.
type appSpec struct {
	alias, file        string
	publish, key, site bool
}

// step is one step of a case, as written.
type step struct {
	*value.Object
	compare options
	during  []*during
	imports []appSpec
}

// during are steps to take after the first event of a kind, while the rest of
// the stream is still to come.
type during struct {
	*value.Object
	steps []*step
}

// Load reads all cases below a folder, by name.
func Load(root fs.FS) ([]*Case, error) {
	names, err := fs.Glob(root, "*/case.yml")
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	out := make([]*Case, 0, len(names))
	for _, name := range names {
		c, err := loadCase(root, path.Dir(name))
		if err != nil {
			return nil, fmt.Errorf("conformance: %s: %w", path.Dir(name), err)
		}
		out = append(out, c)
	}
	return out, nil
}

func loadCase(root fs.FS, name string) (*Case, error) {
	files, err := fs.Sub(root, name)
	if err != nil {
		return nil, err
	}
	text, err := fs.ReadFile(files, "case.yml")
	if err != nil {
		return nil, err
	}
	spec, err := dsl.Parse(string(text))
	if err != nil {
		return nil, err
	}
	if err := known(spec, "title", "tags", "app", "apps", "auth", "requires", "compare", "steps"); err != nil {
		return nil, err
	}
	c := &Case{Name: name, Title: spec.String("title"), Tags: texts(spec.Value("tags")), Requires: texts(spec.Value("requires")),
		files: files, auth: spec.String("auth")}
	if c.auth == "" {
		c.auth = "app"
	}
	if c.compare, err = parseOptions(spec.Value("compare")); err != nil {
		return nil, err
	}
	if c.apps, err = c.parseApps(spec); err != nil {
		return nil, err
	}
	if c.steps, err = parseSteps(spec.Value("steps")); err != nil {
		return nil, err
	}
	return c, c.readRecording()
}

func (c *Case) readRecording() error {
	raw, err := fs.ReadFile(c.files, "expected.json")
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no expected.json")
	}
	if err != nil {
		return err
	}
	doc, err := value.Decode(raw)
	if err != nil {
		return fmt.Errorf("expected.json: %w", err)
	}
	o, _ := doc.(*value.Object)
	list, ok := o.Value("steps").([]any)
	if !ok {
		return errors.New("expected.json holds no steps")
	}
	c.expected = list
	return nil
}

// known fails on keys that the format does not have: a mistyped option would
// silently compare less or more than meant.
func known(o *value.Object, keys ...string) error {
	for _, k := range o.Keys() {
		if !slices.Contains(keys, k) {
			return fmt.Errorf("unknown key %q", k)
		}
	}
	return nil
}

func parseOptions(v any) (options, error) {
	o, _ := v.(*value.Object)
	if err := known(o, "ignore", "loose", "unordered", "tolerance", "order"); err != nil {
		return options{}, fmt.Errorf("compare: %w", err)
	}
	return readOptions(o), nil
}

// parseApps reads apps, or app with the app.yml beside the case.
func (c *Case) parseApps(spec *value.Object) ([]appSpec, error) {
	if apps, ok := spec.Value("apps").(*value.Object); ok {
		return parseAppList(apps)
	}
	if spec.Value("app") == false {
		return nil, nil
	}
	if _, err := fs.Stat(c.files, "app.yml"); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return parseAppList(value.Obj("app", spec.Value("app")))
}

func parseAppList(apps *value.Object) ([]appSpec, error) {
	var out []appSpec
	for alias, v := range apps.All() {
		o, _ := v.(*value.Object)
		if err := known(o, "file", "publish", "key", "site"); err != nil {
			return nil, fmt.Errorf("app %s: %w", alias, err)
		}
		a := appSpec{alias: alias, file: o.String("file"), publish: o.Value("publish") != false, key: o.Value("key") != false,
			site: o.Value("site") == true}
		if a.file == "" {
			a.file = "app.yml"
		}
		out = append(out, a)
	}
	return out, nil
}

func parseSteps(v any) ([]*step, error) {
	list, _ := v.([]any)
	out := make([]*step, 0, len(list))
	for i, x := range list {
		o, ok := x.(*value.Object)
		if !ok {
			return nil, fmt.Errorf("step %d is no mapping", i+1)
		}
		s, err := parseStep(o)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func parseStep(o *value.Object) (*step, error) {
	err := known(o, "name", "request", "auth", "headers", "params", "json", "raw", "form", "files", "sse", "capture", "wait",
		"poll", "during", "record", "expect_status", "cleanup_app", "cleanup", "cleanup_auth", "cleanup_any", "derive",
		"import_app", "headers_out", "quirk", "compare", "timeout")
	if err != nil {
		return nil, err
	}
	s := &step{Object: o}
	if s.compare, err = parseOptions(o.Value("compare")); err != nil {
		return nil, err
	}
	if apps, ok := o.Value("import_app").(*value.Object); ok {
		if s.imports, err = parseAppList(apps); err != nil {
			return nil, err
		}
	}
	list, _ := o.Value("during").([]any)
	for _, x := range list {
		d, ok := x.(*value.Object)
		if !ok {
			return nil, errors.New("during is no list of mappings")
		}
		if err := known(d, "after", "node", "capture", "wait", "steps"); err != nil {
			return nil, fmt.Errorf("during: %w", err)
		}
		steps, err := parseSteps(d.Value("steps"))
		if err != nil {
			return nil, fmt.Errorf("during: %w", err)
		}
		s.during = append(s.during, &during{Object: d, steps: steps})
	}
	return s, nil
}

// title is how reports name a step.
func (s *step) title() string {
	if name := s.String("name"); name != "" {
		return name
	}
	return s.String("request")
}

// Exclusive reports whether the case reads or changes what all cases of a
// workspace share: lists, tags, members, settings, the login. Such a case runs
// while no other does. All others keep to the apps and knowledge bases that
// they made.
func (c *Case) Exclusive() bool { return anyStep(c.steps, c.wide) }

func anyStep(steps []*step, f func(*step) bool) bool {
	for _, s := range steps {
		if f(s) {
			return true
		}
		for _, d := range s.during {
			if anyStep(d.steps, f) {
				return true
			}
		}
	}
	return false
}

// reOwn matches requests that name something the case made, something that
// does not exist, or one of the routes whose answer belongs to the caller; it
// is compiled once and never changes.
var reOwn = regexp.MustCompile(`\A(?:\$\{|/(?:api|files|mcp|triggers)/|` +
	`/console/api/(?:apps|datasets|workflow)/(?:\$\{|imports|11111111-|junk|init|indexing-estimate)|/console/api/files/|` +
	`/v1/datasets/(?:\$\{|11111111-|junk)|/v1/(?:apps|audio|chat|completion|conversations|end-users|files|form|info|messages|meta|` +
	`parameters|site|text|workflows)\b)`)

func (c *Case) wide(s *step) bool {
	auth := s.String("auth")
	if auth == "" {
		auth = c.auth
	}
	if strings.HasPrefix(auth, "session:") {
		return true
	}
	method, target, _ := strings.Cut(s.String("request"), " ")
	target, _, _ = strings.Cut(target, "?")
	if target == "" || strings.HasPrefix(target, "http") {
		return false
	}
	if method == "POST" && target == "/v1/datasets" {
		return false // names of knowledge bases carry the nonce
	}
	return !reOwn.MatchString(target)
}
