package openaicompat

import (
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/provider"
)

// form is the credential form of a custom model: the contract's variables,
// types and defaults.
func form() *provider.ModelCredentialSchema {
	return &provider.ModelCredentialSchema{
		Model: provider.ModelField{Label: llm.T("Model name", "模型名称"),
			Placeholder: llm.T("The name as the endpoint knows it", "端点所使用的模型名称")},
		Fields: []provider.FormField{
			text("display_name", "Display name", "显示名称"),
			{Variable: "api_key", Label: llm.Same("API Key"), Type: provider.FieldSecret, ShowOn: always()},
			{Variable: "language", Label: llm.T("Language", "语言"), Type: provider.FieldSelect, Default: ptr("zh"), ShowOn: only(llm.TypeSpeechToText),
				Options: []provider.FormOption{option("zh", "Chinese", "中文"), option("en", "English", "英文"), option("ja", "Japanese", "日文"), option("ko", "Korean", "韩文")}},
			text("initial_prompt", "Initial prompt", "初始提示", only(llm.TypeSpeechToText)...),
			required(text("endpoint_url", "Endpoint URL, up to /v1", "端点地址（到 /v1 为止）"), nil),
			text("endpoint_model_name", "Model name sent to the endpoint, when it differs", "发送给端点的模型名称（如不同）"),
			{Variable: "mode", Label: llm.T("Mode", "模式"), Type: provider.FieldSelect, Default: ptr("chat"), ShowOn: only(llm.TypeLLM),
				Options: []provider.FormOption{option("completion", "Completion", "补全"), option("chat", "Chat", "对话")}},
			required(text("context_size", "Context size in tokens", "上下文长度（标记）", only(llm.TypeLLM)...), ptr("4096")),
			required(text("max_chunks", "Texts in one request", "单次请求的文本数", only(llm.TypeTextEmbedding)...), ptr("1")),
			required(text("context_size", "Context size in tokens", "上下文长度（标记）", only(llm.TypeTextEmbedding)...), ptr("4096")),
			{Variable: "encoding_format", Label: llm.T("Encoding of vectors", "向量编码"), Type: provider.FieldSelect, Default: ptr("not_set"), ShowOn: only(llm.TypeTextEmbedding),
				Options: []provider.FormOption{option("not_set", "Not set", "不设置"), option("float", "float", "float")}},
			choice("vision_support", "Images", "图像", llm.TypeTextEmbedding, "no_support", "support", "no_support"),
			required(text("context_size", "Context size in tokens", "上下文长度（标记）", only(llm.TypeRerank)...), ptr("4096")),
			choice("vision_support", "Images", "图像", llm.TypeRerank, "no_support", "support", "no_support"),
			withDefault(text("max_tokens_to_sample", "Longest answer in tokens", "回答的最大标记数", only(llm.TypeLLM)...), "4096"),
			choice("agent_thought_support", "Reasoning", "推理", llm.TypeLLM, "not_supported", "only_thinking_supported", "not_supported", "supported"),
			choice("web_search_support", "Web search", "联网搜索", llm.TypeLLM, "not_supported", "not_supported", "tool_standard", "tool_simple", "parameter"),
			choice("compatibility_mode", "Compatibility", "兼容模式", llm.TypeLLM, "strict", "strict", "extended"),
			choice("token_param_name", "Name of the token limit", "标记上限参数名", llm.TypeLLM, "auto", "auto", "max_tokens", "max_completion_tokens"),
			choice("user_identity_support", "Send the end user's id", "发送最终用户标识", llm.TypeLLM, "support", "support", "no_support"),
			choice("stream_include_usage", "Usage in streams", "流式返回用量", llm.TypeLLM, "enabled", "enabled", "disabled"),
			choice("function_calling_type", "Tool calls", "工具调用", llm.TypeLLM, "no_call", "function_call", "tool_call", "no_call"),
			choice("stream_function_calling", "Tool calls in streams", "流式工具调用", llm.TypeLLM, "not_supported", "supported", "not_supported"),
			choice("vision_support", "Images", "图像", llm.TypeLLM, "no_support", "support", "no_support"),
			choice("video_support", "Video", "视频", llm.TypeLLM, "no_support", "support", "no_support"),
			choice("audio_support", "Audio", "音频", llm.TypeLLM, "no_support", "support", "no_support"),
			choice("document_support", "Documents", "文档", llm.TypeLLM, "no_support", "support", "no_support"),
			choice("structured_output_support", "Structured output", "结构化输出", llm.TypeLLM, "not_supported", "supported", "not_supported"),
			choice("stream_mode_auth", "Check the key in stream mode", "流模式鉴权", llm.TypeLLM, "not_use", "use", "not_use"),
			withDefault(text("stream_mode_delimiter", "Delimiter of stream events", "流事件分隔符", only(llm.TypeLLM)...), `\n\n`),
			withDefault(text("voices", "Voices, separated by commas", "声音（逗号分隔）", only(llm.TypeTTS)...), "alloy"),
			choice("tts_api_format", "Speech API", "语音接口", llm.TypeTTS, "openai", "openai", "byteplus"),
			text("tts_resource_id", "Speech resource id", "语音资源 ID", only(llm.TypeTTS)...),
			choice("tts_sample_rate", "Sample rate", "采样率", llm.TypeTTS, "24000", "24000", "16000", "8000"),
			text("document_prefix", "Prefix of stored texts", "文档前缀", only(llm.TypeTextEmbedding)...),
			text("query_prefix", "Prefix of searches", "查询前缀", only(llm.TypeTextEmbedding)...),
		},
	}
}

