// Package inputs checks what a caller gives to an app against the app's form:
// the variables of its start node. Everything is pure except turning file
// references into files, which goes through an interface.
//
// It does not know how a refusal reaches the caller (an answer of 400, or a
// run that fails at once): errors carry the contract's text and the code
// invalid_param. START HERE: ParseForm, Form.Check, Form.Resolve.
package inputs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The types of variables.
const (
	TypeText       = "text-input"
	TypeParagraph  = "paragraph"
	TypeSelect     = "select"
	TypeNumber     = "number"
	TypeCheckbox   = "checkbox"
	TypeFile       = "file"
	TypeFileList   = "file-list"
	TypeJSONObject = "json_object"
)

// Form is the parsed form of an app. It does not change.
type Form struct{ Variables []*Variable }

// Variable is one field of a form.
type Variable struct {
	Name     string
	Label    string
	Type     string
	Required bool
	Default  any
	// MaxLength bounds characters of text and files of a list; 0 is no bound.
	MaxLength int
	Options   []string
	// Files says which files the field takes.
	Files FileRules

	schema *schema
}

// FileRules say which files are taken where.
type FileRules struct {
	// Types are image, document, audio, video and custom; custom stands for the
	// files with one of Extensions. Empty takes every type.
	Types      []string
	Extensions []string
	// Methods are the transfer methods that are allowed; empty allows all.
	Methods []string
}

// Files turns references into files and checks that the caller may use them.
type Files interface {
	// ResolveFile returns the file that a reference as the API has it stands for:
	// {type, transfer_method, url | upload_file_id}.
	ResolveFile(ctx context.Context, reference *value.Object, rules FileRules) (*value.File, error)
}

// ParseForm reads the variables of a start node.
func ParseForm(v any) (*Form, error) {
	f := &Form{}
	list, _ := v.([]any)
	for _, item := range list {
		o, ok := item.(*value.Object)
		if !ok {
			return nil, fmt.Errorf("a start variable must be an object")
		}
		va := &Variable{
			Name: o.String("variable"), Label: o.String("label"), Type: o.String("type"), Default: o.Value("default"),
			Options: texts(o.Value("options")),
			Files: FileRules{
				Types:      texts(o.Value("allowed_file_types")),
				Extensions: texts(o.Value("allowed_file_extensions")),
				Methods:    texts(o.Value("allowed_file_upload_methods")),
			},
		}
		va.Required, _ = o.Value("required").(bool)
		if n, ok := o.Value("max_length").(int64); ok {
			va.MaxLength = int(n)
		}
		va.schema = newSchema(o.Value("json_schema"))
		f.Variables = append(f.Variables, va)
	}
	return f, nil
}

