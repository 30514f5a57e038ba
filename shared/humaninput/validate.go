package humaninput

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Check says whether an answer is one: the action exists, every field has a
// value of its kind, and files may be used by who sends them. It returns the
// values of the fields, in the order of the form; what is no field is left out.
// Codes: InvalidFormData.
func (d *Definition) Check(ctx context.Context, action string, data *value.Object, files ...inputs.Files) (*value.Object, error) {
	if _, ok := d.Action(action); !ok {
		return nil, errs.New(errs.InvalidFormData, "Invalid action: "+action)
	}
	var missing []string
	for _, in := range d.Inputs {
		if v, ok := data.Get(in.Name); !ok || v == nil {
			missing = append(missing, in.Name)
		}
	}
	if len(missing) > 0 {
		return nil, errs.New(errs.InvalidFormData, "Missing required inputs: "+strings.Join(missing, ", "))
	}
	out := value.NewObject(len(d.Inputs))
	for _, in := range d.Inputs {
		v, err := in.check(ctx, data.Value(in.Name), files)
		if err != nil {
			return nil, err
		}
		out.Set(in.Name, v)
	}
	return out, nil
}

func (in *Input) check(ctx context.Context, v any, files []inputs.Files) (any, error) {
	bad := func(why string) error {
		return errs.Newf(errs.InvalidFormData, "Invalid value for %s input '%s': %s", in.Type, in.Name, why)
	}
	switch in.Type {
	case InputSelect:
		text, ok := v.(string)
		if !ok || !slices.Contains(texts(in.Options.Value), text) {
			return nil, bad(value.Str(v))
		}
		return text, nil
	case InputFile:
		f, err := in.file(ctx, v, files)
		if err != nil {
			return nil, bad(errs.Public(err).Message)
		}
		return f, nil
	case InputFileList:
		refs, ok := v.([]any)
		if !ok {
			return nil, bad("a list of files is expected")
		}
		if in.MaxFiles > 0 && len(refs) > in.MaxFiles {
			return nil, bad(fmt.Sprintf("at most %d files are allowed", in.MaxFiles))
		}
		out := make([]any, len(refs))
		for i, ref := range refs {
			f, err := in.file(ctx, ref, files)
			if err != nil {
				return nil, bad(errs.Public(err).Message)
			}
			out[i] = f
		}
		return out, nil
	default:
		text, ok := v.(string)
		if !ok {
			return nil, bad("a text is expected")
		}
		return text, nil
	}
}

// file finds the file that a reference names, with the rights of any of those
// who stand behind an answer. The last one's error counts.
func (in *Input) file(ctx context.Context, v any, files []inputs.Files) (f *value.File, err error) {
	ref, ok := v.(*value.Object)
	if !ok {
		return nil, errs.New(errs.InvalidFormData, "a file is expected")
	}
	rules := inputs.FileRules{Types: in.FileTypes, Extensions: in.Extensions, Methods: in.Methods}
	err = errs.New(errs.InvalidFormData, "files cannot be used here")
	for _, who := range files {
		if f, err = who.ResolveFile(ctx, ref, rules); err == nil {
			return f, nil
		}
	}
	return nil, err
}

// Outputs are a node's outputs after an answer.
func (d *Definition) Outputs(s *Submission) *value.Object {
	action, _ := d.Action(s.ActionID)
	out := value.NewObject(s.Data.Len() + 3)
	for k, v := range s.Data.All() {
		out.Set(k, v)
	}
	out.Set("__action_id", action.ID)
	out.Set("__action_value", action.Title)
	out.Set("__rendered_content", d.RenderAnswer(s.Data))
	return out
}
