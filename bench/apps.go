package main

import (
	"fmt"
	"strings"
)

const appHead = `version: 0.7.0
kind: app
app: {name: %s, mode: workflow, icon: "b", icon_type: emoji, icon_background: "#FFFFFF", description: "", use_icon_as_answer_icon: false}
dependencies: []
workflow:
  environment_variables: []
  conversation_variables: []
  features: {}
  graph:
    viewport: {x: 0, y: 0, zoom: 1}
    nodes:
`

type appNode struct{ id, data string }

// app writes the DSL of a chain of nodes.
func app(name string, nodes []appNode) string {
	var b strings.Builder
	fmt.Fprintf(&b, appHead, name)
	for _, n := range nodes {
		fmt.Fprintf(&b, "    - {id: %s, type: custom, position: {x: 0, y: 0}, data: %s}\n", n.id, n.data)
	}
	b.WriteString("    edges:\n")
	for i := 1; i < len(nodes); i++ {
		fmt.Fprintf(&b, "    - {id: e%d, source: %s, sourceHandle: source, target: %s, targetHandle: target, type: custom, data: {}}\n",
			i, nodes[i-1].id, nodes[i].id)
	}
	return b.String()
}

const startData = `{type: start, title: Start, desc: "", variables: [{variable: q, label: q, type: text-input, required: false, max_length: 256, options: []}]}`

// steps is the number of effects in the app that measures a durable step.
const steps = 20

// apps are the workloads: start-template-end, a streamed model call, and a chain
// of effects.
func apps(echo string) map[string]string {
	httpNode := func(i int) appNode {
		id := fmt.Sprintf("h%d", i)
		return appNode{id, fmt.Sprintf(httpData(id, echo+"/text"), "")}
	}
	chain := []appNode{{"start", startData}}
	for i := range steps {
		chain = append(chain, httpNode(i))
	}
	chain = append(chain, appNode{"end", `{type: end, title: End, desc: "", outputs: [{variable: out, value_selector: [h0, status_code], value_type: number}]}`})
	return map[string]string{
		"template": app("template", []appNode{
			{"start", startData},
			{"t", `{type: template-transform, title: T, desc: "", template: "Hello {{ q }}", variables: [{variable: q, value_selector: [start, q]}]}`},
			{"end", `{type: end, title: End, desc: "", outputs: [{variable: out, value_selector: [t, output], value_type: string}]}`},
		}),
		"llm": app("llm", []appNode{
			{"start", startData},
			{"llm", `{type: llm, title: LLM, desc: "", model: {provider: langgenius/openai_api_compatible/openai_api_compatible, name: mock-chat, mode: chat, completion_params: {}},
          prompt_template: [{id: u, role: user, text: "{{#start.q#}}"}], context: {enabled: false, variable_selector: []}, vision: {enabled: false}, variables: []}`},
			{"end", `{type: end, title: End, desc: "", outputs: [{variable: out, value_selector: [llm, text], value_type: string}]}`},
		}),
		"chain": app("chain", chain),
	}
}
