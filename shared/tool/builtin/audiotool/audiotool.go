// Package audiotool is the built-in provider "audio": speech from text and
// text from speech, by the models of the workspace.
package audiotool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/tool/builtin"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Models lists and opens the models of a workspace. *provider.Service is one.
type Models interface {
	ModelsOfType(ctx context.Context, tenantID, modelType string) ([]provider.ProviderModelsView, error)
	Model(ctx context.Context, tenantID, providerID string, ref provider.ModelRef) (*llm.Model, error)
}

// Files reads recordings. *file.Service is one.
type Files interface {
	ReadAll(ctx context.Context, tenantID string, f *value.File, max int64) ([]byte, error)
}

// maxAudio bounds a recording in bytes, both ways.
const maxAudio = 50 << 20

const (
	toolSpeak  = "tts"
	toolListen = "asr"
)

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#155EEF" stroke-width="2" stroke-linecap="round">` +
	`<path d="M4 10v4M8 6v12M12 3v18M16 7v10M20 10v4"/></svg>`

// New returns the provider.
func New(models Models, files Files) *builtin.Provider {
	labels := []string{"utilities"}
	tool := func(name, label, chinese, about string, param driver.Parameter) *driver.Tool {
		return &driver.Tool{
			Name: name, Label: builtin.Translated(label, chinese), Description: builtin.Same(about), ModelDescription: about,
			Parameters: []driver.Parameter{param}, OutputSchema: value.NewObject(0), Labels: labels,
		}
	}
	p := &audio{models: models, files: files}
	return &builtin.Provider{
		Provider: driver.Provider{
			Type: driver.Builtin, ID: "audio", Name: "audio", Author: "Millrace", Label: builtin.Translated("Audio", "音频"),
			Description: builtin.Same("Turns text into speech and speech into text."), Labels: labels,
			Icon: driver.Icon{MIMEType: "image/svg+xml", Data: []byte(icon)},
			Tools: []*driver.Tool{
				tool(toolSpeak, "Text to Speech", "文字转语音", "Reads a text aloud.", driver.Parameter{
					Name: "text", Type: "string", Form: driver.FormLLM, Required: true, Label: builtin.Translated("Text", "文本"),
					Description: builtin.Same("what is read aloud"), ModelDescription: "the text to read aloud",
				}),
				tool(toolListen, "Speech to Text", "语音转文字", "Writes down what is said in a recording.", driver.Parameter{
					Name: "audio_file", Type: "file", Form: driver.FormLLM, Required: true, Label: builtin.Translated("Audio file", "音频文件"),
					Description: builtin.Same("the recording"), ModelDescription: "the recording to write down",
				}),
			},
		},
		Funcs:      map[string]builtin.Func{toolSpeak: p.speak, toolListen: p.listen},
		Parameters: p.parameters,
	}
}

type audio struct {
	models Models
	files  Files
}

func typeOf(tool string) llm.ModelType {
	if tool == toolSpeak {
		return llm.TypeTTS
	}
	return llm.TypeSpeechToText
}

// parameters are the choices that the workspace's models give: the model, and
// for speech the voice of each.
func (a *audio) parameters(ctx context.Context, tenantID, tool string) ([]driver.Parameter, error) {
	providers, err := a.models.ModelsOfType(ctx, tenantID, string(typeOf(tool)))
	if err != nil {
		return nil, err
	}
	choice := driver.Parameter{
		Name: "model", Type: "select", Form: driver.FormForm, Required: true, Label: builtin.Translated("Model", "模型"),
		Description: builtin.Same("which model does it"),
	}
	var voices []driver.Parameter
	for _, p := range providers {
		for _, m := range p.Models {
			name := p.Provider + "#" + m.Model
			choice.Options = append(choice.Options, driver.Option{Value: name, Label: builtin.Same(m.Model + " (" + p.Provider + ")")})
			if tool != toolSpeak {
				continue
			}
			if options := voicesOf(m.ModelProperties); len(options) > 0 {
				voices = append(voices, driver.Parameter{
					Name: "voice#" + name, Type: "select", Form: driver.FormForm, Options: options,
					Label: builtin.Translated("Voice of "+m.Model, m.Model+" 的声音"), Description: builtin.Same("whose voice it is"),
				})
			}
		}
	}
	if len(choice.Options) > 0 {
		choice.Default = choice.Options[0].Value
	}
	return append([]driver.Parameter{choice}, voices...), nil
}

func voicesOf(properties map[string]any) []driver.Option {
	var out []driver.Option
	list, _ := properties["voices"].([]any)
	for _, item := range list {
		v, _ := item.(map[string]any)
		mode, _ := v["mode"].(string)
		name, _ := v["name"].(string)
		if mode != "" {
			out = append(out, driver.Option{Value: mode, Label: builtin.Same(name)})
		}
	}
	return out
}

// open finds the model that a call names.
func (a *audio) open(ctx context.Context, call *driver.Call) (*llm.Model, string, error) {
	name := call.Parameters.String("model")
	providerID, model, ok := strings.Cut(name, "#")
	if !ok {
		return nil, "", errs.New(errs.InvalidParam, "The workspace has no model for this tool, or none was chosen.")
	}
	m, err := a.models.Model(ctx, call.TenantID, providerID, provider.ModelRef{Model: model, Type: typeOf(call.Tool)})
	return m, name, err
}

func (a *audio) speak(ctx context.Context, call *driver.Call, send func(driver.Message) error) error {
	m, name, err := a.open(ctx, call)
	if err != nil {
		return err
	}
	voice := call.Parameters.String("voice#" + name)
	if voice == "" {
		options := voicesOf(m.Schema().Properties)
		if len(options) == 0 {
			return errs.New(errs.InvalidParam, "The model has no voice.")
		}
		voice = options[0].Value
	}
	sound, err := m.Speak(ctx, call.Parameters.String("text"), voice)
	if err != nil {
		return failed(err)
	}
	defer sound.Close() //nolint:errcheck // read to the end, or given up
	data, err := io.ReadAll(io.LimitReader(sound, maxAudio+1))
	if err != nil {
		return failed(err)
	}
	if len(data) > maxAudio {
		return errs.New(errs.FileTooLarge, fmt.Sprintf("The model speaks for more than %d MB.", maxAudio>>20))
	}
	if err := builtin.Say(send, "Audio generated successfully"); err != nil {
		return err
	}
	return send(driver.Message{Type: driver.Blob, Data: data, MIMEType: "audio/x-wav"})
}

func (a *audio) listen(ctx context.Context, call *driver.Call, send func(driver.Message) error) error {
	f, ok := call.Parameters.Value("audio_file").(*value.File)
	if !ok || f.Type != "audio" {
		return builtin.Say(send, "not a valid audio file")
	}
	m, _, err := a.open(ctx, call)
	if err != nil {
		return err
	}
	data, err := a.files.ReadAll(ctx, call.TenantID, f, maxAudio)
	if err != nil {
		return err
	}
	text, err := m.Transcribe(ctx, f.Filename, bytes.NewReader(data))
	if err != nil {
		return failed(err)
	}
	return builtin.Say(send, text)
}

// failed gives an error of a model to the user of the tool.
func failed(err error) error {
	var known *llm.Error
	if errors.As(err, &known) {
		return errs.Wrap(errs.CompletionRequestError, err, known.Error())
	}
	return err
}
