package workflows

import (
	"encoding/json"
	"net/http"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/millrace/millrace/shared/workflow/vartype"
)

// viewVariable shows a variable without its value.
func viewVariable(v *debug.Variable) *value.Object {
	kind := "node"
	if v.NodeID == workflow.ScopeSystem || v.NodeID == workflow.ScopeConversation {
		kind = v.NodeID
	}
	return value.Obj(
		"id", v.ID, "type", kind, "name", v.Name, "description", v.Description, "selector", value.From(v.Selector()),
		"value_type", vartype.Shown(v.ValueType), "edited", v.Edited(), "visible", v.Visible, "is_truncated", v.File != nil,
	)
}

// viewWhole adds the value, or where to get all of it.
func (a *api) viewWhole(v *debug.Variable) *value.Object {
	o := viewVariable(v)
	shown := v.Shown()
	if a.Files != nil {
		shown = a.Files.Refresh(value.Revive(shown))
	}
	o.Set("value", shown)
	o.Set("full_content", nil)
	if f := v.File; f != nil {
		var length any
		if f.Length != nil {
			length = int64(*f.Length)
		}
		o.Set("full_content", value.Obj(
			"size_bytes", f.Size, "value_type", vartype.Shown(f.ValueType), "length", length, "download_url", a.Debug.Blobs.URL(f.UploadID),
		))
	}
	return o
}

func (a *api) answerVariables(w http.ResponseWriter, list []debug.Variable, err error) error {
	if err != nil {
		return err
	}
	items := make([]any, len(list))
	for i := range list {
		items[i] = a.viewWhole(&list[i])
	}
	return edge.OK(w, value.Obj("items", items))
}

func (a *api) allVariables(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	q := edge.NewQuery(r)
	page, limit := q.Int("page", 1, 1, 100000), q.Int("limit", 20, 1, 100)
	if err := q.Err(); err != nil {
		return err
	}
	list, total, err := a.Debug.Page(r.Context(), scopeOf(p, x), page, limit)
	if err != nil {
		return err
	}
	items := make([]any, len(list))
	for i := range list {
		items[i] = viewVariable(&list[i])
	}
	return edge.OK(w, value.Obj("items", items, "total", int64(total)))
}

func (a *api) deleteVariables(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	if err := a.Debug.DeleteAll(r.Context(), scopeOf(p, x)); err != nil {
		return err
	}
	return edge.NoContent(w)
}

func (a *api) nodeVariables(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	list, err := a.Debug.OfNode(r.Context(), scopeOf(p, x), r.PathValue("node_id"))
	return a.answerVariables(w, list, err)
}

func (a *api) deleteNodeVariables(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	if err := a.Debug.DeleteOfNode(r.Context(), scopeOf(p, x), r.PathValue("node_id")); err != nil {
		return err
	}
	return edge.NoContent(w)
}

func (a *api) systemVariables(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	list, err := a.Debug.System(r.Context(), scopeOf(p, x))
	return a.answerVariables(w, list, err)
}

// defaults are the conversation variables that the draft declares.
func (a *api) defaults(r *http.Request, p account.Principal, x app.App) ([]run.Variable, error) {
	draft, err := a.Apps.Draft(r.Context(), p.Tenant.ID, x.ID)
	if err != nil {
		return nil, err
	}
	out := make([]run.Variable, len(draft.Conversation))
	for i, v := range draft.Conversation {
		out[i] = run.Variable{ID: v.ID, Type: v.Type, Description: v.Description, Name: v.Name, Value: v.Value}
	}
	return out, nil
}

func (a *api) conversationVariables(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	defaults, err := a.defaults(r, p, x)
	if err != nil {
		return err
	}
	list, err := a.Debug.Conversation(r.Context(), scopeOf(p, x), defaults)
	return a.answerVariables(w, list, err)
}

func (a *api) variable(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	v, err := a.Debug.Variable(r.Context(), scopeOf(p, x), r.PathValue("variable_id"))
	if err != nil {
		return err
	}
	return edge.OK(w, a.viewWhole(&v))
}

type variableBody struct {
	Name  *string         `json:"name"`
	Value json.RawMessage `json:"value"`

	value any
}

// Validate decodes the value.
func (b *variableBody) Validate() error {
	var p edge.Problems
	if b.Name != nil {
		p.Length("name", *b.Name, 1, 255)
	}
	if len(b.Value) > 0 {
		v, err := value.Decode(b.Value)
		if err != nil {
			p.Add("value", "is no valid value")
		}
		b.value = v
	}
	return p.Err()
}

func (a *api) editVariable(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b variableBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	v, err := a.Debug.Edit(r.Context(), scopeOf(p, x), r.PathValue("variable_id"), debug.Edit{
		Name: b.Name, Value: b.value, HasValue: b.value != nil, Resolver: a.resolver(p),
	})
	if err != nil {
		return err
	}
	return edge.OK(w, a.viewWhole(&v))
}

func (a *api) deleteVariable(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	if err := a.Debug.Delete(r.Context(), scopeOf(p, x), r.PathValue("variable_id")); err != nil {
		return err
	}
	return edge.NoContent(w)
}

func (a *api) resetVariable(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	defaults, err := a.defaults(r, p, x)
	if err != nil {
		return err
	}
	v, ok, err := a.Debug.Reset(r.Context(), scopeOf(p, x), r.PathValue("variable_id"), defaults)
	if err != nil {
		return err
	}
	if !ok {
		return edge.NoContent(w)
	}
	return edge.OK(w, a.viewWhole(&v))
}
