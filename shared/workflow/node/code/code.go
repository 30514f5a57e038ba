// Package code is the node that runs a user's main function in the sandbox and
// checks what it returns against the declared outputs. How code is kept away
// from the host is package sandbox's matter.
package code

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The contract's error types of this node.
const (
	typeExecution  = "CodeExecutionError"
	typeNode       = "CodeNodeError"
	typeDepth      = "DepthLimitError"
	typeValidation = "OutputValidationError"
	typeUnexpected = "WorkflowNodeError"
)

// Runner runs code; *sandbox.Sandbox is one.
type Runner interface {
	// Run calls main of the request's code.
	Run(ctx context.Context, req sandbox.Request) (*sandbox.Result, error)
}

// Limits bound the outputs. Zero fields have the contract's defaults.
type Limits struct {
	// StringLength is in characters. Default 400000.
	StringLength int
	// Depth is how deep objects may nest. Default 5.
	Depth int
	// Precision is the number of decimal places of a float. Default 20.
	Precision int
	// MinNumber and MaxNumber bound numbers. Both zero: the range of int64.
	MinNumber, MaxNumber int64
	// StringArray, ObjectArray and NumberArray are element counts. Default 30, 30, 1000.
	StringArray, ObjectArray, NumberArray int
}

// Options tune the node type; the zero value has the contract's defaults.
type Options struct {
	Limits Limits
}

type nodeType struct {
	runner Runner
	limits Limits
}

// New returns the node type. Its nodes run their code on runner.
func New(runner Runner, opts Options) workflow.Type {
	l := opts.Limits
	if l.MinNumber == 0 && l.MaxNumber == 0 {
		l.MinNumber, l.MaxNumber = math.MinInt64, math.MaxInt64
	}
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.StringLength, 400000}, {&l.Depth, 5}, {&l.Precision, 20},
		{&l.StringArray, 30}, {&l.ObjectArray, 30}, {&l.NumberArray, 1000},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return nodeType{runner: runner, limits: l}
}

// Name is the DSL's type string.
func (nodeType) Name() string { return "code" }

// Kind says that the node just runs.
func (nodeType) Kind() workflow.Kind { return workflow.KindExecutable }

// Effect is true: code may use the clock, randomness and, where allowed, the network.
func (nodeType) Effect() bool { return true }

// New reads the configuration.
func (t nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	n := &node{nodeType: t, language: sandbox.Language(cfg.Data.String("code_language")), code: cfg.Data.String("code")}
	if n.language == "" {
		n.language = sandbox.Python3
	}
	list, _ := cfg.Data.Value("variables").([]any)
	for _, item := range list {
		if o, ok := item.(*value.Object); ok {
			n.variables = append(n.variables, variable{o.String("variable"), workflow.SelectorFrom(o.Value("value_selector"))})
		}
	}
	outputs, ok := cfg.Data.Value("outputs").(*value.Object)
	if !ok {
		return nil, fmt.Errorf("node %s: outputs must be an object", cfg.ID)
	}
	n.outputs = parseSchema(outputs)
	return n, nil
}

type variable struct {
	name     string
	selector workflow.Selector
}

type node struct {
	nodeType
	language  sandbox.Language
	code      string
	variables []variable
	outputs   *schema
}

// Run calls the code's main with the chosen variables. One that is not there is null.
func (n *node) Run(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	in := value.NewObject(len(n.variables))
	args := make(map[string]any, len(n.variables))
	for _, v := range n.variables {
		got, _ := x.Pool.Get(v.selector)
		if list, ok := got.([]any); ok && len(list) == 0 && v.selector.String() == "sys.files" {
			got = nil // the contract passes an empty list of files as null
		}
		in.Set(v.name, got)
		raw, err := value.Encode(got)
		if err != nil {
			return &workflow.Result{Inputs: in}, workflow.Fail(typeNode, err.Error())
		}
		args[v.name] = json.RawMessage(raw)
	}
	res := &workflow.Result{Inputs: in}
	// The contract's sandbox has the network; whether this one gives it is its operator's choice.
	out, err := n.runner.Run(ctx, sandbox.Request{Language: n.language, Code: n.code, Inputs: args, EnableNetwork: true})
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return res, ctx.Err()
		}
		return res, &workflow.Failure{Type: typeExecution, Message: errs.Public(err).Message, Cause: err}
	}
	decoded, err := value.Decode(out.Output)
	if err != nil {
		return res, &workflow.Failure{Type: typeExecution, Message: fmt.Sprintf("Failed to parse JSON response: %s.", err), Cause: err}
	}
	result, ok := decoded.(*value.Object)
	if !ok {
		return res, workflow.Fail(typeExecution, "Result must be a dict, got "+pythonType(decoded))
	}
	checker := checker{limits: n.limits}
	res.Outputs, err = checker.object(result, n.outputs, "", 1)
	if err != nil {
		res.Outputs = nil
		return res, err
	}
	return res, nil
}
