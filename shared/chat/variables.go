package chat

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/millrace/millrace/shared/workflow/vartype"
)

// Variable is what a conversation keeps of one of its variables. The rows are
// made and changed by the runs of its turns; clients may change them between.
type Variable struct {
	// ID is that of the variable in the workflow: the conversations of an app
	// share it.
	ID                      string
	ConversationID          string
	Name, Type, Description string
	Value                   any
	CreatedAt, UpdatedAt    time.Time
}

// Data is the variable as its column holds it.
func (v *Variable) Data() string {
	return value.JSON(value.Obj("value_type", v.Type, "value", v.Value, "id", v.ID, "name", v.Name, "description", v.Description,
		"selector", []any{"conversation", v.Name}))
}

// ReadData reads the column. Numbers that say which kind they are, as other
// writers leave them behind, are numbers.
func (v *Variable) ReadData(data string) error {
	x, err := value.Decode([]byte(data))
	if err != nil {
		return fmt.Errorf("conversation variable %s: %w", v.ID, err)
	}
	o, _ := x.(*value.Object)
	v.Name, v.Description, v.Type = o.String("name"), o.String("description"), vartype.Shown(o.String("value_type"))
	v.Value = value.Revive(o.Value("value"))
	if v.Name == "" || v.Type == "" {
		return fmt.Errorf("conversation variable %s has no name or no type", v.ID)
	}
	return nil
}

// VariableQuery asks for a part of a conversation's variables.
type VariableQuery struct {
	// Name restricts to the variable of that name; "" does not.
	Name string
	// After is the id of the last variable that the client has, "" for the start.
	After string
	Limit int
}

// Variables lists what a conversation keeps, oldest first, and whether more
// follows.
func (s *Service) Variables(ctx context.Context, scope Scope, conversationID string, q VariableQuery) ([]Variable, bool, error) {
	if _, err := s.Conversation(ctx, scope, conversationID); err != nil {
		return nil, false, err
	}
	all, err := s.store.Variables(ctx, scope, conversationID)
	if err != nil {
		return nil, false, err
	}
	list, found := make([]Variable, 0, len(all)), q.After == ""
	for _, v := range all {
		if found && (q.Name == "" || v.Name == q.Name) {
			list = append(list, v)
		}
		found = found || v.ID == q.After
	}
	if !found {
		return nil, false, variableMissing()
	}
	if len(list) > q.Limit {
		return list[:q.Limit], true, nil
	}
	return list, false, nil
}

// AllVariables lists everything that a conversation keeps; nothing for a
// conversation that does not exist.
func (s *Service) AllVariables(ctx context.Context, scope Scope, conversationID string) ([]Variable, error) {
	return s.store.Variables(ctx, scope, conversationID)
}

// SetVariable gives a variable another value of its type. Codes: NotFound,
// BadRequest for another type, InvalidParam for what is too large.
func (s *Service) SetVariable(ctx context.Context, scope Scope, conversationID, id string, v any) (Variable, error) {
	if _, err := s.Conversation(ctx, scope, conversationID); err != nil {
		return Variable{}, err
	}
	all, err := s.store.Variables(ctx, scope, conversationID)
	if err != nil {
		return Variable{}, err
	}
	for _, have := range all {
		if have.ID != id {
			continue
		}
		if !vartype.Fits(have.Type, v) {
			return Variable{}, errs.Newf(errs.BadRequest, "The variable %s is of type %s and cannot take a value of type %s", have.Name, have.Type, vartype.Shown(vartype.Of(v)))
		}
		if err := vartype.CheckSize(v); err != nil {
			return Variable{}, errs.New(errs.InvalidParam, err.Error())
		}
		have.Value, have.UpdatedAt = v, s.now()
		if err := s.store.SaveVariable(ctx, scope, have); err != nil {
			if errs.Is(err, errs.NotFound) {
				err = variableMissing()
			}
			return Variable{}, err
		}
		return have, nil
	}
	return Variable{}, variableMissing()
}

func variableMissing() error { return errs.New(errs.NotFound, "Conversation Variable Not Exists.") }
