// Package driver is the interface between package tool and what provides
// tools: the built-in ones, and later plugins, workflows, APIs and MCP servers.
package driver

import (
	"context"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// ProviderType says where a provider's tools come from.
type ProviderType string

// The provider types of the contract.
const (
	Plugin           ProviderType = "plugin"
	Builtin          ProviderType = "builtin"
	Workflow         ProviderType = "workflow"
	API              ProviderType = "api"
	App              ProviderType = "app"
	DatasetRetrieval ProviderType = "dataset-retrieval"
	MCP              ProviderType = "mcp"
)

// Text is a text in several languages by locale, for example "en_US".
type Text map[string]string

// Provider is a group of tools.
type Provider struct {
	Type ProviderType
	// ID is how graphs refer to the provider; Name is shown where there is no label.
	ID, Name, Author   string
	Label, Description Text
	Labels             []string
	Icon               Icon
	Tools              []*Tool
	// AppID is the app that a provider of type Workflow runs.
	AppID string
}

// Icon is a picture: its content, or what the contract shows in its place (a
// URL, or an object with content and background).
type Icon struct {
	MIMEType string
	Data     []byte
	Shown    any
}

// Tool describes a tool.
type Tool struct {
	Name               string
	Label, Description Text
	// ModelDescription tells a model what the tool is for.
	ModelDescription string
	Parameters       []Parameter
	OutputSchema     *value.Object
	Labels           []string
}

// Tool returns the tool of that name.
func (p *Provider) Tool(name string) (*Tool, bool) {
	for _, t := range p.Tools {
		if t.Name == name {
			return t, true
		}
	}
	return nil, false
}

// Form says who fills a parameter in.
type Form string

// The forms.
const (
	FormSchema Form = "schema" // once, when the tool is set up
	FormForm   Form = "form"   // by the author, before a run
	FormLLM    Form = "llm"    // by a model, or a graph in its place
)

// Parameter describes what a tool takes.
type Parameter struct {
	Name, Type         string
	Form               Form
	Label, Description Text
	Placeholder        Text
	ModelDescription   string
	Required           bool
	Default            any
	Min, Max           any
	Precision          any
	Scope              any
	Options            []Option
	Multiple           bool
	// InputSchema is a JSON Schema that is given to models as it is.
	InputSchema *value.Object
}

// Option is a choice of a select parameter.
type Option struct {
	Value string
	Label Text
}

// InvokeFrom says on whose behalf a tool is called.
type InvokeFrom string

// The callers of the contract.
const (
	FromWorkflow InvokeFrom = "workflow"
	FromAgent    InvokeFrom = "agent"
	FromPlugin   InvokeFrom = "plugin"
)

// Ref names a tool in a workspace.
type Ref struct {
	TenantID   string
	Type       ProviderType
	Provider   string
	Tool       string
	Credential string
}

// Call is one call of a tool.
type Call struct {
	Ref
	// Parameters have been converted to the types of the tool's parameters.
	Parameters                               *value.Object
	From                                     InvokeFrom
	UserID, AppID, ConversationID, MessageID string
	// Key is stable for one try over crashes and workers: send it as
	// Idempotency-Key where the other side may honour it.
	Key string
}

// MessageType is the kind of a message.
type MessageType string

// The kinds that runtimes send.
const (
	Words     MessageType = "text"
	Link      MessageType = "link"
	Image     MessageType = "image" // at a URL
	Blob      MessageType = "blob"
	ImageLink MessageType = "image_link"
	FileLink  MessageType = "binary_link"
	Attached  MessageType = "file"
	JSON      MessageType = "json"
	Variable  MessageType = "variable"
	Log       MessageType = "log"
	Resources MessageType = "retriever_resources"
	Spent     MessageType = "usage" // what a call has cost; shown to nobody
)

// Message is a part of what a tool answers.
type Message struct {
	Type MessageType
	// Text of Words; the address of Link, Image, ImageLink and FileLink.
	Text string
	// Value of JSON, Variable, Log and Resources.
	Value any
	// Name of a Variable.
	Name string
	// Stream marks a Variable whose text is a piece of a longer one.
	Stream bool
	// Suppress keeps a JSON out of an agent's text.
	Suppress bool
	// Data and MIMEType are a Blob's.
	Data     []byte
	MIMEType string
	// File is what Attached, ImageLink and FileLink stand for, when it is stored.
	File *value.File
	// Usage of Spent.
	Usage *workflow.Usage
}

// Runtime provides the tools of one provider type. Its errors carry a code of
// package errs: errs.NotFound for providers and tools that the workspace does
// not have, and for failed tools a text for their user.
type Runtime interface {
	// Providers lists what a workspace has, with the tools.
	Providers(ctx context.Context, tenantID string) ([]*Provider, error)
	// Provider finds one of them.
	Provider(ctx context.Context, tenantID, id string) (*Provider, error)
	// Invoke calls a tool and sends what it answers as it comes. An error of send
	// ends the call with that error.
	Invoke(ctx context.Context, call *Call, send func(Message) error) error
}
