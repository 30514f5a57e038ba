package debug

import (
	"context"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/millrace/millrace/shared/workflow/vartype"
)

func missing(err error, id string) error {
	if errs.Is(err, errs.NotFound) {
		return errs.Newf(errs.NotFound, "variable not found, id=%s", id)
	}
	return err
}

// Page lists variables without values.
func (s *Service) Page(ctx context.Context, sc Scope, page, limit int) ([]Variable, int, error) {
	return s.Store.Page(ctx, sc, (page-1)*limit, limit)
}

// OfNode lists the variables that a node left behind.
func (s *Service) OfNode(ctx context.Context, sc Scope, nodeID string) ([]Variable, error) {
	if err := checkNodeID(nodeID); err != nil {
		return nil, err
	}
	return s.Store.Variables(ctx, sc, nodeID)
}

func checkNodeID(nodeID string) error {
	if nodeID == workflow.ScopeSystem || nodeID == workflow.ScopeConversation {
		return errs.Newf(errs.InvalidParam, "invalid node_id, please use correspond api for conversation and system variables, node_id=%s", nodeID)
	}
	return nil
}

// System lists the system variables that were left behind.
func (s *Service) System(ctx context.Context, sc Scope) ([]Variable, error) {
	return s.Store.Variables(ctx, sc, workflow.ScopeSystem)
}

// Conversation lists the conversation variables; those that no run has changed
// have the defaults of the draft.
func (s *Service) Conversation(ctx context.Context, sc Scope, defaults []run.Variable) ([]Variable, error) {
	var list []Variable
	for _, d := range defaults {
		v := s.fresh(workflow.ScopeConversation, d.Name, "")
		v.IsDefault = true
		if err := s.set(ctx, sc, &v, d.Value); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if err := s.Store.Prefill(ctx, sc, list); err != nil {
		return nil, err
	}
	return s.Store.Variables(ctx, sc, workflow.ScopeConversation)
}

// Variable returns one.
func (s *Service) Variable(ctx context.Context, sc Scope, id string) (Variable, error) {
	v, err := s.Store.Variable(ctx, sc, id)
	return v, missing(err, id)
}

// Edit is a change of a variable by hand; nil and unset parts stay.
type Edit struct {
	Name *string
	// Value counts when HasValue is set.
	Value    any
	HasValue bool
	Resolver inputs.Files
}

// Edit changes a variable. The value must fit the variable's type. Codes:
// NotFound, InvalidParam.
func (s *Service) Edit(ctx context.Context, sc Scope, id string, e Edit) (Variable, error) {
	v, err := s.Store.Variable(ctx, sc, id)
	if err != nil {
		return v, missing(err, id)
	}
	if e.Name == nil && !e.HasValue {
		return v, nil
	}
	if !v.Editable {
		return v, errs.Newf(errs.InvalidParam, "The variable %s cannot be changed.", v.Name)
	}
	if e.Name != nil {
		v.Name = *e.Name
	}
	if e.HasValue {
		x, err := fileValue(ctx, v.ValueType, e)
		if err != nil {
			return v, err
		}
		kind := v.ValueType
		if !vartype.Fits(kind, x) {
			return v, errs.Newf(errs.InvalidParam, "The variable is of type %s; a value of type %s does not fit.", vartype.Shown(kind), vartype.Shown(vartype.Of(x)))
		}
		if err := s.set(ctx, sc, &v, x); err != nil {
			return v, err
		}
		if !vartype.IsNumber(kind) {
			v.ValueType = kind // an empty list is of any type, but stays what it was
		}
	}
	now := s.now()
	v.EditedAt, v.UpdatedAt = &now, now
	err = s.Store.Update(ctx, sc, v)
	if errs.Is(err, errs.Conflict) {
		return v, errs.Newf(errs.InvalidParam, "There is a variable %s already.", v.Name)
	}
	return v, missing(err, id)
}

// fileValue turns references into files where the variable holds files.
func fileValue(ctx context.Context, kind string, e Edit) (any, error) {
	switch kind {
	case vartype.File:
		if _, ok := e.Value.(*value.Object); !ok {
			return nil, errs.Newf(errs.InvalidParam, "expected dict for file, got %s", vartype.Of(e.Value))
		}
	case vartype.Array(vartype.File):
		list, ok := e.Value.([]any)
		if !ok {
			return nil, errs.Newf(errs.InvalidParam, "expected list for files, got %s", vartype.Of(e.Value))
		}
		for i, x := range list {
			if _, ok := x.(*value.Object); !ok {
				return nil, errs.Newf(errs.InvalidParam, "expected dict for files[%d], got %s", i, vartype.Of(x))
			}
		}
	default:
		return resolve(ctx, e.Value, e.Resolver, false)
	}
	return resolveFiles(ctx, e.Value, e.Resolver)
}

// Reset gives a variable the value that its node made, or the default of a
// conversation variable. ok is false when there is no such value any more: then
// the variable is gone.
func (s *Service) Reset(ctx context.Context, sc Scope, id string, defaults []run.Variable) (v Variable, ok bool, err error) {
	if v, err = s.Store.Variable(ctx, sc, id); err != nil {
		return v, false, missing(err, id)
	}
	x, ok, err := s.origin(ctx, sc, &v, defaults)
	if err != nil {
		return v, false, err
	}
	if !ok {
		return v, false, missing(s.Store.Delete(ctx, sc, id), id)
	}
	if v.NodeID != workflow.ScopeConversation && !v.Edited() {
		return v, true, nil
	}
	if err := s.set(ctx, sc, &v, x); err != nil {
		return v, false, err
	}
	v.EditedAt, v.UpdatedAt = nil, s.now()
	v.IsDefault = v.NodeID == workflow.ScopeConversation
	return v, true, missing(s.Store.Update(ctx, sc, v), id)
}

// origin is what a variable was before somebody edited it.
func (s *Service) origin(ctx context.Context, sc Scope, v *Variable, defaults []run.Variable) (any, bool, error) {
	if v.NodeID == workflow.ScopeConversation {
		for _, d := range defaults {
			if d.Name == v.Name {
				return d.Value, true, nil
			}
		}
		return nil, false, nil
	}
	if v.ExecutionID == "" {
		return nil, false, nil
	}
	raw, err := s.Store.Outputs(ctx, sc, v.ExecutionID)
	if errs.Is(err, errs.NotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	name := v.Name
	if v.NodeID == workflow.ScopeSystem {
		name = "sys." + name
	}
	x, err := value.Decode(raw)
	if err != nil {
		return nil, false, errs.Wrap(errs.Internal, err, "outputs of a node execution")
	}
	outputs, _ := value.Revive(x).(*value.Object)
	got, ok := outputs.Get(name)
	if v.Name == dummy {
		ok = true
	}
	return got, ok, nil
}

// Delete removes one variable.
func (s *Service) Delete(ctx context.Context, sc Scope, id string) error {
	return missing(s.Store.Delete(ctx, sc, id), id)
}

// DeleteOfNode removes what a node left behind.
func (s *Service) DeleteOfNode(ctx context.Context, sc Scope, nodeID string) error {
	if err := checkNodeID(nodeID); err != nil {
		return err
	}
	return s.Store.DeleteAll(ctx, sc, nodeID)
}

// DeleteAll removes everything.
func (s *Service) DeleteAll(ctx context.Context, sc Scope) error {
	return s.Store.DeleteAll(ctx, sc, "")
}

// Shown is the value as it is shown: what the row has.
func (v *Variable) Shown() any {
	x, err := value.Decode(v.Value)
	if err != nil {
		return nil
	}
	return x
}
