//go:build linux

package e2e

import "fmt"

// corpusModel is the model of the nodes below.
const corpusModel = `model: {provider: langgenius/openai_api_compatible/openai_api_compatible, name: e2e-chat, mode: chat, completion_params: {}}`

// variousNodes are one of each node type that no scenario has.
const variousNodes = `
    - id: pick
      data:
        type: question-classifier
        title: Pick
        ` + corpusModel + `
        query_variable_selector: [start, q]
        classes: [{id: '1', name: billing}, {id: '2', name: technical}]
        instruction: 'REPLY: {"category_id": "2", "category_name": "technical"}'
        vision: {enabled: false}
    - id: money
      data: {type: template-transform, title: Money, template: 'never', variables: []}
    - id: called
      data:
        type: parameter-extractor
        title: Called
        ` + corpusModel + `
        query: [start, q]
        parameters: [{name: city, type: string, description: a city, required: false}, {name: days, type: number, description: how many, required: false}]
        instruction: take them
        reasoning_mode: function_call
        vision: {enabled: false}
        variables: []
    - id: told
      data:
        type: parameter-extractor
        title: Told
        ` + corpusModel + `
        query: [start, q]
        parameters: [{name: city, type: string, description: a city, required: false}]
        instruction: 'take them'
        reasoning_mode: prompt
        vision: {enabled: false}
        variables: []
    - id: either
      data: {type: variable-aggregator, title: Either, output_type: string, variables: [[money, output], [pick, class_name]]}
    - id: first
      data:
        type: list-operator
        title: First
        variable: [list, items]
        var_type: array[number]
        item_var_type: number
        filter_by: {enabled: true, conditions: [{key: '', comparison_operator: '>', value: '0'}]}
        order_by: {enabled: true, key: '', value: desc}
        limit: {enabled: true, size: 2}
        extract_by: {enabled: false, serial: '1'}
    - id: read
      data: {type: document-extractor, title: Read, variable_selector: [start, f], is_array_file: false}
    - id: now
      data:
        type: tool
        title: Now
        provider_id: time
        provider_type: builtin
        provider_name: time
        tool_name: timestamp_to_localtime
        tool_label: Time
        tool_configurations: {}
        tool_parameters: {timestamp: {type: constant, value: 1700000000}, timezone: {type: constant, value: UTC}}
        tool_node_version: '2'
    - id: boom
      data:
        type: code
        title: Boom
        code_language: javascript
        code: 'function main() { throw new Error("boom") }'
        variables: []
        outputs: {x: {type: string, children: null}}
        error_strategy: fail-branch
    - id: hush
      data:
        type: code
        title: Hush
        code_language: javascript
        code: 'function main() { throw new Error("hush") }'
        variables: []
        outputs: {x: {type: string, children: null}}
        error_strategy: default-value
        default_value: [{key: x, type: string, value: nothing}]
    - id: lp
      data:
        type: loop
        title: Once
        start_node_id: in
        loop_count: 5
        logical_operator: and
        error_handle_mode: terminated
        break_conditions: []
        loop_variables: [{id: v1, label: n, var_type: number, value_type: constant, value: '0'}]
    - id: in
      data: {type: loop-start, title: In, loop_id: lp, isInLoop: true}
      parentId: lp
    - id: inc
      data:
        type: assigner
        title: Inc
        version: '2'
        items: [{variable_selector: [lp, n], input_type: constant, operation: '+=', value: 1}]
        loop_id: lp
        isInLoop: true
      parentId: lp
    - id: enough
      data: {type: loop-end, title: Enough, loop_id: lp, isInLoop: true}
      parentId: lp
    - id: bad
      data: {type: end, title: Bad, outputs: [{variable: x, value_selector: [start, q], value_type: string}]}
    - id: end
      data:
        type: end
        title: End
        outputs:
        - {variable: class, value_selector: [either, output], value_type: string}
        - {variable: first, value_selector: [first, result], value_type: 'array[number]'}
        - {variable: read, value_selector: [read, text], value_type: string}
        - {variable: now, value_selector: [now, text], value_type: string}
        - {variable: why, value_selector: [boom, error_message], value_type: string}
        - {variable: hush, value_selector: [hush, x], value_type: string}
        - {variable: n, value_selector: [lp, n], value_type: number}
        - {variable: city, value_selector: [called, city], value_type: string}`

// startOfVarious asks for a text and a file besides.
const startOfVarious = `
        - {variable: q, label: q, type: paragraph, required: false, options: []}
        - {variable: f, label: f, type: file, required: false, options: [], allowed_file_types: [document], allowed_file_extensions: [], allowed_file_upload_methods: [local_file, remote_url]}`

func variousDSL() string {
	return dsl("workflow", startOfVarious+listNode("n")+variousNodes, "start>list", "list>pick", "pick:2>called", "pick:1>money", "called>told", "told>either",
		"money>either", "either>first", "first>read", "read>now", "now>boom", "boom:success-branch>bad", "boom:fail-branch>hush", "hush>lp", "in>inc", "inc>enough", "lp>end")
}

// assigningDSL is a chatflow with the first version of the assigner.
func assigningDSL() string {
	return dslWith("advanced-chat", `
  - {id: 7c9f2a3c-0000-4000-8000-000000000001, name: last, value_type: string, value: none, description: '', selector: [conversation, last]}`, `
    - id: put
      data: {type: assigner, title: Put, assigned_variable_selector: [conversation, last], write_mode: over-write, input_variable_selector: [sys, query]}
    - id: say
      data: {type: answer, title: Say, answer: 'last {{#conversation.last#}}', variables: []}`, "start>put", "put>say")
}

// failingDSL fails in the middle of an iteration, and so as a whole.
func failingDSL() string {
	in := inside("iteration", "it")
	return dsl("workflow", listNode("n")+fmt.Sprintf(`
    - id: it
      data: {type: iteration, title: Each, start_node_id: in, iterator_selector: [list, items], output_selector: [div, x], output_type: 'array[number]', error_handle_mode: terminated, is_parallel: false}
    - id: in
      data:
        type: iteration-start
        title: In%[1]s
    - id: div
      data:
        type: code
        title: Div
        code_language: javascript
        code: 'function main({i}) { if (i > 1) { throw new Error("too much") } return {x: i} }'
        variables: [{variable: i, value_selector: [it, item]}]
        outputs: {x: {type: number, children: null}}%[1]s`, in)+gathered("it", "output"), "start>list", "list>it", "in>div", "it>all", "all>end")
}
