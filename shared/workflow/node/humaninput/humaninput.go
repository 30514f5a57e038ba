// Package humaninput is the human-input node: it asks people a question by a
// form, lets the run pause, and goes on with their answer, or without one when
// the form's time is over.
//
// The form, who gets it and what counts as an answer are package
// shared/humaninput's. The node only looks at its form each time it is run: a
// form that still waits pauses the run (again), anything else ends the node.
package humaninput

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Name is the DSL's type string.
const Name = "human-input"

// HandleTimeout is the branch of forms that nobody answered in time.
const HandleTimeout = "__timeout__"

// Kinds of pauses and of the ends of them, as the contract calls its events.
const (
	PauseKind   = "human_input_required"
	FilledKind  = "human_input_form_filled"
	TimeoutKind = "human_input_form_timeout"
)

// stopRetry is when a run whose form has expired is looked at again, in case the
// request to stop it was lost.
const stopRetry = time.Second

// Forms makes and finds forms. *humaninput.Service is one.
type Forms interface {
	Open(ctx context.Context, a humaninput.Ask) (*humaninput.Form, error)
	Form(ctx context.Context, tenantID, id string) (*humaninput.Form, error)
	Settle(ctx context.Context, f *humaninput.Form) (*humaninput.Form, error)
	Deadline(f *humaninput.Form) (at time.Time, status string)
}

var _ Forms = (*humaninput.Service)(nil)

// Stop ends a run that must not wait any longer; run.Service.Stop is one.
type Stop func(ctx context.Context, tenantID, runID, reason string) error

type nodeType struct {
	forms Forms
	stop  Stop
}

// New returns the node type.
func New(forms Forms, stop Stop) workflow.Type { return &nodeType{forms: forms, stop: stop} }

// Name is the DSL's type string.
func (*nodeType) Name() string { return Name }

// Kind says that the answer selects a branch.
func (*nodeType) Kind() workflow.Kind { return workflow.KindBranch }

// Effect is true: people are told of the form.
func (*nodeType) Effect() bool { return true }

// New reads the configuration.
func (t *nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	c, err := humaninput.ParseConfig(cfg.ID, cfg.Title, cfg.Data)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", cfg.ID, err)
	}
	return &node{nodeType: t, config: c}, nil
}

type node struct {
	*nodeType
	config *humaninput.Config
}

// Run asks, or looks at what has become of the question.
func (n *node) Run(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	f, err := n.form(ctx, x)
	if err != nil {
		return nil, err
	}
	if f, err = n.forms.Settle(ctx, f); err != nil {
		return nil, err
	}
	switch f.Status {
	case humaninput.StatusSubmitted:
		return answered(f), nil
	case humaninput.StatusTimeout:
		return timedOut(f), nil
	case humaninput.StatusExpired:
		reason := "Human input global timeout at node " + n.config.NodeID
		if err := n.stop(ctx, x.Run.TenantID, x.Run.ID, reason); err != nil {
			return nil, err
		}
		return nil, n.pause(x, f, x.Clock.Now().Add(stopRetry))
	}
	at, _ := n.forms.Deadline(f)
	return nil, n.pause(x, f, at)
}

// form returns the form of the execution and makes it at the first call. The
// form may be there though the node was never run: its worker died before the
// pause was in the journal.
func (n *node) form(ctx context.Context, x *workflow.Execution) (*humaninput.Form, error) {
	if x.Resumed || x.Recovered {
		f, err := n.forms.Form(ctx, x.Run.TenantID, x.ID)
		if !errs.Is(err, errs.NotFound) {
			return f, err
		}
		if x.Resumed {
			return nil, workflow.Fail("HumanInputNodeError", "The form of this node is gone.")
		}
	}
	return n.forms.Open(ctx, humaninput.Ask{ID: x.ID, Run: x.Run, Config: n.config, Pool: x.Pool})
}

func (n *node) pause(x *workflow.Execution, f *humaninput.Form, until time.Time) *workflow.Pause {
	token, channels := f.Channels(x.Run)
	return &workflow.Pause{Kind: PauseKind, Until: until, Reason: f.Reason(token, channels)}
}

func answered(f *humaninput.Form) *workflow.Result {
	s := f.Submission
	return &workflow.Result{
		Inputs: s.Data, Outputs: f.Definition.Outputs(s), Handle: s.ActionID,
		Resumption: &workflow.Resumption{Kind: FilledKind, Data: f.Filled()},
	}
}

func timedOut(f *humaninput.Form) *workflow.Result {
	return &workflow.Result{
		Outputs: f.Definition.Outputs(&humaninput.Submission{Data: value.NewObject(0)}), Handle: HandleTimeout,
		Resumption: &workflow.Resumption{Kind: TimeoutKind, Data: value.Obj(
			"node_id", f.NodeID, "node_title", f.Definition.NodeTitle, "expiration_time", f.ExpiresAt.Unix(),
		)},
	}
}
