// Package llm is the seam to language and other AI models: portable types for
// messages, tools, chunks and usage, and Model, the type that the rest of the
// product calls. A Driver below it speaks one wire protocol.
//
// What lives here because every driver needs it alike: parameter checks,
// counting and pricing of usage, latencies, joining of streamed pieces, kinds
// of errors. What does not: which models a workspace has and with which
// credentials (package provider), how a prompt is put together (the llm node,
// chat apps), HTTP (a driver's own).
//
// START HERE: Model in model.go, then driver.go. Drivers: llm/openai over
// HTTP, llm/memllm in memory. Both pass the suite in llm/llmtest.
package llm

// ModelType is what a model is for.
type ModelType string

// The model types of the contract.
const (
	TypeLLM           ModelType = "llm"
	TypeTextEmbedding ModelType = "text-embedding"
	TypeRerank        ModelType = "rerank"
	TypeSpeechToText  ModelType = "speech2text"
	TypeModeration    ModelType = "moderation"
	TypeTTS           ModelType = "tts"
)

// ParseModelType reads a model type, the older names included.
func ParseModelType(s string) (ModelType, bool) {
	switch t := ModelType(s); t {
	case TypeLLM, TypeTextEmbedding, TypeRerank, TypeSpeechToText, TypeModeration, TypeTTS:
		return t, true
	case "text-generation":
		return TypeLLM, true
	case "embeddings":
		return TypeTextEmbedding, true
	case "reranking":
		return TypeRerank, true
	}
	return "", false
}

// Feature is something that a model can do beyond text in, text out.
type Feature string

// The features of the contract.
const (
	FeatureToolCall         Feature = "tool-call"
	FeatureMultiToolCall    Feature = "multi-tool-call"
	FeatureAgentThought     Feature = "agent-thought"
	FeatureVision           Feature = "vision"
	FeatureStreamToolCall   Feature = "stream-tool-call"
	FeatureDocument         Feature = "document"
	FeatureVideo            Feature = "video"
	FeatureAudio            Feature = "audio"
	FeatureStructuredOutput Feature = "structured-output"
	FeaturePolling          Feature = "polling"
)

// Mode tells chat models from plain text completion models.
type Mode string

// The two modes.
const (
	ModeChat       Mode = "chat"
	ModeCompletion Mode = "completion"
)

// Role says who speaks in a message.
type Role string

// The roles of the contract.
const (
	RoleSystem    Role = "system"
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool"
)

// PartType is the kind of one part of a message.
type PartType string

// The kinds of parts.
const (
	PartText     PartType = "text"
	PartImage    PartType = "image"
	PartAudio    PartType = "audio"
	PartVideo    PartType = "video"
	PartDocument PartType = "document"
)

// Part is one piece of a message that has more than text.
type Part struct {
	Type PartType
	// Text is set for PartText.
	Text string
	// URL or Base64 carries the media of the other types.
	URL      string
	Base64   string
	MIMEType string
	// Format is the file's extension without the dot.
	Format   string
	Filename string
	// Detail is high or low and only for images.
	Detail string
}

// Data returns the media's address: its url, else a data URI.
func (p Part) Data() string {
	if p.URL != "" {
		return p.URL
	}
	return "data:" + p.MIMEType + ";base64," + p.Base64
}

// Message is one turn of a prompt. Parts, when set, replaces Text.
type Message struct {
	Role  Role
	Text  string
	Parts []Part
	Name  string
	// ToolCalls are what an assistant message asked for.
	ToolCalls []ToolCall
	// ToolCallID names the call that a tool message answers.
	ToolCallID string
}

// Content returns the text of the message; other parts are left out.
func (m Message) Content() string {
	if m.Parts == nil {
		return m.Text
	}
	out := ""
	for _, p := range m.Parts {
		if p.Type == PartText {
			out += p.Text
		}
	}
	return out
}

// Tool describes a function that the model may ask for.
type Tool struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// Parameters is a JSON Schema.
	Parameters map[string]any `json:"parameters"`
}

// ToolCall is a model's wish to call a tool. Arguments is JSON text, in
// streams a piece of it.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string
}

// Request asks a model for text. Parameters are the user's completion
// parameters by name; `stop` among them is understood.
type Request struct {
	Messages   []Message
	Parameters map[string]any
	Tools      []Tool
	Stop       []string
	// User identifies the end user to the provider, if the provider wants that.
	User string
	// IdempotencyKey is stable over attempts of the same effect; it is sent
	// where the other side may honour it.
	IdempotencyKey string
}

// Chunk is one piece of a streamed answer. Reasoning stands in Text between
// <think> and </think>, as the contract has it.
type Chunk struct {
	Text         string
	ToolCalls    []ToolCall
	FinishReason string
	// Usage comes with the last chunk only.
	Usage *Usage
	// Fingerprint is the provider's mark of its configuration.
	Fingerprint string
}

// Result is a whole answer.
type Result struct {
	Text         string
	ToolCalls    []ToolCall
	FinishReason string
	Usage        Usage
	Fingerprint  string
}
