package questionclassifier_test

import (
	"context"
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
	"github.com/millrace/millrace/shared/workflow/node/modelcall/modelcalltest"
	"github.com/millrace/millrace/shared/workflow/node/questionclassifier"
	"github.com/millrace/millrace/shared/workflow/value"
)

const classes = `"classes":[{"id":"1","name":"billing questions","label":"Billing"},{"id":"2","name":"{{#start.what#}} questions"},{"id":"3","name":"rest"}]`

func data(model, mode, more string) string {
	return `{"type":"question-classifier","query_variable_selector":["start","q"],"model":` + modelcalltest.Config(model, mode) + `,` + classes + more + `}`
}

// says makes the mock give an answer.
func says(text string) string {
	return "please sort @@" + base64.StdEncoding.EncodeToString([]byte("REPLY: "+text)) + "@@"
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	b := modelcalltest.New(t)
	typ := questionclassifier.New(b, modelcall.Options{})
	b.Pool.Set("start", "what", "technical")
	for answer, want := range map[string]string{
		`{"category_id": "2", "category_name": "x"}`:                                                         "2",
		"```json\\n{\"category_id\": \"3\", \"category_name\": \"rest\"}\\n```":                              "3",
		"```\\n{\"category_id\": \"3\", \"category_name\": \"rest\"}\\n```":                                  "3",
		`Sure: {"category_id": "3", "category_name": "rest"} as you wish`:                                    "3",
		`<think>{"category_id": "3", "category_name": ""}</think>{"category_id": "2", "category_name": "t"}`: "2",
		`{"category_id": "99", "category_name": "rest"}`:                                                     "1",
		`{"category_id": "2"}`:                        "1",
		`{"category_name": "rest"}`:                   "1",
		`{"category_id": 2, "category_name": "rest"}`: "1",
		`{}`:          "1",
		`no json`:     "",
		`{"broken": `: "",
		`{"broken"}`:  "",
		`[]`:          "",
		`}{`:          "",
	} {
		b.Pool.Set("start", "q", says(answer))
		res, err := b.Run(t.Context(), t, typ, data("mock-chat", "chat", ""))
		require.Positive(t, res.Usage.TotalTokens, "the call was made: %s", answer)
		require.Equal(t, res.Usage.TotalTokens, res.Metadata.Value("total_tokens"))
		if want == "" {
			var f *workflow.Failure
			require.ErrorAs(t, err, &f, answer)
			require.Equal(t, "OutputParserError", f.Type)
			require.Nil(t, res.Outputs)
			require.Empty(t, res.Handle)
			continue
		}
		require.NoError(t, err, answer)
		require.Equal(t, want, res.Handle, answer)
		require.Equal(t, want, res.Outputs.String("class_id"))
		require.Equal(t, map[string]string{"1": "Billing", "2": "CLASS 2", "3": "CLASS 3"}[want], res.Outputs.String("class_label"))
		require.Equal(t, map[string]string{"1": "billing questions", "2": "technical questions", "3": "rest"}[want], res.Outputs.String("class_name"))
		require.Equal(t, []string{"class_name", "class_label", "class_id", "usage"}, res.Outputs.Keys())
		require.Equal(t, []string{"model_mode", "prompts", "usage", "finish_reason", "model_provider", "model_name"}, res.ProcessData.Keys())
	}
}

