// Package documentextractor is the document-extractor node: it turns a file, or
// each file of a list, into text.
//
// It knows no formats, those are in package document, and reads no storage:
// contents come through Files. Its failures have no error type, as the contract
// has it.
package documentextractor

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace/shared/document"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Name is the DSL's type string.
const Name = "document-extractor"

// Files reads the content of the workspace's files. *file.Service is one.
type Files interface {
	ReadAll(ctx context.Context, tenantID string, f *value.File, most int64) ([]byte, error)
}

// Options tunes the node type. The zero value works.
type Options struct {
	// MaxFile bounds a file in bytes; 0 means 50 MiB.
	MaxFile int64
	// MaxText bounds what is unpacked from a file and the text made of it, in
	// bytes; 0 means 64 MiB.
	MaxText int64
}

type nodeType struct {
	files Files
	opts  Options
}

// New returns the node type.
func New(files Files, opts *Options) workflow.Type {
	t := nodeType{files: files}
	if opts != nil {
		t.opts = *opts
	}
	if t.opts.MaxFile <= 0 {
		t.opts.MaxFile = 50 << 20
	}
	if t.opts.MaxText <= 0 {
		t.opts.MaxText = 64 << 20
	}
	return &t
}

func (*nodeType) Name() string        { return Name }
func (*nodeType) Kind() workflow.Kind { return workflow.KindExecutable }

// Effect is true because a remote file may read differently the next time.
func (*nodeType) Effect() bool { return true }

type node struct {
	*nodeType
	variable workflow.Selector
}

// New reads the configuration.
func (t *nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	n := &node{nodeType: t, variable: workflow.SelectorFrom(cfg.Data.Value("variable_selector"))}
	if len(n.variable) == 0 {
		return nil, fmt.Errorf("node %s: variable_selector is missing", cfg.ID)
	}
	return n, nil
}

func fail(format string, args ...any) *workflow.Failure {
	return workflow.Fail("", fmt.Sprintf(format, args...))
}

// selector returns the variable's path as a list value.
func (n *node) selector() []any {
	out := make([]any, len(n.variable))
	for i, part := range n.variable {
		out[i] = part
	}
	return out
}

// Run extracts the text of every file. One that fails fails the node.
func (n *node) Run(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	v, ok := x.Pool.Get(n.variable)
	if !ok {
		return &workflow.Result{}, fail("File variable not found for selector: %s", value.Repr(n.selector()))
	}
	files, single, ok := filesOf(v)
	if !ok {
		return &workflow.Result{}, fail("Variable %s is not an ArrayFileSegment", value.Repr(n.selector()))
	}
	documents := make([]any, len(files))
	for i, f := range files {
		documents[i] = f
	}
	res := &workflow.Result{
		Inputs: value.Obj("variable_selector", n.selector()), ProcessData: value.Obj("documents", documents),
	}
	texts := make([]any, 0, len(files))
	for _, f := range files {
		text, err := n.text(ctx, x.Run.TenantID, f)
		if err != nil {
			return res, err
		}
		texts = append(texts, text)
	}
	if single {
		res.Outputs = value.Obj("text", texts[0])
	} else {
		res.Outputs = value.Obj("text", texts)
	}
	return res, nil
}

// filesOf reads the variable; nothing is an empty list.
func filesOf(v any) (files []*value.File, single, ok bool) {
	switch v := v.(type) {
	case nil:
		return nil, false, true
	case *value.File:
		return []*value.File{v}, true, true
	case []any:
		for _, item := range v {
			f, ok := item.(*value.File)
			if !ok {
				return nil, false, false
			}
			files = append(files, f)
		}
		return files, false, true
	}
	return nil, false, false
}

func (n *node) text(ctx context.Context, tenantID string, f *value.File) (string, error) {
	format, err := document.FormatOf(f.Extension, f.MimeType)
	if err != nil {
		return "", fail("%s", err.Error())
	}
	data, err := n.files.ReadAll(ctx, tenantID, f, n.opts.MaxFile)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errs.Is(err, errs.FileTooLarge):
		return "", fail("The file %s is larger than %d MB.", f.Filename, n.opts.MaxFile>>20)
	case err != nil:
		return "", &workflow.Failure{Message: "The file " + f.Filename + " could not be read: " + errs.Public(err).Message, Cause: err}
	}
	text, err := document.Text(ctx, format, data, n.opts.MaxText)
	var broken *document.Error
	if errors.As(err, &broken) {
		return "", &workflow.Failure{Message: broken.Error(), Cause: err}
	}
	return text, err
}
