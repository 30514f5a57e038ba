//go:build linux

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// scenarios are the apps that are killed. Another one is added by an entry here:
// an app file and what its runs must produce.
func scenarios() []*app {
	return []*app{
		workflowApp(), chatApp(), sequentialApp(), parallelApp(), loopApp(), nestedApp(), askingApp(), retryingApp(), waitingApp(), rememberingApp(), callingApp(),
	}
}

// call is an http-request node; more is appended to its data.
func call(id, path, body, more string) string {
	return fmt.Sprintf(`
    - id: %[1]s
      data:
        type: http-request
        title: %[1]s
        method: post
        url: ECHO%[2]s
        headers: ''
        params: ''
        body: {type: json, data: [{id: b1, key: '', type: text, value: '%[3]s'}]}
        authorization: {type: no-auth, config: null}
        timeout: {max_connect_timeout: 0, max_read_timeout: 0, max_write_timeout: 0}
        variables: []%[4]s`, id, path, body, more)
}

// inside marks a node as one of a container.
func inside(kind, id string) string {
	mark := "isInIteration"
	if kind == "loop" {
		mark = "isInLoop"
	}
	return fmt.Sprintf("\n        %s_id: %s\n        %s: true\n      parentId: %s", kind, id, mark, id)
}

// listNode makes the list 0, 1, ... of as many items as its expression says.
func listNode(items string) string {
	return fmt.Sprintf(`
    - id: list
      data:
        type: code
        title: List
        code_language: javascript
        code: |
          function main({n}) {
              return {items: Array.from({length: %s}, (_, i) => i)}
          }
        variables: [{variable: n, value_selector: [start, n]}]
        outputs: {items: {type: 'array[number]', children: null}}`, items)
}

// each is an iteration over the list that calls for each item.
func each(parallel int) string {
	how := "is_parallel: false"
	if parallel > 1 {
		how = fmt.Sprintf("is_parallel: true\n        parallel_nums: %d", parallel)
	}
	in := inside("iteration", "it")
	return fmt.Sprintf(`
    - id: it
      data:
        type: iteration
        title: Each
        start_node_id: in
        iterator_selector: [list, items]
        output_selector: [say, output]
        output_type: array[string]
        error_handle_mode: terminated
        %s
    - id: in
      data:
        type: iteration-start
        title: In%s`, how, in) +
		call("ring", "/delay/{{#start.pause#}}?item={{#it.item#}}", `{"item": "{{#it.item#}}"}`, in) + `
    - id: say
      data:
        type: template-transform
        title: Say
        template: '{{ i }}:{{ s }}'
        variables: [{variable: i, value_selector: [it, item]}, {variable: s, value_selector: [ring, status_code]}]` + in + gathered("it", "output")
}

// gathered joins a list to a text and ends with it.
func gathered(id, name string) string {
	return fmt.Sprintf(`
    - id: all
      data:
        type: template-transform
        title: All
        template: '{{ list|join(",") }}'
        variables: [{variable: list, value_selector: [%s, %s]}]
    - id: end
      data:
        type: end
        title: End
        outputs: [{variable: all, value_selector: [all, output], value_type: string}]`, id, name)
}

// rung is the result of each over n items.
func rung(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%d:200", i)
	}
	return strings.Join(list, ",")
}

// saying fills in what an app with one output shows.
func saying(a *app, name string, text func(*ride) string) *app {
	a.text = text
	a.outputs = func(r *ride) map[string]any { return map[string]any{name: text(r)} }
	return a
}

func iterationSteps(n int) map[string]int {
	return map[string]int{"start": 1, "list": 1, "it": 1, "ring": n, "say": n, "all": 1, "end": 1}
}

func third(in input) int { return (in.n + 2) / 3 }

func sequentialApp() *app {
	return saying(&app{
		name: sequentialName, path: "/v1/workflows/run",
		dsl:     dsl("workflow", listNode("Math.ceil(n / 3)")+each(1), "start>list", "list>it", "in>ring", "ring>say", "it>all", "all>end"),
		steps:   func(in input) map[string]int { return iterationSteps(third(in)) },
		effects: []string{"ring"},
	}, "all", func(r *ride) string { return rung(third(r.in)) })
}

