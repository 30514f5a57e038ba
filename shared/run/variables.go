package run

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/millrace/millrace/shared/workflow/vartype"
)

// StoredVariable is what a conversation keeps of one of its variables. A turn
// takes it along when it starts: a run that is recovered goes on with the values
// of its own beginning and journal, whatever other turns have written since.
type StoredVariable struct {
	// ID is that of the variable in the workflow, which outlives renaming.
	ID string `json:"id"`
	// Type is the one that the variable had when the conversation first used it.
	Type string `json:"type"`
	// Value is JSON, so that floats stay floats.
	Value json.RawMessage `json:"value"`
}

// StoredVariables are the variables of a conversation for its next turn.
func StoredVariables(list []chat.Variable) ([]StoredVariable, error) {
	out := make([]StoredVariable, 0, len(list))
	for _, v := range list {
		raw, err := value.Encode(v.Value)
		if err != nil {
			return nil, fmt.Errorf("conversation variable %s: %w", v.Name, err)
		}
		out = append(out, StoredVariable{ID: v.ID, Type: v.Type, Value: raw})
	}
	return out, nil
}

// decode returns the value when it is of the variable's type.
func (v StoredVariable) decode() (any, bool) {
	x, err := value.Decode(v.Value)
	if err != nil {
		return nil, false
	}
	x = value.Revive(x)
	return x, vartype.Fits(v.Type, x)
}

// declaredTypes are the types that a version gives its conversation and loop
// variables.
func declaredTypes(def *Definition, g *workflow.Graph) map[[2]string]string {
	out := map[[2]string]string{}
	for _, v := range def.Conversation {
		if v.Type != "" {
			out[[2]string{workflow.ScopeConversation, v.Name}] = vartype.Shown(v.Type)
		}
	}
	for _, n := range g.Nodes {
		list, _ := n.Data.Value("loop_variables").([]any)
		for _, x := range list {
			o, _ := x.(*value.Object)
			if label, typ := o.String("label"), o.String("var_type"); n.Type == "loop" && label != "" && typ != "" {
				out[[2]string{n.ID, label}] = typ
			}
		}
	}
	return out
}

// conversationVariables puts the variables of a turn's conversation into the
// pool: what the conversation keeps, and the workflow's defaults for variables
// that are newer than it or whose stored value is of no use. As in the contract
// a conversation stays with the types that it began with.
func conversationVariables(p *workflow.Pool, c *compiled, turn *ChatTurn) {
	stored := turn.stored()
	types := c.types
	for _, v := range c.def.Conversation {
		now, ok := stored[v.ID]
		if !ok {
			p.Set(workflow.ScopeConversation, v.Name, v.Value)
			continue
		}
		p.Set(workflow.ScopeConversation, v.Name, now.value)
		if key := [2]string{workflow.ScopeConversation, v.Name}; types[key] != now.typ {
			types = maps.Clone(types) // belongs to every run of the version
			types[key] = now.typ
		}
	}
	p.Declare(types)
}

// kept is a stored variable that is of use.
type kept struct {
	typ   string
	value any
}

func (t *ChatTurn) stored() map[string]kept {
	out := make(map[string]kept, len(t.Variables))
	for _, v := range t.Variables {
		if x, ok := v.decode(); ok {
			out[v.ID] = kept{vartype.Shown(v.Type), x}
		}
	}
	return out
}

// beginVariables writes the variables that the conversation does not keep yet,
// with their defaults.
func (p *projection) beginVariables(r *runstore.Rows, at time.Time) {
	stored := p.req.Chat.stored()
	for i := range p.def.Conversation {
		v := &p.def.Conversation[i]
		if _, ok := stored[v.ID]; v.ID != "" && !ok {
			r.Variables = append(r.Variables, p.variable(v, vartype.Shown(v.Type), v.Value, at))
		}
	}
}

// updateVariables writes what a finished node has made of the variables. A batch
// has one row of each variable.
func (p *projection) updateVariables(r *runstore.Rows, updates []workflow.Update, at time.Time) {
	for _, u := range updates {
		scope, name, ok := u.Selector.Key()
		if !ok || scope != workflow.ScopeConversation || p.req.Chat == nil {
			continue
		}
		for i := range p.def.Conversation {
			if v := &p.def.Conversation[i]; v.Name == name && v.ID != "" {
				p.put(r, p.variable(v, p.storedType(v), u.Value, at))
			}
		}
	}
}

func (p *projection) put(r *runstore.Rows, row driver.VariableRow) {
	for i := range r.Variables {
		if r.Variables[i].ID == row.ID {
			row.CreatedAt = r.Variables[i].CreatedAt
			r.Variables[i] = row
			return
		}
	}
	r.Variables = append(r.Variables, row)
}

// storedType is the type under which the conversation keeps the variable.
func (p *projection) storedType(v *Variable) string {
	for _, s := range p.req.Chat.Variables {
		if _, ok := s.decode(); ok && s.ID == v.ID {
			return vartype.Shown(s.Type)
		}
	}
	return vartype.Shown(v.Type)
}

// variable makes a row in the contract's form. Numbers are kept as such, not as
// the kind they are at the moment: readers of the contract know only that.
func (p *projection) variable(v *Variable, typ string, now any, at time.Time) driver.VariableRow {
	row := chat.Variable{ID: v.ID, Name: v.Name, Type: typ, Description: v.Description, Value: now}
	return driver.VariableRow{ID: v.ID, ConversationID: p.req.Chat.ConversationID, Data: row.Data(), CreatedAt: at, UpdatedAt: at}
}