func texts(v any) []string {
	list, _ := v.([]any)
	out := make([]string, 0, len(list))
	for _, x := range list {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// Check returns the value of every variable of the form, in its order, with
// defaults filled in and types converted. What the form does not know is
// dropped. Files are still references: see Resolve.
func (f *Form) Check(given *value.Object) (*value.Object, error) {
	out := value.NewObject(len(f.Variables))
	for _, v := range f.Variables {
		got, err := v.check(given.Value(v.Name))
		if err != nil {
			return nil, err
		}
		out.Set(v.Name, got)
	}
	return out, nil
}

// Resolve turns the file references of checked inputs into files. It changes
// and returns checked.
func (f *Form) Resolve(ctx context.Context, checked *value.Object, files Files) (*value.Object, error) {
	for _, v := range f.Variables {
		switch got := checked.Value(v.Name).(type) {
		case *value.Object:
			if v.Type != TypeFile {
				continue
			}
			file, err := files.ResolveFile(ctx, got, v.Files)
			if err != nil {
				return nil, err
			}
			checked.Set(v.Name, file)
		case []any:
			if v.Type != TypeFileList {
				continue
			}
			list := make([]any, len(got))
			for i, x := range got {
				list[i] = x
				o, ok := x.(*value.Object)
				if !ok {
					continue
				}
				file, err := files.ResolveFile(ctx, o, v.Files)
				if err != nil {
					return nil, err
				}
				list[i] = file
			}
			checked.Set(v.Name, list)
		}
	}
	return checked, nil
}

// CheckSchemas checks JSON objects against the schemas of their variables. The
// contract does this when the start node runs, so the run fails, not the call.
func (f *Form) CheckSchemas(inputs *value.Object) error {
	for _, v := range f.Variables {
		if v.Type != TypeJSONObject || v.schema == nil {
			continue
		}
		got, ok := inputs.Get(v.Name)
		if !ok || got == nil {
			continue
		}
		if err := v.schema.check(v.Name, got); err != nil {
			return err
		}
	}
	return nil
}

func (v *Variable) fail(format string, args ...any) error {
	return errs.New(errs.InvalidParam, v.Name+" "+fmt.Sprintf(format, args...))
}

func (v *Variable) check(got any) (any, error) {
	if got == nil {
		if v.Required {
			return nil, v.fail("is required in input form")
		}
		if got = v.Default; got == nil {
			return nil, nil
		}
	}
	switch v.Type {
	case TypeText, TypeParagraph, TypeSelect:
		return v.checkText(got)
	case TypeNumber:
		return v.checkNumber(got)
	case TypeCheckbox:
		return checkbox(got), nil
	case TypeFile:
		switch got.(type) {
		case *value.Object, *value.File:
			return got, nil
		}
		return nil, v.fail("in input form must be a file")
	case TypeFileList:
		return v.checkFiles(got)
	case TypeJSONObject:
		if _, ok := got.(*value.Object); !ok && !blank(got) {
			return nil, v.fail("in input form must be a dict")
		}
		return clean(got), nil
	}
	return clean(got), nil
}

func (v *Variable) checkText(got any) (any, error) {
	s, ok := got.(string)
	if !ok {
		return nil, errs.Newf(errs.InvalidParam, "(type '%s') %s in input form must be a string", v.Type, v.Name)
	}
	if v.Type == TypeSelect {
		for _, option := range v.Options {
			if option == s {
				return s, nil
			}
		}
		return nil, v.fail("in input form must be one of the following: %s", value.Repr(value.From(v.Options)))
	}
	if v.MaxLength > 0 && utf8.RuneCountInString(s) > v.MaxLength {
		return nil, v.fail("in input form must be less than %d characters", v.MaxLength)
	}
	return clean(s), nil
}

func (v *Variable) checkNumber(got any) (any, error) {
	s, ok := got.(string)
	if !ok {
		if isNumber(got) {
			return got, nil
		}
		return nil, v.fail("in input form must be a valid number")
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	if strings.Contains(s, ".") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, v.fail("in input form must be a valid number")
		}
		return f, nil
	}
	digits := strings.TrimLeft(s, "+-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" || len(s)-len(digits) > 1 {
		return nil, v.fail("in input form must be a valid number")
	}
	return value.Number(strings.TrimPrefix(s, "+")), nil
}

func (v *Variable) checkFiles(got any) (any, error) {
	list, ok := got.([]any)
	for _, x := range list {
		switch x.(type) {
		case *value.Object, *value.File:
		default:
			ok = false
		}
	}
	if !ok {
		return nil, v.fail("in input form must be a list of files")
	}
	if v.MaxLength > 0 && len(list) > v.MaxLength {
		return nil, v.fail("in input form must be less than %d files", v.MaxLength)
	}
	return list, nil
}

func isNumber(v any) bool {
	switch v.(type) {
	case string, nil, []any, *value.Object, *value.File:
		return false
	}
	return true // int64, *big.Int, float64, and a boolean, which Python counts in
}

// checkbox makes booleans of the texts and numbers that stand for them.
func checkbox(got any) any {
	switch g := got.(type) {
	case string:
		switch strings.ToLower(strings.TrimSpace(g)) {
		case "true", "1", "yes", "on":
			return true
		case "false", "0", "no", "off":
			return false
		}
	case int64:
		if g == 0 || g == 1 {
			return g == 1
		}
	case float64:
		if g == 0 || g == 1 {
			return g == 1
		}
	}
	return got
}

// blank reports the values that Python takes for false.
func blank(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case bool:
		return !v
	case int64:
		return v == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// clean drops NUL characters, which Postgres cannot store, from all texts.
func clean(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "")
	case []any:
		for i, x := range v {
			v[i] = clean(x)
		}
	case *value.Object:
		out := value.NewObject(v.Len())
		for k, x := range v.All() {
			out.Set(strings.ReplaceAll(k, "\x00", ""), clean(x))
		}
		return out
	}
	return v
}
