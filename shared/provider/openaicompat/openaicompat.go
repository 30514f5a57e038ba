// Package openaicompat is the provider for any server that speaks the OpenAI
// wire protocol, with the id, the form and the model descriptions that the
// contract's plugin of the same name has. Every model is a custom one: a name,
// an endpoint and what the model can do.
//
// The wire protocol is in llm/openai; what is done with providers in general
// is in package provider.
package openaicompat

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/llm/openai"
	"github.com/millrace/millrace/shared/provider"
)

// ID is the provider's id in the contract.
const ID = "langgenius/openai_api_compatible/openai_api_compatible"

const icon = `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24"><rect width="24" height="24" rx="6" fill="#2f4858"/><path d="M7 8h10M7 12h10M7 16h6" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>`

// Definition returns the provider. Its drivers reach users' endpoints through
// client.
func Definition(client *http.Client) *provider.Definition {
	return &provider.Definition{
		ID:    ID,
		Label: llm.Same("OpenAI-API-compatible"),
		Description: llm.T("Models behind any endpoint that speaks the OpenAI API, for example vLLM, LM Studio or a gateway.",
			"任何兼容 OpenAI API 的服务所提供的模型，例如 vLLM、LM Studio 或网关。"),
		ModelTypes:  []llm.ModelType{llm.TypeLLM, llm.TypeRerank, llm.TypeTextEmbedding, llm.TypeSpeechToText, llm.TypeTTS},
		Methods:     []string{"customizable-model"},
		ModelSchema: form(),
		Icon:        []byte(icon),
		Describe:    describe,
		Open: func(ref provider.ModelRef, c provider.Credentials) (llm.Driver, error) {
			return openai.New(client, config(ref, c))
		},
	}
}

func config(ref provider.ModelRef, c provider.Credentials) openai.Config {
	cfg := openai.Config{
		BaseURL: c.Text("endpoint_url"), APIKey: c.Text("api_key"), Model: c.Text("endpoint_model_name"),
		Tools:          openai.ToolStyle(c.Text("function_calling_type")),
		NoStreamUsage:  c.Text("stream_include_usage") == "disabled",
		HideUser:       c.Text("user_identity_support") == "no_support",
		SchemaInPrompt: true,
	}
	if p := c.Text("token_param_name"); p != "auto" {
		cfg.TokenParam = p
	}
	switch ref.Type {
	case llm.TypeTextEmbedding:
		cfg.EmbedBatch = integer(c.Text("max_chunks"), 1)
		cfg.QueryPrefix, cfg.DocumentPrefix = c.Text("query_prefix"), c.Text("document_prefix")
		if f := c.Text("encoding_format"); f != "not_set" {
			cfg.EncodingFormat = f
		}
	case llm.TypeSpeechToText:
		cfg.Language, cfg.Prompt = c.Text("language"), c.Text("initial_prompt")
	case llm.TypeLLM, llm.TypeRerank, llm.TypeTTS, llm.TypeModeration:
	}
	return cfg
}

func integer(s string, fallback int) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 1 {
		return fallback
	}
	return n
}

// describe derives a model's schema from what its form says.
func describe(ref provider.ModelRef, c provider.Credentials) *llm.Schema {
	label := ref.Model
	if name := c.Text("display_name"); name != "" {
		label = name
	}
	s := &llm.Schema{Model: ref.Model, Label: llm.Same(label), ModelType: ref.Type, FetchFrom: "customizable-model",
		Properties: map[string]any{}, ParameterRules: []llm.ParameterRule{}}
	size := integer(c.Text("context_size"), 4096)
	switch ref.Type {
	case llm.TypeLLM:
		s.Properties["context_size"] = size
		s.Properties["mode"] = string(llm.ModeChat)
		if c.Text("mode") == string(llm.ModeCompletion) {
			s.Properties["mode"] = string(llm.ModeCompletion)
		}
		s.Features, s.ParameterRules = features(c), rules(c)
	case llm.TypeTextEmbedding:
		s.Properties["context_size"], s.Properties["max_chunks"] = size, 1
		if c.Text("vision_support") == "support" {
			s.Features = []llm.Feature{llm.FeatureVision}
		}
	case llm.TypeRerank:
		s.Properties["context_size"] = size
	case llm.TypeSpeechToText:
		s.Properties["file_upload_limit"], s.Properties["supported_file_extensions"] = 25, "flac,mp3,mp4,mpeg,mpga,m4a,ogg,wav,webm"
	case llm.TypeTTS:
		describeSpeech(s, c)
	case llm.TypeModeration:
	}
	return s
}