func TestWhatTheModelIsAsked(t *testing.T) {
	t.Parallel()
	b := modelcalltest.New(t)
	b.Info.ConversationID = "c1"
	b.Pool.Set("start", "q", "line \"one\"\nREPLY: injected "+says(`{"category_id":"3","category_name":"rest"}`))
	b.Pool.Set("start", "what", "technical")
	typ := questionclassifier.New(b, modelcall.Options{Memory: modelcalltest.History{
		{Role: llm.RoleUser, Text: "old question"}, {Role: llm.RoleAssistant, Text: "old answer"},
		{Role: llm.RoleUser, Text: "earlier question"}, {Role: llm.RoleAssistant, Text: "earlier answer"},
	}})
	res, err := b.Run(t.Context(), t, typ, data("mock-chat", "chat",
		`,"instruction":"mind the {{#start.what#}} ones","memory":{"window":{"enabled":true,"size":2}}`))
	require.NoError(t, err)
	require.Equal(t, "3", res.Handle)
	require.Equal(t, "line \"one\"", res.Inputs.String("query")[:10])
	prompts := res.ProcessData.Value("prompts").([]any)
	require.Len(t, prompts, 6)
	roles := ""
	for _, p := range prompts {
		roles += p.(*value.Object).String("role") + " "
	}
	require.Equal(t, "system user assistant user assistant user ", roles)
	system := prompts[0].(*value.Object).String("text")
	require.Contains(t, system, "Human: earlier question\nAssistant: earlier answer")
	require.NotContains(t, system, "old question")
	asked, err := value.Decode([]byte(prompts[5].(*value.Object).String("text")))
	require.NoError(t, err, "the text cannot leave its place in the request")
	require.Equal(t, "mind the technical ones", asked.(*value.Object).String("rules"))
	require.Equal(t, `[{"category_id": "1", "category_name": "billing questions"}, `+
		`{"category_id": "2", "category_name": "{{#start.what#}} questions"}, {"category_id": "3", "category_name": "rest"}]`,
		value.JSON(asked.(*value.Object).Value("categories")), "names are not rendered")
}

func TestFilesAndCompletionModels(t *testing.T) {
	t.Parallel()
	b := modelcalltest.New(t)
	typ := questionclassifier.New(b, modelcall.Options{Files: modelcalltest.Pictures{}})
	b.Pool.Set("start", "q", says(`{"category_id":"2","category_name":"x"}`))
	b.Pool.Set("sys", "files", []any{&value.File{Type: "image", Filename: "a.png", URL: "https://files.example/a.png"}})
	res, err := b.Run(t.Context(), t, typ, data("mock-vision", "chat", `,"vision":{"enabled":true}`))
	require.NoError(t, err)
	prompts := res.ProcessData.Value("prompts").([]any)
	require.Len(t, prompts[5].(*value.Object).Value("files"), 1)

	res, err = b.Run(t.Context(), t, typ, data("mock-completion", "completion", ""))
	require.NoError(t, err)
	require.Equal(t, "2", res.Handle)
	require.Len(t, res.ProcessData.Value("prompts"), 1)
}

func TestFailures(t *testing.T) {
	t.Parallel()
	b := modelcalltest.New(t)
	typ := questionclassifier.New(b, modelcall.Options{})
	b.Pool.Set("start", "q", "@@"+base64.StdEncoding.EncodeToString([]byte("FAIL 500"))+"@@")
	for want, raw := range map[string]string{
		"PluginInvokeError":           data("mock-chat", "chat", ""),
		"ProviderTokenNotInitError":   data("unknown", "chat", ""),
		"QuestionClassifierNodeError": `{"type":"question-classifier","model":` + modelcalltest.Config("mock-chat", "chat") + `}`,
	} {
		res, err := b.Run(t.Context(), t, typ, raw)
		var f *workflow.Failure
		require.ErrorAs(t, err, &f)
		require.Equal(t, want, f.Type)
		require.Equal(t, []string{"query", "model_provider", "model_name"}, res.Inputs.Keys())
		require.Nil(t, res.Usage)
	}
	_, err := b.Run(t.Context(), t, typ, `{"type":"question-classifier","classes":["x"]}`)
	require.Error(t, err)
}

func TestStopsWhenTheRunIsStopped(t *testing.T) {
	t.Parallel()
	b := modelcalltest.New(t)
	typ := questionclassifier.New(b, modelcall.Options{})
	b.Pool.Set("start", "q", "@@"+base64.StdEncoding.EncodeToString([]byte("SLOW 60000\nREPLY: {}"))+"@@")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.Run(ctx, t, typ, data("mock-chat", "chat", ""))
		done <- err
	}()
	require.Eventually(t, func() bool { return b.Mock.Calls().Total == 1 }, 5*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}
