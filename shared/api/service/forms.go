package service

import (
	"sync"

	"github.com/millrace/millrace/shared/api/page"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// form is what a version of a workflow asks its callers for.
type form struct {
	inputs    *inputs.Form
	variables []any // of the start node, as the graph has them
	features  *value.Object
	upload    file.UploadConfig
}

// forms keeps the forms of versions, which never change. The oldest makes room.
type forms struct {
	mu    sync.Mutex
	byID  map[[2]string]*form
	order [][2]string
}

const maxForms = 512

func (f *forms) of(tenantID string, w *Workflow) (*form, error) {
	k := [2]string{tenantID, w.ID}
	f.mu.Lock()
	have := f.byID[k]
	f.mu.Unlock()
	if have != nil {
		return have, nil
	}
	made, err := parseForm(w)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byID == nil {
		f.byID = map[[2]string]*form{}
	}
	if f.byID[k] == nil {
		f.order = append(f.order, k)
	}
	f.byID[k] = made
	for len(f.order) > maxForms {
		delete(f.byID, f.order[0])
		f.order = f.order[1:]
	}
	return made, nil
}

func parseForm(w *Workflow) (*form, error) {
	g, err := workflow.ParseGraph(w.Graph)
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, err.Error())
	}
	f := &form{features: page.Features(w.Features), inputs: &inputs.Form{}, variables: page.Variables(g)}
	f.upload = file.ParseUploadConfig(f.features.Value("file_upload"))
	root, ok := g.Root()
	if !ok || root.Type != "start" {
		return f, nil
	}
	f.inputs, err = inputs.ParseForm(root.Data.Value("variables"))
	return f, errs.Wrap(errs.InvalidParam, err, "The start node is not valid.")
}
