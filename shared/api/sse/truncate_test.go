package sse_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestLargeValuesAreCutForPeopleOnly(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100001)
	ev := &workflow.Event{Type: workflow.EventNodeFinished, At: at, Node: &workflow.NodeEvent{
		ExecutionID: "e", NodeID: "n", NodeType: "code", StartedAt: at, Status: "succeeded", Inputs: value.Obj("a", "b"), Outputs: value.Obj("text", long),
	}}
	data := func(truncate bool) map[string]any {
		v := view(false)
		v.Truncate = truncate
		var got struct{ Data map[string]any }
		require.NoError(t, json.Unmarshal(v.Render(ev)[0], &got))
		return got.Data
	}
	whole := data(false)
	require.Equal(t, map[string]any{"text": long}, whole["outputs"])
	require.Equal(t, false, whole["outputs_truncated"])
	short := data(true)
	require.Equal(t, map[string]any{"text": long[:100000] + "..."}, short["outputs"])
	require.Equal(t, true, short["outputs_truncated"])
	require.Equal(t, false, short["inputs_truncated"])
	require.Equal(t, map[string]any{"a": "b"}, short["inputs"])
	require.Equal(t, long, ev.Node.Outputs.String("text"), "the event stays whole")
}
