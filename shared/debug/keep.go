package debug

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/millrace/millrace/shared/workflow/vartype"
)

var _ run.Keeper = (*Service)(nil)

// dummy is the name of what a node without outputs leaves behind, so that it is
// known to have run. Nobody sees it.
const dummy = "__dummy__"

// unkept are outputs that the contract does not keep, by node type.
var unkept = map[string]string{"llm": "finish_reason", "loop": "loop_round"}

// Keep stores what the nodes that ended in these events left behind. Package
// run calls it before the events become durable: after a crash in between, the
// nodes end again and their variables are written again, in the same places.
func (s *Service) Keep(ctx context.Context, req *run.StartRequest, events []workflow.Event) error {
	sc := Scope{TenantID: req.TenantID, AppID: req.AppID, AccountID: req.User.ID}
	var all []Variable
	for i := range events {
		e := &events[i]
		if e.Type != workflow.EventNodeFinished || e.Node.Status != workflow.StatusSucceeded && e.Node.Status != workflow.StatusException {
			continue
		}
		n := *e.Node
		if len(e.Frame) > 0 {
			// What is inside of a container is seen from outside through the container.
			n.Outputs = nil
		}
		list, err := s.leftBehind(ctx, sc, &n)
		if err != nil {
			return err
		}
		if len(e.Frame) > 0 {
			list = conversationOnly(list)
		}
		all = append(all, list...)
	}
	if len(all) == 0 {
		return nil
	}
	return s.Store.Save(ctx, sc, latest(all))
}

func conversationOnly(list []Variable) []Variable {
	out := list[:0]
	for _, v := range list {
		if v.NodeID == workflow.ScopeConversation {
			out = append(out, v)
		}
	}
	return out
}

// latest keeps the last value of each variable.
func latest(list []Variable) []Variable {
	at := map[[2]string]int{}
	out := list[:0]
	for _, v := range list {
		k := [2]string{v.NodeID, v.Name}
		if i, ok := at[k]; ok {
			out[i] = v
			continue
		}
		at[k] = len(out)
		out = append(out, v)
	}
	return out
}

// leftBehind are the variables of one node execution.
func (s *Service) leftBehind(ctx context.Context, sc Scope, n *workflow.NodeEvent) ([]Variable, error) {
	var out []Variable
	own := 0
	add := func(v Variable, x any) error {
		err := s.set(ctx, sc, &v, x)
		out = append(out, v)
		return err
	}
	for name, x := range n.Outputs.All() {
		v := s.fresh(n.NodeID, name, n.ExecutionID)
		v.Visible = n.NodeType != "if-else"
		if system, ok := strings.CutPrefix(name, "sys."); ok && workflow.IsRootType(n.NodeType) {
			v.NodeID, v.Name = workflow.ScopeSystem, system
			v.Editable = system == "query" || system == "files"
			v.Visible = v.Editable
		} else if unkept[n.NodeType] == name {
			continue
		} else {
			own++
		}
		if err := add(v, x); err != nil {
			return nil, err
		}
	}
	for _, u := range n.Updates {
		if node, name, ok := u.Selector.Key(); ok && node == workflow.ScopeConversation && len(u.Selector) == 2 {
			if err := add(s.fresh(node, name, ""), u.Value); err != nil {
				return nil, err
			}
		}
	}
	if own == 0 {
		v := s.fresh(n.NodeID, dummy, n.ExecutionID)
		v.Visible, v.Editable = false, false
		if err := add(v, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) fresh(node, name, execution string) Variable {
	now := s.now()
	return Variable{ID: ids.Random(), NodeID: node, Name: name, Visible: true, Editable: true, ExecutionID: execution, CreatedAt: now, UpdatedAt: now}
}

// set gives a variable its value; what is too large for a row goes into a file.
func (s *Service) set(ctx context.Context, sc Scope, v *Variable, x any) error {
	v.ValueType, v.File = vartype.Of(x), nil
	cut, short := s.opts.Limits.Value(x)
	v.Value = json.RawMessage(value.JSONASCII(cut))
	if !short {
		return nil
	}
	data := []byte(value.JSONASCII(x))
	id, err := s.Blobs.Put(ctx, sc.TenantID, sc.AccountID, data)
	if err != nil && errs.CodeOf(err) != errs.Internal {
		return nil // too large to be kept anywhere: what was left of it has to do
	}
	if err != nil {
		return err
	}
	v.File = &VariableFile{ID: ids.New(), UploadID: id, Size: int64(len(data)), ValueType: v.ValueType, Length: length(x)}
	return nil
}

func length(x any) *int {
	n := 0
	switch t := x.(type) {
	case []any:
		n = len(t)
	case *value.Object:
		n = t.Len()
	case string:
		n = len([]rune(t))
	default:
		return nil
	}
	return &n
}

// whole returns the value of a variable, all of it.
func (s *Service) whole(ctx context.Context, sc Scope, v *Variable) (any, error) {
	data := []byte(v.Value)
	if v.File != nil {
		var err error
		if data, err = s.Blobs.Get(ctx, sc.TenantID, v.File.UploadID); err != nil {
			return nil, err
		}
	}
	x, err := value.Decode(data)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "value of a draft variable")
	}
	return value.Revive(x), nil
}
