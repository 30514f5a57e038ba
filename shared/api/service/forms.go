package service

import (
	"sync"

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
	f := &form{features: features(w.Features), inputs: &inputs.Form{}, variables: []any{}}
	f.upload = file.ParseUploadConfig(f.features.Value("file_upload"))
	root, ok := g.Root()
	if !ok || root.Type != "start" {
		return f, nil
	}
	if list, ok := root.Data.Value("variables").([]any); ok {
		f.variables = list
	}
	f.inputs, err = inputs.ParseForm(root.Data.Value("variables"))
	return f, errs.Wrap(errs.InvalidParam, err, "The start node is not valid.")
}

// features reads an app's features. Older apps have the settings of uploads
// under "image"; where those are on they are moved to where they belong now.
func features(raw []byte) *value.Object {
	out := value.NewObject(0)
	if v, err := value.Decode(raw); err == nil {
		if o, ok := v.(*value.Object); ok {
			out = o.Clone()
		}
	}
	upload, _ := out.Value("file_upload").(*value.Object)
	image, _ := upload.Value("image").(*value.Object)
	if on, _ := image.Value("enabled").(bool); !on {
		return out
	}
	upload = upload.Clone()
	or := func(v any, fallback any) any {
		if v == nil {
			return fallback
		}
		return v
	}
	upload.Set("enabled", true)
	upload.Set("number_limits", or(image.Value("number_limits"), int64(3)))
	upload.Set("allowed_file_upload_methods", or(image.Value("transfer_methods"), []any{"remote_url", "local_file"}))
	upload.Set("allowed_file_types", or(upload.Value("allowed_file_types"), []any{"image"}))
	upload.Set("allowed_file_extensions", or(upload.Value("allowed_file_extensions"), []any{}))
	upload.Delete("image")
	out.Set("file_upload", upload)
	return out
}