const parallelName = "parallel iteration"

// parallelApp is split into parts where the server splits lists of its length.
func parallelApp() *app {
	return saying(&app{
		name: parallelName, path: "/v1/workflows/run",
		dsl:     dsl("workflow", listNode("n")+each(10), "start>list", "list>it", "in>ring", "ring>say", "it>all", "all>end"),
		steps:   func(in input) map[string]int { return iterationSteps(in.n) },
		effects: []string{"ring"},
	}, "all", func(r *ride) string { return rung(r.in.n) })
}

// loopApp counts down by threes and notes each number.
func loopApp() *app {
	in := inside("loop", "lp")
	nodes := `
    - id: lp
      data:
        type: loop
        title: Loop
        start_node_id: in
        loop_count: 50
        logical_operator: and
        error_handle_mode: terminated
        break_conditions: [{id: c1, variable_selector: [lp, left], comparison_operator: ≤, value: '0', varType: number}]
        loop_variables:
        - {id: v1, label: left, var_type: number, value_type: variable, value: [start, n]}
        - {id: v2, label: noted, var_type: string, value_type: constant, value: ''}
    - id: in
      data:
        type: loop-start
        title: In` + in + call("ring", "/delay/{{#start.pause#}}", `{"left": "{{#lp.left#}}"}`, in) + `
    - id: say
      data:
        type: template-transform
        title: Say
        template: '{{ noted }}{{ left }}:{{ s }};'
        variables:
        - {variable: noted, value_selector: [lp, noted]}
        - {variable: left, value_selector: [lp, left]}
        - {variable: s, value_selector: [ring, status_code]}` + in + `
    - id: set
      data:
        type: assigner
        title: Set
        version: '2'
        items:
        - {variable_selector: [lp, noted], input_type: variable, operation: over-write, value: [say, output]}
        - {variable_selector: [lp, left], input_type: constant, operation: '-=', value: 3}` + in + `
    - id: end
      data:
        type: end
        title: End
        outputs: [{variable: noted, value_selector: [lp, noted], value_type: string}]`
	return saying(&app{
		name: "loop", path: "/v1/workflows/run",
		dsl: dsl("workflow", nodes, "start>lp", "in>ring", "ring>say", "say>set", "lp>end"),
		steps: func(in input) map[string]int {
			n := third(in)
			return map[string]int{"start": 1, "lp": 1, "ring": n, "say": n, "set": n, "end": 1}
		},
		effects: []string{"ring"},
	}, "noted", func(r *ride) string {
		var b strings.Builder
		for left := r.in.n; left > 0; left -= 3 {
			fmt.Fprintf(&b, "%d:200;", left)
		}
		return b.String()
	})
}

