package debug_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/workflow"
)

func config(t *testing.T, data string) *workflow.NodeConfig {
	t.Helper()
	g, err := workflow.ParseGraph([]byte(`{"nodes":[{"id":"n","data":` + data + `}],"edges":[]}`))
	require.NoError(t, err)
	cfg, ok := g.Node("n")
	require.True(t, ok)
	return cfg
}

func TestReferences(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data string
		want []string
	}{
		"code":  {`{"type":"code","variables":[{"variable":"a","value_selector":["s","x"]},{"variable":"","value_selector":["s","y"]},{"variable":"b","value_selector":[]}]}`, []string{"a=s.x"}},
		"start": {`{"type":"start","variables":[{"variable":"a","value_selector":["s","x"]}]}`, nil},
		"end":   {`{"type":"end","outputs":[{"variable":"a","value_selector":["s","x"]}]}`, nil},
		"llm": {`{"type":"llm","prompt_template":[{"role":"system","text":"{{#s.x#}} {{#s.x#}}"},{"role":"user","edition_type":"jinja2","text":"{{#s.no#}}","jinja2_text":"{{ v }}"}],
			"memory":{"query_prompt_template":""},"context":{"enabled":true,"variable_selector":["k","result"]},
			"vision":{"enabled":true,"configs":{"variable_selector":["s","f"]}},"prompt_config":{"jinja2_variables":[{"variable":"v","value_selector":["s","j"]}]}}`,
			[]string{"#s.x#=s.x", "#sys.query#=sys.query", "#context#=k.result", "#files#=s.f?", "v=s.j"}},
		"completion llm": {`{"type":"llm","prompt_template":{"text":"{{#s.x#}}"},"memory":{"query_prompt_template":"{{#s.y#}}"},"vision":{"enabled":true}}`,
			[]string{"#s.x#=s.x", "#s.y#=s.y", "#files#=sys.files?"}},
		"if-else": {`{"type":"if-else","cases":[{"conditions":[{"variable_selector":["s","x"],"value":"{{#s.y#}}","sub_variable_condition":{"conditions":[{"value":"{{#s.z#}}"}]}}]}]}`,
			[]string{"#s.x#=s.x", "#s.y#=s.y", "#s.z#=s.z"}},
		"legacy if-else": {`{"type":"if-else","conditions":[{"variable_selector":["s","x"],"value":1}]}`, []string{"#s.x#=s.x"}},
		"http": {`{"type":"http-request","url":"{{#s.u#}}","headers":"a:{{#s.h#}}","params":"","authorization":{"config":{"api_key":"{{#env.K#}}"}},
			"body":{"type":"form-data","data":[{"key":"{{#s.k#}}","value":"{{#s.v#}}"},{"type":"file","file":["s","f"]}]}}`,
			[]string{"#s.u#=s.u", "#s.h#=s.h", "#env.K#=env.K", "#s.k#=s.k", "#s.v#=s.v", "#s.f#=s.f"}},
		"http text body": {`{"type":"http-request","url":"x","body":{"type":"raw-text","data":"{{#s.b#}}"}}`, []string{"#s.b#=s.b"}},
		"classifier":     {`{"type":"question-classifier","query_variable_selector":["s","q"],"instruction":"{{#s.i#}}"}`, []string{"query=s.q", "#s.i#=s.i"}},
		"extractor":      {`{"type":"parameter-extractor","query":["s","q"],"instruction":"{{#s.i#}}"}`, []string{"query=s.q", "#s.i#=s.i"}},
		"iteration":      {`{"type":"iteration","iterator_selector":["s","l"]}`, []string{"input_selector=s.l"}},
		"loop": {`{"type":"loop","break_conditions":[{"variable_selector":["n","c"],"value":"{{#s.b#}}"}],
			"loop_variables":[{"label":"c","value_type":"constant","value":"1"},{"label":"d","value_type":"variable","value":["s","d"]}]}`, []string{"#s.b#=s.b", "d=s.d"}},
		"document":   {`{"type":"document-extractor","variable_selector":["s","f"]}`, []string{"files=s.f"}},
		"list":       {`{"type":"list-operator","variable":["s","l"]}`, []string{"variable=s.l?"}},
		"answer":     {`{"type":"answer","answer":"{{#s.x#}} {{#a.b.c#}}"}`, []string{"#s.x#=s.x", "#a.b.c#=a.b.c"}},
		"aggregator": {`{"type":"variable-aggregator","variables":[["s","x"],["s","y"]]}`, []string{"#s.x#=s.x?", "#s.y#=s.y?"}},
		"groups": {`{"type":"variable-aggregator","variables":[["s","x"]],"advanced_settings":{"group_enabled":true,"groups":[{"variables":[["s","y"]]}]}}`,
			[]string{"#s.y#=s.y?"}},
		"assigner": {`{"type":"assigner","items":[{"variable_selector":["conversation","s"],"input_type":"variable","value":["s","x"]},{"variable_selector":["conversation","n"],"input_type":"constant","value":["no","no"]}]}`,
			[]string{"#conversation.s#=conversation.s", "#s.x#=s.x", "#conversation.n#=conversation.n"}},
		"assigner 1": {`{"type":"assigner","assigned_variable_selector":["conversation","s"],"input_variable_selector":["s","x"]}`,
			[]string{"#conversation.s#=conversation.s", "#s.x#=s.x"}},
		"tool": {`{"type":"tool","tool_parameters":{"a":{"type":"variable","value":["s","x"]},"b":{"type":"mixed","value":"{{#s.y#}}"},"c":{"type":"constant","value":"{{#s.no#}}"},"d":1}}`,
			[]string{"a=s.x", "#s.y#=s.y"}},
		"form": {`{"type":"human-input","form_content":"{{#s.x#}} {{#$output.n#}}","inputs":[{"default":{"type":"variable","selector":["s","d"]}},{"default":{"type":"constant","selector":["s","no"]}}]}`,
			[]string{"#s.x#=s.x", "#s.d#=s.d"}},
		"unknown": {`{"type":"something","url":"{{#s.x#}}"}`, nil},
		"nothing": {`{"type":"llm"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, r := range debug.References(config(t, c.data)) {
				line := fmt.Sprintf("%s=%s", r.Key, r.Selector)
				if r.Optional {
					line += "?"
				}
				got = append(got, line)
			}
			require.Equal(t, c.want, got)
		})
	}
}
