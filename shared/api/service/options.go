package service

import (
	"context"
	"strings"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/value"
)

// options is the part of a body that all requests for runs share.
type options struct {
	inputs    *value.Object
	files     []any
	streaming bool
}

// readOptions reads it and notes what is wrong.
func readOptions(body *value.Object, p *edge.Problems) *options {
	o := &options{}
	raw, sent := body.Get("inputs")
	p.Require("inputs", sent)
	if inputs, ok := raw.(*value.Object); ok {
		o.inputs = inputs
	} else if sent {
		p.Add("inputs", "should be a valid dictionary")
	}
	switch files := body.Value("files").(type) {
	case nil:
	case []any:
		o.files = files
		for _, f := range files {
			if _, ok := f.(*value.Object); !ok {
				p.Add("files", "should be a list of dictionaries")
				break
			}
		}
	default:
		p.Add("files", "should be a valid list")
	}
	switch mode := body.Value("response_mode").(type) {
	case nil:
	case string:
		p.OneOf("response_mode", mode, "blocking", "streaming")
		o.streaming = mode == "streaming"
	default:
		p.Add("response_mode", "should be blocking or streaming")
	}
	return o
}

// optionalText reads a text that may be null or absent.
func optionalText(body *value.Object, name string, p *edge.Problems) string {
	switch v := body.Value(name).(type) {
	case nil:
		return ""
	case string:
		return v
	}
	p.Add(name, "should be a valid string")
	return ""
}

// flag reads a boolean, in the spellings that the contract accepts.
func flag(body *value.Object, name string, fallback bool, p *edge.Problems) bool {
	switch v := body.Value(name).(type) {
	case nil:
		if _, sent := body.Get(name); !sent {
			return fallback
		}
	case bool:
		return v
	case int64:
		if v == 0 || v == 1 {
			return v == 1
		}
	case string:
		switch strings.ToLower(v) {
		case "true", "1", "yes", "y", "on", "t":
			return true
		case "false", "0", "no", "n", "off", "f":
			return false
		}
	}
	p.Add(name, "should be a valid boolean")
	return fallback
}

// version returns the workflow to run: the published one, or the one the
// caller names, with its form.
func (a *api) version(ctx context.Context, app *App, id string) (*Workflow, *form, error) {
	var w *Workflow
	var err error
	switch {
	case id == "":
		if w, err = a.Apps.Published(ctx, app); errs.Is(err, errs.NotFound) {
			err = errs.New(errs.InvalidParam, "Workflow not published")
		}
	case !ids.Valid(id):
		err = errs.Newf(errs.BadRequest, "Invalid workflow_id format: '%s'. ", id)
	default:
		if w, err = a.Apps.Version(ctx, app.TenantID, app.ID, id); errs.Is(err, errs.NotFound) {
			err = errs.Newf(errs.NotFound, "Workflow not found with id: %s", id)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if w.Draft {
		return nil, nil, errs.Newf(errs.BadRequest, "Cannot use draft workflow version. Workflow ID: %s", id)
	}
	f, err := a.forms.of(app.TenantID, w)
	return w, f, err
}
