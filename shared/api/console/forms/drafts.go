package forms

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

type handler func(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error

// withApp finds the app that the path names; it must be of a kind that has
// graphs, and the one that the path speaks of.
func (a *api) withApp(next handler) console.Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		x, err := a.Apps.App(r.Context(), p.Tenant.ID, r.PathValue("app_id"))
		if err != nil {
			return err
		}
		wanted := []string{"workflow"}
		if strings.Contains(r.URL.Path, "/advanced-chat/") {
			wanted = []string{"advanced-chat"}
		} else if strings.HasSuffix(r.URL.Path, "/delivery-test") {
			wanted = []string{"advanced-chat", "workflow"}
		}
		if !slices.Contains(wanted, x.Mode) {
			return errs.New(errs.AppNotFound, "App mode is not in the supported list: {'"+strings.Join(wanted, "', '")+"'}")
		}
		return next(w, r, p, x)
	}
}

// config reads the human-input node of the path in the draft.
func (a *api) config(r *http.Request, x app.App) (*humaninput.Config, error) {
	draft, err := a.Apps.Draft(r.Context(), x.TenantID, x.ID)
	if err != nil {
		return nil, err
	}
	g, err := workflow.ParseGraph([]byte(draft.Graph))
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, err.Error())
	}
	n, ok := g.Node(r.PathValue("node_id"))
	if !ok || n.Type != "human-input" {
		return nil, errs.New(errs.NotFound, "The draft has no human-input node of this id.")
	}
	c, err := humaninput.ParseConfig(n.ID, n.Title, n.Data)
	return c, errs.Wrap(errs.InvalidParam, err, "The node is not valid.")
}

// variables makes the variables that a form uses from what is given by
// placeholder ("#node.name#"), else from what runs of the draft have left.
func (a *api) variables(ctx context.Context, p account.Principal, x app.App, c *humaninput.Config, given *value.Object) (*workflow.Pool, error) {
	pool := workflow.NewPool()
	for _, s := range c.Variables() {
		node, name, ok := s.Key()
		if !ok {
			continue
		}
		key := "#" + s.String() + "#"
		v, ok := given.Get(key)
		if !ok {
			v, ok = given.Get("#" + node + "." + name + "#")
		}
		if !ok {
			left, err := a.Apps.DraftVariables(ctx, x.TenantID, x.ID, p.Account.ID, node)
			if err != nil {
				return nil, err
			}
			for i := range left {
				if left[i].Name == name {
					v, ok = value.From(left[i].Value), true
				}
			}
		}
		if !ok {
			return nil, errs.Newf(errs.InvalidParam, "Variable key %s.%s not found in user inputs", c.NodeID, key)
		}
		pool.Set(node, name, v)
	}
	return pool, nil
}

// asked reads what a request gives and fills the node's form with it.
func (a *api) asked(r *http.Request, p account.Principal, x app.App, given *value.Object) (*humaninput.Config, *workflow.Pool, error) {
	c, err := a.config(r, x)
	if err != nil {
		return nil, nil, err
	}
	pool, err := a.variables(r.Context(), p, x, c, given)
	return c, pool, err
}

// preview shows the form of a draft.
func (a *api) preview(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b answerBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	c, pool, err := a.asked(r, p, x, b.Inputs)
	if err != nil {
		return err
	}
	d := c.Fill(pool)
	return edge.OK(w, c.Preview(&d))
}

// try answers the form of a draft and shows what the node would put out.
func (a *api) try(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b answerBody
	if err := b.read(r, true); err != nil {
		return err
	}
	c, pool, err := a.asked(r, p, x, b.Inputs)
	if err != nil {
		return err
	}
	d := c.Fill(pool)
	data, err := d.Check(r.Context(), *b.Action, b.FormInputs, a.files(p))
	if err != nil {
		return err
	}
	return edge.OK(w, d.Outputs(&humaninput.Submission{ActionID: *b.Action, Data: data}))
}

// deliver sends the form of a draft in one of the node's ways, to see that it
// arrives.
func (a *api) deliver(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b struct {
		MethodID *string       `json:"delivery_method_id"`
		Inputs   *value.Object `json:"inputs"`
	}
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	var problems edge.Problems
	problems.Require("delivery_method_id", b.MethodID != nil)
	if err := problems.Err(); err != nil {
		return err
	}
	c, pool, err := a.asked(r, p, x, b.Inputs)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(c.Methods, func(m humaninput.Method) bool { return m.ID == *b.MethodID })
	if i < 0 {
		return errs.New(errs.InvalidParam, "Delivery method not found.")
	}
	if c.Methods[i].Type == humaninput.DeliveryEmail && !a.Forms.SendsMail() {
		return errs.New(errs.InvalidParam, "No mail server is configured.")
	}
	only := *c
	only.Methods = []humaninput.Method{c.Methods[i]}
	only.Methods[0].Enabled = true
	_, err = a.Forms.Open(r.Context(), humaninput.Ask{
		ID: ids.New(), Kind: humaninput.KindDeliveryTest, Config: &only, Pool: pool,
		Run: &workflow.RunInfo{TenantID: x.TenantID, AppID: x.ID, UserID: p.Account.ID, UserFrom: "account", InvokeFrom: "debugger"},
	})
	if err != nil {
		return err
	}
	return edge.OK(w, value.NewObject(0))
}
