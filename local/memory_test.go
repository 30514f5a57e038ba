package main

import (
	"context"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
)

func TestGCPercentSpendsABoundedAmount(t *testing.T) {
	t.Parallel()
	for used, want := range map[uint64]int{0: 400, 10 << 20: 400, 32 << 20: 300, 48 << 20: 200, 96 << 20: 100, 4 << 30: 100} {
		require.Equal(t, want, gcPercent(used), used)
	}
}

func TestSpendMemoryKeepsTheUsersChoice(t *testing.T) { //nolint:paralleltest // the setting is the process's
	before := debug.SetGCPercent(250)
	defer debug.SetGCPercent(before)
	spendMemory(context.Background(), clock.System{})
	require.Equal(t, 250, debug.SetGCPercent(250))
}
