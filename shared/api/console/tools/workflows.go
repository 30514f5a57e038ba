package tools

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/workflowtool"
	"github.com/millrace/millrace/shared/workflow/value"
)

// fields are what both creating and updating take.
type fields struct {
	Name        *string         `json:"name"`
	Label       *string         `json:"label"`
	Description *string         `json:"description"`
	Icon        *iconBody       `json:"icon"`
	Parameters  []parameterBody `json:"parameters"`
	Privacy     *string         `json:"privacy_policy"`
	Labels      []string        `json:"labels"`
}

type iconBody struct {
	Background *string `json:"background"`
	Content    *string `json:"content"`
}

type parameterBody struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	Form        *string `json:"form"`
}

// toolName matches the names that models can call.
var toolName = regexp.MustCompile(`^[a-zA-Z0-9_]+$`)

// maxText bounds what has a bounded column, in characters.
const maxText = 255

func (b *fields) check(p *edge.Problems) {
	p.Require("name", b.Name != nil)
	if b.Name != nil {
		if !toolName.MatchString(*b.Name) {
			p.Add("name", *b.Name+" is not a valid alphanumeric value")
		}
		p.Length("name", *b.Name, 0, maxText)
	}
	p.Require("label", b.Label != nil)
	if b.Label != nil {
		p.Length("label", *b.Label, 0, maxText)
	}
	p.Require("description", b.Description != nil)
	p.Require("icon", b.Icon != nil)
	if b.Icon != nil {
		p.Require("icon.background", b.Icon.Background != nil)
		p.Require("icon.content", b.Icon.Content != nil)
	}
	if b.Privacy != nil {
		p.Length("privacy_policy", *b.Privacy, 0, maxText)
	}
	for i, x := range b.Parameters {
		at := fmt.Sprintf("parameters.%d.", i)
		p.Require(at+"name", x.Name != nil)
		p.Require(at+"description", x.Description != nil)
		p.Require(at+"form", x.Form != nil)
		if x.Form != nil {
			p.OneOf(at+"form", *x.Form, string(driver.FormSchema), string(driver.FormForm), string(driver.FormLLM))
		}
	}
}

func (b *fields) fields() workflowtool.Fields {
	f := workflowtool.Fields{
		Name: *b.Name, Label: *b.Label, Description: *b.Description, Labels: b.Labels,
		Icon: workflowtool.Icon{Background: *b.Icon.Background, Content: *b.Icon.Content}, Parameters: []workflowtool.Parameter{},
	}
	if b.Privacy != nil {
		f.Privacy = *b.Privacy
	}
	for _, p := range b.Parameters {
		f.Parameters = append(f.Parameters, workflowtool.Parameter{Name: *p.Name, Description: *p.Description, Form: driver.Form(*p.Form)})
	}
	return f
}

type createBody struct {
	fields
	AppID *string `json:"workflow_app_id"`
}

// Validate checks the fields.
func (b *createBody) Validate() error {
	var p edge.Problems
	b.check(&p)
	p.Require("workflow_app_id", b.AppID != nil)
	return p.Err()
}

type updateBody struct {
	fields
	ID *string `json:"workflow_tool_id"`
}

// Validate checks the fields.
func (b *updateBody) Validate() error {
	var p edge.Problems
	b.check(&p)
	p.Require("workflow_tool_id", b.ID != nil)
	return p.Err()
}

type deleteBody struct {
	ID *string `json:"workflow_tool_id"`
}

// Validate checks the fields.
func (b *deleteBody) Validate() error {
	var p edge.Problems
	p.Require("workflow_tool_id", b.ID != nil)
	return p.Err()
}

func actor(p account.Principal) app.Actor {
	return app.Actor{TenantID: p.Tenant.ID, AccountID: p.Account.ID}
}

func (a *api) create(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var b createBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	if _, err := a.Workflows.Publish(r.Context(), actor(p), *b.AppID, b.fields.fields()); err != nil {
		return err
	}
	return edge.Success(w, http.StatusOK)
}

func (a *api) update(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var b updateBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	if err := a.Workflows.Change(r.Context(), actor(p), *b.ID, b.fields.fields()); err != nil {
		return err
	}
	return edge.Success(w, http.StatusOK)
}

func (a *api) remove(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var b deleteBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	if err := a.Workflows.Withdraw(r.Context(), p.Tenant.ID, *b.ID); err != nil {
		return err
	}
	return edge.Success(w, http.StatusOK)
}

// described finds a tool and describes it.
func (a *api) described(r *http.Request, p account.Principal, id, appID string) (workflowtool.Published, *driver.Provider, bool, error) {
	found, err := a.Workflows.Find(r.Context(), p.Tenant.ID, id, appID)
	if err != nil {
		return found, nil, false, err
	}
	d, synced, err := a.Workflows.Describe(r.Context(), &found)
	if errs.Is(err, errs.NotFound) {
		err = errs.Wrap(errs.InvalidParam, err, errs.Public(err).Message)
	}
	return found, d, synced, err
}

func (a *api) get(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	q := edge.NewQuery(r)
	id, appID := q.Text("workflow_tool_id"), q.Text("workflow_app_id")
	if id == "" && appID == "" {
		return errs.New(errs.InvalidParam, "workflow_tool_id or workflow_app_id is required")
	}
	found, d, synced, err := a.described(r, p, id, appID)
	if err != nil {
		return err
	}
	return edge.OK(w, struct {
		Name         string                   `json:"name"`
		Label        string                   `json:"label"`
		ID           string                   `json:"workflow_tool_id"`
		AppID        string                   `json:"workflow_app_id"`
		Icon         workflowtool.Icon        `json:"icon"`
		Description  string                   `json:"description"`
		Parameters   []workflowtool.Parameter `json:"parameters"`
		OutputSchema *value.Object            `json:"output_schema"`
		Tool         toolView                 `json:"tool"`
		Synced       bool                     `json:"synced"`
		Privacy      string                   `json:"privacy_policy"`
	}{
		found.Name, found.Label, found.ID, found.AppID, found.Icon, found.Description, found.Parameters, d.Tools[0].OutputSchema,
		toolViews(d)[0], synced, found.Privacy,
	})
}

func (a *api) workflowTools(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	q := edge.NewQuery(r)
	q.Require("workflow_tool_id", q.Has("workflow_tool_id"))
	if err := q.Err(); err != nil {
		return err
	}
	_, d, _, err := a.described(r, p, q.Text("workflow_tool_id"), "")
	if err != nil {
		return err
	}
	return edge.OK(w, toolViews(d))
}
