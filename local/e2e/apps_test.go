//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// user is the end user of all runs.
const user = "rider"

// input makes one run different from another.
type input struct {
	n     int // words that the first model says
	pause int // milliseconds before each of them
}

// app is an app under test and what its runs must produce.
type app struct {
	name, dsl, path string
	id, key         string
	chat            bool
	// text is the whole text that a client must have in the end.
	text func(*ride) string
	// outputs are those of the run; a chat's answer is its text.
	outputs func(*ride) map[string]any
	// nodes is which nodes run, in this order; nil when the order is not fixed.
	nodes func(input) []string
	// steps is how often each node runs to its end; nil: each of nodes once.
	steps func(input) map[string]int
	// effects are the nodes whose calls are counted.
	effects []string
	// calls is the app, earlier in the list, that this one uses as a tool.
	calls string
	// settled, if any, is asked when all runs are over.
	settled func(*testing.T, *world, *app)
	// streams is true when the text comes in many pieces.
	streams bool
	// slow apps wait for seconds: only some of the runs are theirs.
	slow bool
}

// counts is how often each node of a run has to end.
func (a *app) counts(in input) map[string]int {
	if a.steps != nil {
		return a.steps(in)
	}
	out := map[string]int{}
	for _, id := range a.nodes(in) {
		out[id]++
	}
	return out
}

func (a *app) body(in input) map[string]any {
	b := map[string]any{
		"inputs":        map[string]any{"n": in.n, "pause": in.pause},
		"response_mode": "streaming", "user": user,
	}
	if a.chat {
		b["query"] = "how many?"
	}
	return b
}

// counting is what COUNT makes the model say.
func counting(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprint(i + 1)
	}
	return strings.Join(words, " ")
}

// many is from how many words on the workflow takes its long branch.
const many = 8

const workflowNodes = `
    - id: prepare
      data: {type: template-transform, title: Prepare, template: 'words {{ n }}', variables: [{variable: n, value_selector: [start, n]}]}
    - id: tell
      data:
        type: http-request
        title: Tell
        method: post
        url: ECHO/echo/tell
        headers: ''
        params: ''
        body: {type: json, data: [{id: b1, key: '', type: text, value: '{"say": "{{#prepare.output#}}"}'}]}
        authorization: {type: no-auth, config: null}
        timeout: {max_connect_timeout: 0, max_read_timeout: 0, max_write_timeout: 0}
        variables: []
    - id: draft
      data:
        type: llm
        title: Draft
        model: {provider: langgenius/openai_api_compatible/openai_api_compatible, name: e2e-chat, mode: chat, completion_params: {}}
        prompt_template: [{id: p1, role: user, text: "SLOW {{#start.pause#}}\nCOUNT {{#start.n#}}"}]
        context: {enabled: false, variable_selector: []}
        vision: {enabled: false}
        variables: []
    - id: measure
      data:
        type: code
        title: Measure
        code_language: javascript
        code: |
          function main({text, status}) {
              return {total: text.split(" ").length, status: status}
          }
        variables: [{variable: text, value_selector: [draft, text]}, {variable: status, value_selector: [tell, status_code]}]
        outputs: {total: {type: number, children: null}, status: {type: number, children: null}}
    - id: route
      data:
        type: if-else
        title: Route
        cases:
        - {id: many, case_id: many, logical_operator: and, conditions: [{id: c1, variable_selector: [measure, total], comparison_operator: ≥, value: '8', varType: number}]}
    - id: report
      data:
        type: http-request
        title: Report
        method: post
        url: ECHO/echo/report
        headers: ''
        params: ''
        body: {type: json, data: [{id: b1, key: '', type: text, value: '{"total": "{{#measure.total#}}"}'}]}
        authorization: {type: no-auth, config: null}
        timeout: {max_connect_timeout: 0, max_read_timeout: 0, max_write_timeout: 0}
        variables: []
    - id: reply
      data:
        type: llm
        title: Reply
        model: {provider: langgenius/openai_api_compatible/openai_api_compatible, name: e2e-chat, mode: chat, completion_params: {}}
        prompt_template: [{id: p1, role: user, text: "SLOW {{#start.pause#}}\nSAY héllo wörld, there were {{#measure.total#}} words and the report got {{#report.status_code#}}"}]
        context: {enabled: false, variable_selector: []}
        vision: {enabled: false}
        variables: []
    - id: end
      data:
        type: end
        title: End
        outputs:
        - {variable: draft, value_selector: [draft, text], value_type: string}
        - {variable: total, value_selector: [measure, total], value_type: number}
        - {variable: reply, value_selector: [reply, text], value_type: string}
    - id: short
      data:
        type: end
        title: Short end
        outputs:
        - {variable: draft, value_selector: [draft, text], value_type: string}
        - {variable: total, value_selector: [measure, total], value_type: number}`

