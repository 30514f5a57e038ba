package app

import (
	"context"
	"encoding/json"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// ConfigParts are the JSON parts of a model config, by column.
func ConfigParts() []string {
	return []string{
		"suggested_questions", "suggested_questions_after_answer", "more_like_this", "model", "user_input_form", "agent_mode",
		"speech_to_text", "sensitive_word_avoidance", "retriever_resource", "chat_prompt_config", "completion_prompt_config",
		"dataset_configs", "external_data_tools", "file_upload", "text_to_speech",
	}
}

// partDefault is what the contract shows of a part that is not set.
func partDefault(name string) string {
	switch name {
	case "suggested_questions", "user_input_form", "external_data_tools":
		return `[]`
	case "suggested_questions_after_answer", "more_like_this", "speech_to_text", "text_to_speech":
		return `{"enabled":false}`
	case "retriever_resource":
		return `{"enabled":true}`
	case "sensitive_word_avoidance":
		return `{"enabled":false,"type":"","config":{}}`
	case "agent_mode":
		return `{"enabled":false,"strategy":null,"tools":[],"prompt":null}`
	case "dataset_configs":
		return `{"retrieval_model":"multiple"}`
	case "file_upload":
		return `{"image":{"enabled":false,"number_limits":3,"detail":"high","transfer_methods":["remote_url","local_file"]}}`
	default:
		return `{}`
	}
}

// Object returns the config as documents and the console show it.
func (c ModelConfig) Object() *value.Object {
	o := value.Obj("opening_statement", pointed(c.OpeningStatement), "pre_prompt", pointed(c.PrePrompt),
		"prompt_type", c.PromptType, "dataset_query_variable", pointed(c.DatasetQueryVariable))
	for _, name := range ConfigParts() {
		raw := c.Parts[name]
		if len(raw) == 0 || string(raw) == "null" {
			raw = json.RawMessage(partDefault(name))
		}
		o.Set(name, value.From(raw))
	}
	if datasets, ok := o.Value("dataset_configs").(*value.Object); ok {
		if _, has := datasets.Get("retrieval_model"); !has {
			datasets.Set("retrieval_model", "single")
		}
	}
	return o
}

func pointed(p *string) any {
	if p == nil {
		return nil
	}
	return *p
}

// configOf reads the model_config of a document.
func configOf(o *value.Object) (*ModelConfig, error) {
	c := &ModelConfig{Parts: map[string]json.RawMessage{}, PromptType: o.String("prompt_type")}
	if c.PromptType == "" {
		c.PromptType = "simple"
	}
	for name, target := range map[string]**string{
		"opening_statement": &c.OpeningStatement, "pre_prompt": &c.PrePrompt, "dataset_query_variable": &c.DatasetQueryVariable,
	} {
		if s, ok := o.Value(name).(string); ok {
			*target = &s
		}
	}
	for _, name := range ConfigParts() {
		v, ok := o.Get(name)
		if !ok || v == nil {
			continue
		}
		raw, err := value.Encode(v)
		if err != nil {
			return nil, err
		}
		c.Parts[name] = raw
	}
	return c, nil
}

// defaultConfig is the config of a new app.
func (s *Service) defaultConfig(ctx context.Context, tenantID, mode string) (*ModelConfig, error) {
	model := DefaultLLM{Provider: "openai", Model: "gpt-4o", Mode: "chat"}
	if s.opts.DefaultLLM != nil {
		have, err := s.opts.DefaultLLM(ctx, tenantID)
		switch {
		case err == nil:
			model = have
		case !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.ProviderNotInitialize):
			return nil, err
		}
	}
	if len(model.Params) == 0 {
		model.Params = json.RawMessage(`{}`)
	}
	raw, err := value.Encode(value.Obj("provider", model.Provider, "name", model.Model, "mode", model.Mode,
		"completion_params", value.From(model.Params)))
	if err != nil {
		return nil, err
	}
	c := &ModelConfig{PromptType: "simple", Parts: map[string]json.RawMessage{"model": raw}}
	if mode == ModeCompletion {
		prompt := "{{query}}"
		c.PrePrompt = &prompt
		c.Parts["user_input_form"] = json.RawMessage(
			`[{"paragraph":{"label":"Query","variable":"query","required":true,"default":""}}]`)
	}
	return c, nil
}
