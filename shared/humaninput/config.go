package humaninput

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Types of inputs.
const (
	InputParagraph = "paragraph"
	InputSelect    = "select"
	InputFile      = "file"
	InputFileList  = "file-list"
)

// Source says where a default or a list of options comes from.
type Source struct {
	// Variable is true for a selector, false for a constant.
	Variable bool
	Selector workflow.Selector
	// Value is the constant: text for defaults, a list for options.
	Value any
}

// Input is a field of a form.
type Input struct {
	Type, Name string
	Default    *Source // of a paragraph, may be nil
	Options    *Source // of a select
	// Files says which files a field takes.
	FileTypes, Extensions, Methods []string
	MaxFiles                       int
}

// Action is a button of a form.
type Action struct{ ID, Title, Style string }

// Method is a delivery method of a node.
type Method struct {
	ID, Type string
	Enabled  bool
	// Email is set for e-mail.
	Email *EmailMethod
	Raw   *value.Object
}

// EmailMethod is how a form is sent by e-mail.
type EmailMethod struct {
	// Everyone sends it to every member of the workspace.
	Everyone bool
	// Members are account ids, External addresses.
	Members, External []string
	Subject, Body     string
	// Debug sends it to the person who debugs only.
	Debug bool
}

// Config is what a human-input node says.
type Config struct {
	NodeID, Title string
	Content       string
	Inputs        []Input
	Actions       []Action
	Methods       []Method
	Timeout       time.Duration
}

const (
	defaultTimeout = 36
	maxActionID    = 20
	maxActionTitle = 100
)

// identifier is what action ids and names of fields must look like.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ParseConfig reads the data of a human-input node.
func ParseConfig(nodeID, title string, data *value.Object) (*Config, error) {
	c := &Config{NodeID: nodeID, Title: title, Content: data.String("form_content")}
	var err error
	if c.Timeout, err = timeout(data); err != nil {
		return nil, err
	}
	for _, x := range list(data.Value("inputs")) {
		in, err := parseInput(x)
		if err != nil {
			return nil, err
		}
		for _, have := range c.Inputs {
			if have.Name == in.Name {
				return nil, fmt.Errorf("duplicated output_variable_name '%s' in inputs", in.Name)
			}
		}
		c.Inputs = append(c.Inputs, in)
	}
	for _, x := range list(data.Value("user_actions")) {
		a, err := parseAction(x)
		if err != nil {
			return nil, err
		}
		for _, have := range c.Actions {
			if have.ID == a.ID {
				return nil, fmt.Errorf("duplicated user action id '%s'", a.ID)
			}
		}
		c.Actions = append(c.Actions, a)
	}
	for _, x := range list(data.Value("delivery_methods")) {
		m, err := parseMethod(x)
		if err != nil {
			return nil, err
		}
		c.Methods = append(c.Methods, m)
	}
	return c, nil
}

func timeout(data *value.Object) (time.Duration, error) {
	n := int64(defaultTimeout)
	if v, ok := data.Get("timeout"); ok {
		if n, ok = v.(int64); !ok || n <= 0 || n > 24*366*100 {
			return 0, fmt.Errorf("the timeout of a form must be a positive whole number")
		}
	}
	switch unit := data.String("timeout_unit"); unit {
	case "", "hour":
		return time.Duration(n) * time.Hour, nil
	case "day":
		return time.Duration(n) * 24 * time.Hour, nil
	default:
		return 0, fmt.Errorf("the timeout_unit of a form must be hour or day, not %q", unit)
	}
}

func parseInput(x any) (Input, error) {
	o, _ := x.(*value.Object)
	if o == nil {
		return Input{}, fmt.Errorf("the inputs of a form must be objects")
	}
	in := Input{Type: o.String("type"), Name: o.String("output_variable_name")}
	if !identifier.MatchString(in.Name) {
		return in, fmt.Errorf("%q cannot be the name of a form's input", in.Name)
	}
	switch in.Type {
	case InputParagraph:
		in.Default = source(o.Value("default"))
	case InputSelect:
		if in.Options = source(o.Value("option_source")); in.Options == nil {
			return in, fmt.Errorf("the select input %q has no options", in.Name)
		}
	case InputFile, InputFileList:
		in.FileTypes, in.Extensions = texts(o.Value("allowed_file_types")), texts(o.Value("allowed_file_extensions"))
		in.Methods = texts(o.Value("allowed_file_upload_methods"))
		if n, ok := o.Value("number_limits").(int64); ok {
			in.MaxFiles = int(n)
		}
	default:
		return in, fmt.Errorf("%q is not a type of a form's input", in.Type)
	}
	return in, nil
}

// view is the field as clients are shown it: with everything that a field of its
// type has, and nothing else.
func (in *Input) view() *value.Object {
	o := value.Obj("type", in.Type, "output_variable_name", in.Name)
	switch in.Type {
	case InputParagraph:
		o.Set("default", nil)
		if in.Default != nil {
			o.Set("default", in.Default.view(""))
		}
	case InputSelect:
		o.Set("option_source", in.Options.view([]any{}))
	default:
		o.Set("allowed_file_types", anys(in.FileTypes))
		o.Set("allowed_file_extensions", anys(in.Extensions))
		o.Set("allowed_file_upload_methods", anys(in.Methods))
		if in.Type == InputFileList {
			o.Set("number_limits", int64(in.MaxFiles))
		}
	}
	return o
}