// nestedApp has a loop of two passes in each pass of a parallel iteration.
func nestedApp() *app {
	it, lp := inside("iteration", "it"), inside("loop", "lp")
	nodes := listNode("Math.ceil(n / 6)") + `
    - id: it
      data:
        type: iteration
        title: Each
        start_node_id: in
        iterator_selector: [list, items]
        output_selector: [lp, noted]
        output_type: array[string]
        error_handle_mode: terminated
        is_parallel: true
        parallel_nums: 3
    - id: in
      data:
        type: iteration-start
        title: In` + it + `
    - id: lp
      data:
        type: loop
        title: Twice
        start_node_id: inl
        loop_count: 2
        logical_operator: and
        error_handle_mode: terminated
        break_conditions: []
        loop_variables: [{id: v1, label: noted, var_type: string, value_type: constant, value: ''}]` + it + `
    - id: inl
      data:
        type: loop-start
        title: In` + lp + call("ring", "/delay/{{#start.pause#}}", `{"item": "{{#it.item#}}"}`, lp) + `
    - id: say
      data:
        type: template-transform
        title: Say
        template: '{{ noted }}{{ i }}:{{ s }};'
        variables:
        - {variable: noted, value_selector: [lp, noted]}
        - {variable: i, value_selector: [it, item]}
        - {variable: s, value_selector: [ring, status_code]}` + lp + `
    - id: set
      data:
        type: assigner
        title: Set
        version: '2'
        items: [{variable_selector: [lp, noted], input_type: variable, operation: over-write, value: [say, output]}]` + lp +
		gathered("it", "output")
	sixth := func(in input) int { return (in.n + 5) / 6 }
	return saying(&app{
		name: "nested containers", path: "/v1/workflows/run",
		dsl: dsl("workflow", nodes, "start>list", "list>it", "in>lp", "inl>ring", "ring>say", "say>set", "it>all", "all>end"),
		steps: func(in input) map[string]int {
			n := sixth(in)
			return map[string]int{"start": 1, "list": 1, "it": 1, "lp": n, "ring": 2 * n, "say": 2 * n, "set": 2 * n, "all": 1, "end": 1}
		},
		effects: []string{"ring"},
	}, "all", func(r *ride) string {
		list := make([]string, sixth(r.in))
		for i := range list {
			list[i] = strings.Repeat(fmt.Sprintf("%d:200;", i), 2)
		}
		return strings.Join(list, ",")
	})
}

func ask(id string) string {
	return fmt.Sprintf(`
    - id: %[1]s
      data:
        type: human-input
        title: %[1]s
        form_content: 'about {{#start.n#}} {{#$output.note#}}'
        inputs: [{type: paragraph, output_variable_name: note, default: {type: constant, selector: [], value: ''}}]
        user_actions: [{id: ok, title: OK, button_style: primary}]
        timeout: 3
        timeout_unit: day
        delivery_methods: [{type: webapp, enabled: true, id: 22222222-2222-4222-8222-222222222222, config: {}}]`, id)
}

const askingName = "human input"

// askingApp asks two people at once, with calls before and after.
func askingApp() *app {
	nodes := call("tell", "/delay/{{#start.pause#}}", `{"n": "{{#start.n#}}"}`, "") + ask("left") + ask("right") +
		call("after", "/echo/left", `{"note": "{{#left.note#}}"}`, "") + call("behind", "/echo/right", `{"note": "{{#right.note#}}"}`, "") + `
    - id: both
      data:
        type: template-transform
        title: Both
        template: '{{ l }}/{{ r }}'
        variables: [{variable: l, value_selector: [left, note]}, {variable: r, value_selector: [right, note]}]
    - id: end
      data:
        type: end
        title: End
        outputs: [{variable: both, value_selector: [both, output], value_type: string}]`
	return saying(&app{
		name: askingName, path: "/v1/workflows/run",
		dsl: dsl("workflow", nodes, "start>tell", "tell>left", "tell>right", "left:ok>after", "right:ok>behind", "after>both", "behind>both", "both>end"),
		steps: func(input) map[string]int {
			return map[string]int{"start": 1, "tell": 1, "left": 1, "right": 1, "after": 1, "behind": 1, "both": 1, "end": 1}
		},
		effects: []string{"tell", "after", "behind"},
	}, "both", func(r *ride) string { return r.taken("left") + "/" + r.taken("right") })
}

func retries(id string, failures, interval int) string {
	return call(id, fmt.Sprintf("/flaky/{{#sys.workflow_run_id#}}-%s/%d", id, failures), `{"n": "{{#start.n#}}"}`,
		fmt.Sprintf("\n        retry_config: {retry_enabled: true, max_retries: %d, retry_interval: %d}", failures+1, interval))
}

const endOfRetries = `
    - id: end
      data:
        type: end
        title: End
        outputs: [{variable: status, value_selector: [again, status_code], value_type: number}]`

