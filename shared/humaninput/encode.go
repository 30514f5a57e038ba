package humaninput

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/shared/workflow/value"
)

// EncodeDefinition writes a definition the way the contract's form_definition
// column has it.
func EncodeDefinition(d *Definition, expiresAt time.Time) string {
	return value.JSONASCII(d.whole(expiresAt.UTC().Format("2006-01-02T15:04:05.999999Z")))
}

func (d *Definition) whole(expirationTime any) *value.Object {
	return value.Obj(
		"form_content", d.Template, "inputs", d.inputsView(), "user_actions", d.actionsView(), "rendered_content", d.Content,
		"expiration_time", expirationTime, "default_values", orEmpty(d.Defaults),
		"node_title", d.NodeTitle, "display_in_ui", d.DisplayInUI,
	)
}

// Whole is the form as members of the workspace see it: all of its definition.
func (f *Form) Whole() *value.Object { return f.Definition.whole(f.ExpiresAt.Unix()) }

// DecodeDefinition reads what EncodeDefinition, or another server of the
// contract, wrote.
func DecodeDefinition(text string) (Definition, error) {
	v, err := value.Decode([]byte(text))
	if err != nil {
		return Definition{}, fmt.Errorf("form definition: %w", err)
	}
	o, _ := v.(*value.Object)
	d := Definition{Template: o.String("form_content"), Content: o.String("rendered_content"), NodeTitle: o.String("node_title")}
	d.DisplayInUI, _ = o.Value("display_in_ui").(bool)
	if d.Defaults, _ = o.Value("default_values").(*value.Object); d.Defaults == nil {
		d.Defaults = value.NewObject(0)
	}
	for _, x := range list(o.Value("inputs")) {
		in, err := parseInput(x)
		if err != nil {
			return d, fmt.Errorf("form definition: %w", err)
		}
		d.Inputs = append(d.Inputs, in)
	}
	for _, x := range list(o.Value("user_actions")) {
		a, err := parseAction(x)
		if err != nil {
			return d, fmt.Errorf("form definition: %w", err)
		}
		d.Actions = append(d.Actions, a)
	}
	return d, nil
}

func (d *Definition) inputsView() []any {
	out := make([]any, len(d.Inputs))
	for i := range d.Inputs {
		out[i] = d.Inputs[i].view()
	}
	return out
}

func (d *Definition) actionsView() []any {
	out := make([]any, len(d.Actions))
	for i, a := range d.Actions {
		out[i] = value.Obj("id", a.ID, "title", a.Title, "button_style", a.Style)
	}
	return out
}

// View is the form as whoever may answer it sees it.
func (f *Form) View() *value.Object {
	d := &f.Definition
	return value.Obj(
		"form_content", d.Content, "inputs", d.inputsView(), "resolved_default_values", orEmpty(d.Defaults),
		"user_actions", d.actionsView(), "expiration_time", f.ExpiresAt.Unix(),
	)
}

// Reason is why the run of the form is paused, with what any of the contract's
// events shows of it. token may be "" and shows as null then.
func (f *Form) Reason(token string, channels []any) *value.Object {
	d := &f.Definition
	o := value.Obj("TYPE", "human_input_required")
	f.definition(o)
	o.Set("resolved_default_values", orEmpty(d.Defaults))
	o.Set("display_in_ui", d.DisplayInUI)
	o.Set("form_token", orNil(token))
	o.Set("approval_channels", channels)
	o.Set("expiration_time", f.ExpiresAt.Unix())
	return o
}

func (f *Form) definition(o *value.Object) {
	d := &f.Definition
	o.Set("form_id", f.ID)
	o.Set("node_id", f.NodeID)
	o.Set("node_title", d.NodeTitle)
	o.Set("form_content", d.Content)
	o.Set("inputs", d.inputsView())
	o.Set("actions", d.actionsView())
}

// Preview is the form of a draft that nobody has been asked yet.
func (c *Config) Preview(d *Definition) *value.Object {
	f := Form{ID: c.NodeID, NodeID: c.NodeID, Definition: *d}
	o := value.Obj("TYPE", "human_input_required")
	f.definition(o)
	o.Set("resolved_default_values", orEmpty(d.Defaults))
	return o
}

// Filled is what an answer looks like in the contract's events and messages.
func (f *Form) Filled() *value.Object {
	s := f.Submission
	action, _ := f.Definition.Action(s.ActionID)
	return value.Obj(
		"node_id", f.NodeID, "node_title", f.Definition.NodeTitle, "rendered_content", f.Definition.RenderAnswer(s.Data),
		"action_id", s.ActionID, "action_text", action.Title, "submitted_data", s.Data,
	)
}

// Content is what a message shows of the form that was asked during its run.
func (f *Form) Content() *value.Object {
	definition := value.NewObject(10)
	f.definition(definition)
	definition.Set("display_in_ui", f.Definition.DisplayInUI)
	var token any
	if f.Status == StatusWaiting {
		token = orNil(f.Token(RecipientWebApp))
	}
	definition.Set("form_token", token)
	definition.Set("resolved_default_values", orEmpty(f.Definition.Defaults))
	definition.Set("expiration_time", f.ExpiresAt.Unix())
	var answer any
	if f.Submission != nil {
		answer = f.Filled()
	}
	return value.Obj("type", "human_input", "workflow_run_id", f.RunID, "submitted", f.Submission != nil,
		"form_definition", definition, "form_submission_data", answer)
}

// Token returns the access token of the first recipient of one of the types, ""
// when there is none. Earlier types win.
func (f *Form) Token(types ...string) string {
	for _, t := range types {
		for _, r := range f.Recipients {
			if r.Type == t {
				return r.Token
			}
		}
	}
	return ""
}

func orEmpty(o *value.Object) *value.Object {
	if o == nil {
		return value.NewObject(0)
	}
	return o
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