func ptr(s string) *string { return &s }

func always() []provider.ShowOn { return []provider.ShowOn{} }

func only(t llm.ModelType) []provider.ShowOn {
	return []provider.ShowOn{{Variable: "__model_type", Value: string(t)}}
}

func option(value, en, zh string) provider.FormOption {
	return provider.FormOption{Value: value, Label: llm.T(en, zh), ShowOn: always()}
}

func text(variable, en, zh string, on ...provider.ShowOn) provider.FormField {
	if on == nil {
		on = always()
	}
	return provider.FormField{Variable: variable, Label: llm.T(en, zh), Type: provider.FieldText, ShowOn: on}
}

func required(f provider.FormField, def *string) provider.FormField {
	f.Required, f.Default = true, def
	return f
}

func withDefault(f provider.FormField, def string) provider.FormField {
	f.Default = &def
	return f
}

// choice is a select whose values stand for themselves or for one of a few
// common meanings.
func choice(variable, en, zh string, t llm.ModelType, def string, values ...string) provider.FormField {
	meanings := map[string]llm.Text{
		"support": llm.T("Supported", "支持"), "supported": llm.T("Supported", "支持"),
		"no_support": llm.T("Not supported", "不支持"), "not_supported": llm.T("Not supported", "不支持"),
		"enabled": llm.T("On", "开启"), "disabled": llm.T("Off", "关闭"), "use": llm.T("On", "开启"), "not_use": llm.T("Off", "关闭"),
		"no_call": llm.T("None", "无"), "function_call": llm.T("Functions", "函数"), "tool_call": llm.T("Tools", "工具"),
		"only_thinking_supported": llm.T("Always on", "始终开启"), "auto": llm.T("Automatic", "自动"),
		"strict": llm.T("Strict", "严格"), "extended": llm.T("Extended", "扩展"),
	}
	f := provider.FormField{Variable: variable, Label: llm.T(en, zh), Type: provider.FieldSelect, Default: &def, ShowOn: only(t)}
	for _, v := range values {
		label, ok := meanings[v]
		if !ok {
			label = llm.Same(v)
		}
		f.Options = append(f.Options, provider.FormOption{Value: v, Label: label, ShowOn: always()})
	}
	return f
}