func reported(in input) string {
	return fmt.Sprintf("héllo wörld, there were %d words and the report got 200", in.n)
}

func workflowApp() *app {
	return &app{
		name: "workflow", path: "/v1/workflows/run", streams: true,
		dsl: dsl("workflow", workflowNodes, "start>prepare", "prepare>tell", "tell>draft", "draft>measure", "measure>route",
			"route:many>report", "report>reply", "reply>end", "route:false>short"),
		text: func(r *ride) string {
			text := counting(r.in.n) + "\n" + fmt.Sprint(r.in.n)
			if r.in.n >= many {
				text += "\n" + reported(r.in)
			}
			return text
		},
		outputs: func(r *ride) map[string]any {
			out := map[string]any{"draft": counting(r.in.n), "total": float64(r.in.n)}
			if r.in.n >= many {
				out["reply"] = reported(r.in)
			}
			return out
		},
		nodes: func(in input) []string {
			list := []string{"start", "prepare", "tell", "draft", "measure", "route"}
			if in.n < many {
				return append(list, "short")
			}
			return append(list, "report", "reply", "end")
		},
		effects: []string{"tell", "draft", "report", "reply"},
	}
}

const chatNodes = `
    - id: hello
      data: {type: answer, title: Hello, answer: 'You asked {{#sys.query#}} I say ', variables: []}
    - id: think
      data:
        type: llm
        title: Think
        model: {provider: langgenius/openai_api_compatible/openai_api_compatible, name: e2e-chat, mode: chat, completion_params: {}}
        prompt_template: [{id: p1, role: user, text: "SLOW {{#start.pause#}}\nCOUNT {{#start.n#}}"}]
        context: {enabled: false, variable_selector: []}
        vision: {enabled: false}
        variables: []
    - id: say
      data: {type: answer, title: Say, answer: '<{{#think.text#}}>', variables: []}
    - id: note
      data:
        type: http-request
        title: Note
        method: post
        url: ECHO/echo/note
        headers: ''
        params: ''
        body: {type: json, data: [{id: b1, key: '', type: text, value: '{"q": "noted"}'}]}
        authorization: {type: no-auth, config: null}
        timeout: {max_connect_timeout: 0, max_read_timeout: 0, max_write_timeout: 0}
        variables: []
    - id: bye
      data: {type: answer, title: Bye, answer: ' noted with {{#note.status_code#}}.', variables: []}`

func chatApp() *app {
	return &app{
		name: "chatflow", path: "/v1/chat-messages", chat: true, streams: true,
		dsl:     dsl("advanced-chat", chatNodes, "start>hello", "hello>think", "think>say", "say>note", "note>bye"),
		text:    func(r *ride) string { return "You asked how many? I say <" + counting(r.in.n) + "> noted with 200." },
		nodes:   func(input) []string { return []string{"start", "hello", "think", "say", "note", "bye"} },
		effects: []string{"think", "note"},
	}
}

// dsl writes an app file. An edge is SOURCE[:HANDLE]>TARGET.
func dsl(mode, nodes string, edges ...string) string { return dslWith(mode, "[]", nodes, edges...) }

// dslWith writes an app file with conversation variables.
func dslWith(mode, variables, nodes string, edges ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `version: 0.7.0
kind: app
app: {name: %[1]s under test, mode: %[1]s, icon: x, icon_type: emoji, icon_background: '#FFEAD5', description: '', use_icon_as_answer_icon: false}
dependencies: []
workflow:
  environment_variables: []
  conversation_variables: %[3]s
  features: {}
  graph:
    nodes:
    - id: start
      data:
        type: start
        title: Start
        variables:
        - {variable: n, label: n, type: number, required: true, options: []}
        - {variable: pause, label: pause, type: number, required: true, options: []}%[2]s
    edges:
`, mode, nodes, variables)
	for i, e := range edges {
		source, target, _ := strings.Cut(e, ">")
		source, handle, ok := strings.Cut(source, ":")
		if !ok {
			handle = "source"
		}
		fmt.Fprintf(&b, "    - {id: e%d, source: %s, sourceHandle: '%s', target: %s, targetHandle: target}\n", i, source, handle, target)
	}
	return b.String()
}
