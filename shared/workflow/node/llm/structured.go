package llm

import (
	"maps"
	"slices"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/llm/jsonrepair"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The instruction for models that cannot be given a schema otherwise. Its
// length is part of recorded token counts; the test of the package counts its
// words.
const (
	schemaBefore = "Your whole reply is read by a program that accepts JSON only. " +
		"Reply with exactly one JSON object that satisfies the JSON Schema given below. " +
		"Follow these rules without exception: " +
		"include every property that the schema marks as required; " +
		"use the types the schema names, with numbers and booleans unquoted; " +
		"do not invent properties which the schema does not describe; " +
		"when a value is unknown, choose the emptiest value of its type; " +
		"write no explanation, no greeting and no code fence around the object.\n\nJSON Schema:\n"
	schemaAfter = "\n\nBegin with the opening brace."
)

// askForJSON makes the request ask for a document that fits the schema: by
// parameter where the model has the feature, in words elsewhere.
func askForJSON(req *llm.Request, structured *value.Object, model *llm.Schema) error {
	schema, ok := structured.Value("schema").(*value.Object)
	if !ok || schema.Len() == 0 {
		return workflow.Fail("LLMNodeError", "Please provide a valid structured output schema")
	}
	req.Parameters = maps.Clone(req.Parameters)
	if req.Parameters == nil {
		req.Parameters = map[string]any{}
	}
	format := model.Rule("response_format")
	if model.Has(llm.FeatureStructuredOutput) {
		if model.Rule("json_schema") != nil {
			req.Parameters["json_schema"] = value.JSON(value.Obj("schema", schema, "name", "llm_response"))
		}
		if format != nil && slices.Contains(format.Options, "json_schema") {
			req.Parameters["response_format"] = "json_schema"
		}
		return nil
	}
	if format != nil {
		for _, option := range []string{"JSON", "json_object"} {
			if slices.Contains(format.Options, option) {
				req.Parameters["response_format"] = option
			}
		}
	}
	req.Messages = withInstruction(req.Messages, schemaBefore+value.JSON(schema)+schemaAfter)
	return nil
}

// withInstruction puts a text in front of the system message.
func withInstruction(messages []llm.Message, text string) []llm.Message {
	out := slices.Clone(messages)
	for i, m := range out {
		if m.Role == llm.RoleSystem && m.Parts == nil {
			out[i].Text = text + "\n\n" + m.Text
			return out
		}
	}
	return append([]llm.Message{{Role: llm.RoleSystem, Text: text}}, out...)
}

// parseJSON reads the object in the model's answer.
func parseJSON(text string) (*value.Object, error) {
	v, err := jsonrepair.Parse(modelcall.WithoutReasoning(text))
	if err == nil {
		switch v := v.(type) {
		case *value.Object:
			return v, nil
		case []any: // some models wrap the object in a list
			for _, item := range v {
				if o, ok := item.(*value.Object); ok {
					return o, nil
				}
			}
		}
	}
	// The doubled prefix is the contract's.
	return nil, &workflow.Failure{Type: "OutputParserError", Cause: err,
		Message: "Failed to parse structured output: Failed to parse structured output: " + text}
}
