//go:build linux

package e2e

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/apiclient"
)

const sequentialName = "sequential iteration"

// callingApp calls another app, published as a tool, in each pass of an
// iteration, and once after that.
func callingApp() *app {
	use := func(id, more string) string {
		return `
    - id: ` + id + `
      data:
        type: tool
        title: Use
        provider_type: workflow
        provider_id: CALLED
        provider_name: rung
        tool_name: rung
        tool_label: Rung
        tool_configurations: {}
        tool_parameters: {n: {type: variable, value: [start, n]}, pause: {type: variable, value: [start, pause]}}
        tool_node_version: '2'` + more
	}
	in := inside("iteration", "it")
	nodes := listNode("2") + `
    - id: it
      data:
        type: iteration
        title: Each
        start_node_id: in
        iterator_selector: [list, items]
        output_selector: [use, text]
        output_type: array[string]
        error_handle_mode: terminated
        is_parallel: false
    - id: in
      data:
        type: iteration-start
        title: In` + in + use("use", in) + use("last", "") + `
    - id: end
      data:
        type: end
        title: End
        outputs: [{variable: all, value_selector: [last, text], value_type: string}]`
	return saying(&app{
		name: "nested workflows", path: "/v1/workflows/run", calls: sequentialName,
		dsl: dsl("workflow", nodes, "start>list", "list>it", "in>use", "it>last", "last>end"),
		steps: func(input) map[string]int {
			return map[string]int{"start": 1, "list": 1, "it": 1, "use": 2, "last": 1, "end": 1}
		},
	}, "all", func(r *ride) string { return `{"all": "` + rung(third(r.in)) + `"}` })
}

// publishTool publishes an app as a tool and returns the id of its provider.
func publishTool(ctx context.Context, t *testing.T, c *apiclient.Client, appID string) string {
	t.Helper()
	field := func(name string) map[string]any {
		return map[string]any{"name": name, "description": name, "form": "llm"}
	}
	require.NoError(t, c.Console(ctx, http.MethodPost, "/workspaces/current/tool-provider/workflow/create", map[string]any{
		"workflow_app_id": appID, "name": "rung", "label": "Rung", "description": "rings", "privacy_policy": "", "labels": []string{},
		"icon": map[string]any{"content": "x", "background": "#fff"}, "parameters": []map[string]any{field("n"), field("pause")},
	}, nil))
	var got struct {
		ID string `json:"workflow_tool_id"`
	}
	require.NoError(t, c.Console(ctx, http.MethodGet, "/workspaces/current/tool-provider/workflow/get?workflow_app_id="+url.QueryEscape(appID), nil, &got))
	require.NotEmpty(t, got.ID)
	return got.ID
}