// retryingApp calls what fails twice.
func retryingApp() *app {
	a := saying(&app{
		name: "retries", path: "/v1/workflows/run",
		dsl:     dsl("workflow", retries("again", 2, 150)+call("then", "/echo/then", `{"n": "{{#start.n#}}"}`, "")+endOfRetries, "start>again", "again>then", "then>end"),
		nodes:   func(input) []string { return []string{"start", "again", "then", "end"} },
		effects: []string{"again", "then"},
	}, "status", func(*ride) string { return "200" })
	a.outputs = func(*ride) map[string]any { return map[string]any{"status": 200.0} }
	return a
}

// waitingApp waits for its second try for so long that no worker keeps it.
func waitingApp() *app {
	a := saying(&app{
		name: "long retries", path: "/v1/workflows/run", slow: true,
		dsl:     dsl("workflow", retries("again", 1, 10100)+call("then", "/echo/then", `{"n": "{{#start.n#}}"}`, "")+endOfRetries, "start>again", "again>then", "then>end"),
		nodes:   func(input) []string { return []string{"start", "again", "then", "end"} },
		effects: []string{"again", "then"},
	}, "status", func(*ride) string { return "200" })
	a.outputs = func(*ride) map[string]any { return map[string]any{"status": 200.0} }
	return a
}

// rememberingApp counts its turns and notes them in conversation variables.
func rememberingApp() *app {
	nodes := `
    - id: think
      data:
        type: llm
        title: Think
        model: {provider: langgenius/openai_api_compatible/openai_api_compatible, name: e2e-chat, mode: chat, completion_params: {}}
        prompt_template: [{id: p1, role: user, text: "SLOW {{#start.pause#}}\nCOUNT {{#start.n#}}"}]
        context: {enabled: false, variable_selector: []}
        vision: {enabled: false}
        variables: []
    - id: keep
      data:
        type: assigner
        title: Keep
        version: '2'
        items:
        - {variable_selector: [conversation, turns], input_type: constant, operation: '+=', value: 1}
        - {variable_selector: [conversation, said], input_type: variable, operation: append, value: [think, text]}` +
		call("note", "/echo/note", `{"turns": "{{#conversation.turns#}}"}`, "") + `
    - id: again
      data:
        type: assigner
        title: Again
        version: '2'
        items: [{variable_selector: [conversation, turns], input_type: constant, operation: '+=', value: 10}]
    - id: say
      data: {type: answer, title: Say, answer: '{{#conversation.turns#}} {{#think.text#}} {{#note.status_code#}}', variables: []}`
	return &app{
		name: "conversation variables", path: "/v1/chat-messages", chat: true,
		dsl: dslWith("advanced-chat", `
  - {id: 7c9f2a3c-0000-4000-8000-000000000001, name: turns, value_type: number, value: 5, description: '', selector: [conversation, turns]}
  - {id: 7c9f2a3c-0000-4000-8000-000000000002, name: said, value_type: 'array[string]', value: [], description: '', selector: [conversation, said]}`,
			nodes, "start>think", "think>keep", "keep>note", "note>again", "again>say"),
		text:    func(r *ride) string { return "16 " + counting(r.in.n) + " 200" },
		nodes:   func(input) []string { return []string{"start", "think", "keep", "note", "again", "say"} },
		effects: []string{"think", "note"},
		settled: func(t *testing.T, w *world, a *app) {
			var conversations, counted, noted int
			require.NoError(t, w.pool.QueryRow(context.Background(), `SELECT count(*),
 count(*) FILTER (WHERE (SELECT data::json->>'value' FROM workflow_conversation_variables v WHERE v.conversation_id = c.id AND data LIKE '%"turns"%') = '16'),
 count(*) FILTER (WHERE (SELECT json_array_length(data::json->'value') FROM workflow_conversation_variables v WHERE v.conversation_id = c.id AND data LIKE '%"said"%') = 1)
FROM conversations c WHERE app_id = $1`, a.id).Scan(&conversations, &counted, &noted))
			require.Equal(t, conversations, counted, "each turn has counted once")
			require.Equal(t, conversations, noted, "each turn has noted once")
		},
	}
}