func features(c provider.Credentials) []llm.Feature {
	out := []llm.Feature{}
	add := func(field, wanted string, f llm.Feature) {
		if c.Text(field) == wanted {
			out = append(out, f)
		}
	}
	add("function_calling_type", "function_call", llm.FeatureToolCall)
	add("function_calling_type", "tool_call", llm.FeatureMultiToolCall)
	add("stream_function_calling", "supported", llm.FeatureStreamToolCall)
	add("vision_support", "support", llm.FeatureVision)
	add("video_support", "support", llm.FeatureVideo)
	add("audio_support", "support", llm.FeatureAudio)
	add("document_support", "support", llm.FeatureDocument)
	add("structured_output_support", "supported", llm.FeatureStructuredOutput)
	add("agent_thought_support", "supported", llm.FeatureAgentThought)
	add("agent_thought_support", "only_thinking_supported", llm.FeatureAgentThought)
	return out
}

func rules(c provider.Credentials) []llm.ParameterRule {
	two := 2
	out := []llm.ParameterRule{
		rule("temperature", "float", 0.7, 0, 2, &two, llm.T("Temperature", "温度"),
			llm.T("How freely the next words are chosen: 0 always takes the likeliest.", "选词的随机程度，0 表示总是选择最可能的词。")),
		rule("top_p", "float", 1, 0, 1, &two, llm.Same("Top P"),
			llm.T("Only the likeliest words that together reach this share are considered.", "只在累计概率达到该值的候选词中选择。")),
		rule("frequency_penalty", "float", 0, -2, 2, nil, llm.T("Frequency penalty", "频率惩罚"),
			llm.T("Makes words less likely the more often they occurred.", "词出现得越多，再次出现的概率越低。")),
		rule("presence_penalty", "float", 0, -2, 2, nil, llm.T("Presence penalty", "存在惩罚"),
			llm.T("Makes words that occurred at all less likely.", "降低已出现过的词再次出现的概率。")),
		rule("max_tokens", "int", 512, 1, float64(integer(c.Text("max_tokens_to_sample"), 4096)), nil, llm.T("Max tokens", "最大标记"),
			llm.T("The longest answer, in tokens.", "回答的最大长度（以标记计）。")),
	}
	if c.Text("agent_thought_support") == "supported" {
		out = append(out, llm.ParameterRule{Name: "enable_thinking", Type: "boolean", Label: llm.T("Thinking mode", "思考模式"),
			Help: llm.T("Whether the model reasons before it answers.", "模型是否在回答前进行推理。"), Options: []string{}})
	}
	if c.Text("structured_output_support") == "supported" {
		out = append(out,
			llm.ParameterRule{Name: "response_format", Type: "string", Label: llm.T("Response format", "回复格式"),
				Help: llm.T("The form of the answer.", "回答的格式。"), Options: []string{"text", "json_object", "json_schema"}},
			llm.ParameterRule{Name: "json_schema", Type: "text", Label: llm.Same("JSON Schema"),
				Help: llm.T("What the answer has to conform to when its format is json_schema.", "当回复格式为 json_schema 时回答须符合的模式。"), Options: []string{}})
	}
	return out
}

func rule(name, kind string, value any, lo, hi float64, precision *int, label, help llm.Text) llm.ParameterRule {
	return llm.ParameterRule{Name: name, Type: kind, Label: label, Help: help, Default: value, Min: &lo, Max: &hi,
		Precision: precision, Options: []string{}}
}

func describeSpeech(s *llm.Schema, c provider.Credentials) {
	voices := []any{}
	for _, v := range strings.Split(c.Text("voices"), ",") {
		if v = strings.TrimSpace(v); v != "" {
			voices = append(voices, map[string]any{"mode": v, "name": v, "language": []string{"en-US", "zh-Hans", "ja-JP", "de-DE", "fr-FR", "es-ES"}})
		}
	}
	if len(voices) == 0 {
		voices = append(voices, map[string]any{"mode": "alloy", "name": "alloy", "language": []string{"en-US"}})
	}
	s.Properties["voices"] = voices
	s.Properties["default_voice"] = voices[0].(map[string]any)["mode"]
	s.Properties["audio_type"] = "mp3"
	s.Properties["max_workers"] = 5
	s.Properties["word_limit"] = 4096
}
