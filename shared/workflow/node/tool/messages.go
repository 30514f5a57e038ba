package tool

import (
	"strings"

	tools "github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The outputs that every tool has.
const (
	outText  = "text"
	outFiles = "files"
	outJSON  = "json"
)

// outputs collects what a tool answers, and streams its text.
type outputs struct {
	emit      func(workflow.Chunk)
	text      strings.Builder
	files     []any
	json      []any
	variables *value.Object
	usage     *workflow.Usage
}

func newOutputs(emit func(workflow.Chunk)) *outputs {
	return &outputs{emit: emit, files: []any{}, json: []any{}, variables: value.NewObject(0)}
}

func (o *outputs) say(text string) {
	o.text.WriteString(text)
	o.stream(outText, text)
}

func (o *outputs) stream(name, text string) {
	if o.emit != nil && text != "" {
		o.emit(workflow.Chunk{Name: name, Text: text})
	}
}

// take sorts one message.
func (o *outputs) take(m tools.Message) error {
	switch m.Type {
	case driver.Words:
		o.say(m.Text)
	case driver.Link:
		if m.File != nil {
			o.files = append(o.files, m.File)
			o.say("File: " + m.Text + "\n")
			return nil
		}
		o.say("Link: " + m.Text + "\n")
	case driver.ImageLink, driver.FileLink, driver.Attached:
		o.files = append(o.files, file(m))
	case driver.JSON:
		o.json = append(o.json, m.Value)
	case driver.Variable:
		return o.variable(m)
	case driver.Spent:
		o.usage = m.Usage
	}
	return nil
}

// account adds what the call has cost to a result.
func (o *outputs) account(res *workflow.Result) {
	u := o.usage
	if u == nil || u.TotalTokens == 0 {
		return
	}
	res.Usage = u
	res.Metadata.Set("total_tokens", u.TotalTokens)
	res.Metadata.Set("total_price", u.TotalPrice)
	res.Metadata.Set("currency", u.Currency)
}

// variable sets an output of the tool's own, or adds to one that is streamed.
func (o *outputs) variable(m tools.Message) error {
	if !m.Stream {
		o.variables.Set(m.Name, m.Value)
		return nil
	}
	piece, ok := m.Value.(string)
	if !ok {
		return workflow.Fail(typeInvoke, "The streamed variable "+m.Name+" must be text.")
	}
	o.variables.Set(m.Name, o.variables.String(m.Name)+piece)
	o.stream(m.Name, piece)
	return nil
}

// file is the file of a message; one that is not stored here stays where it is.
func file(m tools.Message) *value.File {
	if m.File != nil {
		return m.File
	}
	f := &value.File{Type: "custom", TransferMethod: "remote_url", RemoteURL: m.Text, URL: m.Text, MimeType: m.MIMEType, Size: -1}
	if m.Type == driver.ImageLink {
		f.Type = "image"
	}
	f.Filename = m.Text[strings.LastIndex(m.Text, "/")+1:]
	return f
}

// all are the outputs. A tool without JSON shows that it has none.
func (o *outputs) all() *value.Object {
	if len(o.json) == 0 {
		o.json = append(o.json, value.Obj("data", []any{}))
	}
	out := value.Obj(outText, o.text.String(), outFiles, o.files, outJSON, o.json)
	for name, v := range o.variables.All() {
		out.Set(name, v)
	}
	return out
}