func (s *Source) view(none any) *value.Object {
	kind, v := "constant", s.Value
	if s.Variable {
		kind = "variable"
	}
	if v == nil {
		v = none
	}
	return value.Obj("type", kind, "selector", anys(s.Selector), "value", v)
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

func source(v any) *Source {
	o, _ := v.(*value.Object)
	if o == nil {
		return nil
	}
	return &Source{Variable: o.String("type") == "variable", Selector: workflow.SelectorFrom(o.Value("selector")), Value: o.Value("value")}
}

func parseAction(x any) (Action, error) {
	o, _ := x.(*value.Object)
	if o == nil {
		return Action{}, fmt.Errorf("the user_actions of a form must be objects")
	}
	a := Action{ID: o.String("id"), Title: o.String("title"), Style: o.String("button_style")}
	if a.Style == "" {
		a.Style = "default"
	}
	switch {
	case !identifier.MatchString(a.ID) || len(a.ID) > maxActionID:
		return a, fmt.Errorf("'%s' cannot be the id of a user action: it must be an identifier of at most %d characters", a.ID, maxActionID)
	case len([]rune(a.Title)) > maxActionTitle:
		return a, fmt.Errorf("the title of the user action '%s' is longer than %d characters", a.ID, maxActionTitle)
	}
	switch a.Style {
	case "primary", "default", "accent", "ghost":
		return a, nil
	}
	return a, fmt.Errorf("%q is not a button_style", a.Style)
}

func parseMethod(x any) (Method, error) {
	o, _ := x.(*value.Object)
	m := Method{ID: o.String("id"), Type: o.String("type"), Enabled: true, Raw: o}
	if on, ok := o.Value("enabled").(bool); ok {
		m.Enabled = on
	}
	switch m.Type {
	case DeliveryWebApp:
	case DeliveryEmail:
		c, _ := o.Value("config").(*value.Object)
		to, _ := c.Value("recipients").(*value.Object)
		e := &EmailMethod{Subject: c.String("subject"), Body: c.String("body")}
		e.Debug, _ = c.Value("debug_mode").(bool)
		e.Everyone, _ = to.Value("include_bound_group").(bool)
		if whole, ok := to.Value("whole_workspace").(bool); ok && whole {
			e.Everyone = true
		}
		for _, r := range list(to.Value("items")) {
			r, _ := r.(*value.Object)
			switch {
			case r.String("type") == "external" && r.String("email") != "":
				e.External = append(e.External, r.String("email"))
			case r.String("reference_id") != "":
				e.Members = append(e.Members, r.String("reference_id"))
			case r.String("user_id") != "":
				e.Members = append(e.Members, r.String("user_id"))
			}
		}
		m.Email = e
	default:
		return m, fmt.Errorf("%q is not a delivery method", m.Type)
	}
	return m, nil
}

// Action returns the action of that id.
func (d *Definition) Action(id string) (Action, bool) {
	for _, a := range d.Actions {
		if a.ID == id {
			return a, true
		}
	}
	return Action{}, false
}

// Fill makes the definition that a run with these variables shows.
func (c *Config) Fill(pool *workflow.Pool) Definition {
	d := Definition{
		NodeTitle: c.Title, Template: c.Content, Content: c.fillContent(pool), Actions: c.Actions, Defaults: value.NewObject(0),
		DisplayInUI: c.DisplayInUI(),
	}
	for _, in := range c.Inputs {
		if s := in.Default; s != nil && s.Variable {
			if v, ok := pool.Get(s.Selector); ok {
				d.Defaults.Set(in.Name, value.Text(v))
			}
		}
		if s := in.Options; s != nil && s.Variable {
			in = in.withOptions(pool)
		}
		d.Inputs = append(d.Inputs, in)
	}
	return d
}

// DisplayInUI says whether users of the app see the form.
func (c *Config) DisplayInUI() bool {
	for _, m := range c.Methods {
		if m.Enabled && m.Type == DeliveryWebApp {
			return true
		}
	}
	return false
}

// withOptions puts the options that a variable holds into the field, so that
// clients and the check of an answer need no variables.
func (in Input) withOptions(pool *workflow.Pool) Input {
	options := []any{}
	if v, ok := pool.Get(in.Options.Selector); ok {
		for _, x := range list(v) {
			options = append(options, value.Text(x))
		}
	}
	in.Options = &Source{Variable: true, Selector: in.Options.Selector, Value: options}
	return in
}

// fillContent renders the text with the run's variables. The form's own fields
// ({{#$output.name#}}) are no variables of a run and stay.
func (c *Config) fillContent(pool *workflow.Pool) string {
	return workflow.Render(workflow.ParseTemplate(c.Content), pool, value.Markdown)
}

// Variables are the selectors that the text and the defaults use, in order.
func (c *Config) Variables() []workflow.Selector {
	var out []workflow.Selector
	for _, seg := range workflow.ParseTemplate(c.Content) {
		if seg.Selector != nil {
			out = append(out, seg.Selector)
		}
	}
	for _, in := range c.Inputs {
		for _, s := range []*Source{in.Default, in.Options} {
			if s != nil && s.Variable && len(s.Selector) > 1 {
				out = append(out, s.Selector)
			}
		}
	}
	return out
}

// outputField is the contract's placeholder of a form's own field.
var outputField = regexp.MustCompile(`\{\{#\$output\.([A-Za-z_][A-Za-z0-9_]*)#\}\}`)

// RenderAnswer fills the form's own fields into its text; what has no value is
// left out. Files are named, not shown.
func (d *Definition) RenderAnswer(data *value.Object) string {
	return outputField.ReplaceAllStringFunc(d.Content, func(m string) string {
		v, _ := data.Get(outputField.FindStringSubmatch(m)[1])
		switch v := v.(type) {
		case nil:
			return ""
		case *value.File:
			return "[file]"
		case []any:
			return fmt.Sprintf("[%d files]", len(v))
		default:
			return value.Text(v)
		}
	})
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func texts(v any) []string {
	out := []string{}
	for _, x := range list(v) {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// oneLine makes a text fit for the header of a mail.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
