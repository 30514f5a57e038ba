package loopend_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/loopend"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
)

func TestSucceeds(t *testing.T) {
	t.Parallel()
	res, err := nodetest.Run(t.Context(), t, loopend.New(), `{"type":"loop-end"}`, workflow.NewPool())
	require.NoError(t, err)
	require.Zero(t, res.Outputs.Len())
	require.Equal(t, "loop-end", loopend.New().Name())
}
