// Package page renders what a page for an app needs to know: its form, its
// features and its looks. The service API and the web API show the same.
//
// It loads nothing and runs nothing; what inputs a run accepts is decided by
// shared/workflow/inputs.
//
// START HERE: Parameters.
package page

import (
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Definition is what an app offers to whoever uses it.
type Definition struct {
	// Form is the app's input form as its answers show it.
	Form []any
	// Features are the app's features by name.
	Features *value.Object
}

// OfWorkflow reads the definition of an app with a graph. Codes: InvalidParam.
func OfWorkflow(graph, features []byte) (Definition, error) {
	g, err := workflow.ParseGraph(graph)
	if err != nil {
		return Definition{}, errs.Wrap(errs.InvalidParam, err, err.Error())
	}
	return Definition{Form: Form(Variables(g)), Features: Features(features)}, nil
}

// OfConfig reads the definition of an app without a graph.
func OfConfig(c app.ModelConfig) Definition {
	features := c.Object()
	if v := c.Parts["sensitive_word_avoidance"]; len(v) == 0 || string(v) == "null" {
		features.Set("sensitive_word_avoidance", value.Obj("enabled", false, "type", "", "configs", []any{}))
	}
	form, ok := features.Value("user_input_form").([]any)
	if !ok {
		form = []any{}
	}
	return Definition{Form: form, Features: features}
}

// Variables are the variables of a graph's start node, as the graph has them.
func Variables(g *workflow.Graph) []any {
	root, ok := g.Root()
	if !ok || root.Type != "start" {
		return []any{}
	}
	list, ok := root.Data.Value("variables").([]any)
	if !ok {
		return []any{}
	}
	return list
}

// Form is how the contract shows the variables of a start node.
func Form(variables []any) []any {
	form := make([]any, 0, len(variables))
	for _, v := range variables {
		if o, ok := v.(*value.Object); ok {
			form = append(form, value.Obj(o.String("type"), o))
		}
	}
	return form
}

// Features reads the features of an app with a graph. Older apps have the
// settings of uploads under "image"; where those are on they are moved to where
// they belong now.
func Features(raw []byte) *value.Object {
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
	upload.Set("enabled", true)
	upload.Set("number_limits", or(image.Value("number_limits"), int64(3)))
	upload.Set("allowed_file_upload_methods", or(image.Value("transfer_methods"), []any{"remote_url", "local_file"}))
	upload.Set("allowed_file_types", or(upload.Value("allowed_file_types"), []any{"image"}))
	upload.Set("allowed_file_extensions", or(upload.Value("allowed_file_extensions"), []any{}))
	upload.Delete("image")
	out.Set("file_upload", upload)
	return out
}

func or(v, fallback any) any {
	if v == nil {
		return fallback
	}
	return v
}

// Limits are the limits of uploads that pages show: sizes in MB, and the number
// of files of one run.
type Limits struct{ File, Image, Video, Audio, RunFiles int64 }

// Parameters renders an app's form and features. What an app does not say gets
// the contract's defaults.
func Parameters(d Definition, l Limits) *value.Object {
	off := func() *value.Object { return value.Obj("enabled", false) }
	feature := func(name string, fallback any) any { return or(d.Features.Value(name), fallback) }
	return value.Obj(
		"opening_statement", d.Features.Value("opening_statement"),
		"suggested_questions", feature("suggested_questions", []any{}),
		"suggested_questions_after_answer", feature("suggested_questions_after_answer", off()),
		"speech_to_text", feature("speech_to_text", off()),
		"text_to_speech", feature("text_to_speech", off()),
		"retriever_resource", feature("retriever_resource", off()),
		"annotation_reply", feature("annotation_reply", off()),
		"more_like_this", feature("more_like_this", off()),
		"user_input_form", d.Form,
		"sensitive_word_avoidance", feature("sensitive_word_avoidance", off()),
		"file_upload", feature("file_upload", value.Obj("image", value.Obj(
			"enabled", false, "number_limits", int64(3), "detail", "high", "transfer_methods", []any{"remote_url", "local_file"},
		))),
		"system_parameters", value.Obj(
			"image_file_size_limit", l.Image, "video_file_size_limit", l.Video, "audio_file_size_limit", l.Audio,
			"file_size_limit", l.File, "workflow_file_upload_limit", l.RunFiles,
		),
	)
}

// Meta renders the icons of an app's tools. No node calls a tool yet, so there
// are none.
func Meta() *value.Object { return value.Obj("tool_icons", value.NewObject(0)) }

// Signer makes the URLs of files. *file.Signer is one.
type Signer interface{ Preview(id string) string }

// Site renders how an app's page looks.
func Site(s app.Site, signer Signer) *value.Object {
	var iconURL any
	if s.IconType != nil && *s.IconType == "image" && s.Icon != nil && *s.Icon != "" {
		iconURL = signer.Preview(*s.Icon)
	}
	return value.Obj(
		"title", s.Title, "chat_color_theme", pointed(s.ChatColorTheme), "chat_color_theme_inverted", s.ChatColorThemeInverted,
		"icon_type", pointed(s.IconType), "icon", pointed(s.Icon), "icon_background", pointed(s.IconBackground),
		"icon_url", iconURL, "description", pointed(s.Description), "copyright", pointed(s.Copyright),
		"privacy_policy", pointed(s.PrivacyPolicy), "input_placeholder", pointed(s.InputPlaceholder),
		"custom_disclaimer", s.CustomDisclaimer, "default_language", s.DefaultLanguage,
		"show_workflow_steps", s.ShowSteps, "use_icon_as_answer_icon", s.IconAsAnswer,
	)
}

func pointed(p *string) any {
	if p == nil {
		return nil
	}
	return *p
}
