package llm

import (
	"context"
	"io"
)

// Driver speaks one provider's protocol with one set of credentials. Drivers
// return *Error for failed calls and ctx's error when ctx ended; they need not
// count latencies or prices. Embed Unsupported and override what the protocol
// has.
type Driver interface {
	// Chat sends messages and returns the answer piece by piece. A driver that
	// was asked not to stream returns it in one piece.
	Chat(ctx context.Context, req *DriverRequest) (ChunkReader, error)
	// Embed turns texts into vectors.
	Embed(ctx context.Context, req *EmbedRequest) (*EmbedResult, error)
	// Rerank scores documents against a query.
	Rerank(ctx context.Context, req *RerankRequest) (*RerankResult, error)
	// Transcribe turns speech into text.
	Transcribe(ctx context.Context, req *TranscribeRequest) (string, error)
	// Speak turns text into an audio stream, which the caller closes.
	Speak(ctx context.Context, req *SpeakRequest) (io.ReadCloser, error)
	// Moderate tells whether a text is objectionable.
	Moderate(ctx context.Context, req *ModerateRequest) (bool, error)
}

// DriverRequest is a Request after the checks of Model.
type DriverRequest struct {
	Model string
	Mode  Mode
	Request
	Stream bool
}

// ChunkReader gives the pieces of an answer; the error after the last is
// io.EOF. Close ends the call early and may be called more than once.
type ChunkReader interface {
	Next() (Chunk, error)
	Close() error
}

// EmbedRequest asks for vectors of texts.
type EmbedRequest struct {
	Model string
	Texts []string
	// Query tells texts of a search from texts to be stored, for models that
	// treat them differently.
	Query bool
	User  string
}

// EmbedResult is one vector per text.
type EmbedResult struct {
	Vectors [][]float32
	Tokens  int
}

// RerankRequest asks for the order of documents by relevance.
type RerankRequest struct {
	Model     string
	Query     string
	Documents []string
	// TopN limits the result; 0 means all.
	TopN int
	// ScoreThreshold drops documents that score less; nil keeps all.
	ScoreThreshold *float64
	User           string
}

// RerankResult lists documents, best first.
type RerankResult struct{ Documents []RankedDocument }

// RankedDocument is a document's place in the request and its score.
type RankedDocument struct {
	Index int
	Text  string
	Score float64
}

// TranscribeRequest asks for the text of a recording.
type TranscribeRequest struct {
	Model    string
	Filename string
	Audio    io.Reader
	User     string
}

// SpeakRequest asks for spoken text.
type SpeakRequest struct {
	Model string
	Text  string
	Voice string
	User  string
}

// ModerateRequest asks whether a text is objectionable.
type ModerateRequest struct {
	Model string
	Text  string
	User  string
}

// Unsupported answers every call with KindUnsupported.
type Unsupported struct{}

var _ Driver = Unsupported{}

func unsupported(what string) error { return &Error{Kind: KindUnsupported, Message: what} }

// Chat is not supported.
func (Unsupported) Chat(context.Context, *DriverRequest) (ChunkReader, error) {
	return nil, unsupported("chat")
}

// Embed is not supported.
func (Unsupported) Embed(context.Context, *EmbedRequest) (*EmbedResult, error) {
	return nil, unsupported("embed")
}

// Rerank is not supported.
func (Unsupported) Rerank(context.Context, *RerankRequest) (*RerankResult, error) {
	return nil, unsupported("rerank")
}

// Transcribe is not supported.
func (Unsupported) Transcribe(context.Context, *TranscribeRequest) (string, error) {
	return "", unsupported("transcribe")
}

// Speak is not supported.
func (Unsupported) Speak(context.Context, *SpeakRequest) (io.ReadCloser, error) {
	return nil, unsupported("speak")
}

// Moderate is not supported.
func (Unsupported) Moderate(context.Context, *ModerateRequest) (bool, error) {
	return false, unsupported("moderate")
}
