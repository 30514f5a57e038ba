// Package replaytest is the suite that every replay.Store passes.
package replaytest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run/replay"
)

// Run tests a store, which may hold other things already.
func Run(t *testing.T, s replay.Store) {
	t.Run("origins", func(t *testing.T) { origins(t, s) })
	t.Run("batches", func(t *testing.T) { batches(t, s) })
}

func at(sec int64) time.Time { return time.Unix(1_700_000_000+sec, 0).UTC() }

func origins(t *testing.T, s replay.Store) {
	t.Parallel()
	ctx := t.Context()
	tenant, origin := ids.New(), ids.New()
	a := replay.Origin{RunID: ids.New(), TenantID: tenant, AppID: ids.New(), OriginID: origin, WorkflowID: ids.New(), FromNode: "llm", CreatedAt: at(1)}
	require.NoError(t, s.Link(ctx, a))
	changed := a
	changed.FromNode = "other"
	require.NoError(t, s.Link(ctx, changed))
	got, err := s.Origin(ctx, tenant, a.RunID)
	require.NoError(t, err)
	require.Equal(t, a, got, "the first word counts")

	_, err = s.Origin(ctx, ids.New(), a.RunID)
	require.Equal(t, errs.NotFound, errs.CodeOf(err), "of another tenant")
	_, err = s.Origin(ctx, tenant, origin)
	require.Equal(t, errs.NotFound, errs.CodeOf(err))

	b := replay.Origin{RunID: ids.New(), TenantID: tenant, AppID: a.AppID, OriginID: origin, WorkflowID: ids.New(), CreatedAt: at(2)}
	require.NoError(t, s.Link(ctx, b))
	list, err := s.Replays(ctx, tenant, origin, 10)
	require.NoError(t, err)
	require.Equal(t, []replay.Origin{b, a}, list, "newest first")
	list, err = s.Replays(ctx, tenant, origin, 1)
	require.NoError(t, err)
	require.Equal(t, []replay.Origin{b}, list)
	list, err = s.Replays(ctx, ids.New(), origin, 10)
	require.NoError(t, err)
	require.Empty(t, list, "of another tenant")
	require.Equal(t, errs.NotFound, errs.CodeOf(s.Refuse(ctx, tenant, a.RunID, "no")), "only in batches")
}

func batches(t *testing.T, s replay.Store) {
	t.Parallel()
	ctx := t.Context()
	tenant, app := ids.New(), ids.New()
	b := replay.Batch{ID: ids.New(), TenantID: tenant, AppID: app, WorkflowID: ids.New(), FromNode: "x", Queue: "q", AtOnce: 3, CreatedBy: ids.New(), CreatedAt: at(1)}
	var list []replay.Origin
	for i := range 3 {
		list = append(list, replay.Origin{
			RunID: ids.New(), TenantID: tenant, AppID: app, OriginID: ids.New(), WorkflowID: b.WorkflowID, FromNode: "x", BatchID: b.ID,
			Position: 2 - i, CreatedAt: at(1),
		})
	}
	require.NoError(t, s.CreateBatch(ctx, b, list))
	require.NoError(t, s.Refuse(ctx, tenant, list[1].RunID, "because"))
	require.Equal(t, errs.NotFound, errs.CodeOf(s.Refuse(ctx, ids.New(), list[0].RunID, "stolen")))

	got, runs, err := s.Batch(ctx, tenant, app, b.ID)
	require.NoError(t, err)
	require.Equal(t, b, got)
	list[1].Refused = "because"
	require.Equal(t, []replay.Origin{list[2], list[1], list[0]}, runs, "in order")

	for _, wrong := range [][2]string{{ids.New(), app}, {tenant, ids.New()}} {
		_, _, err = s.Batch(ctx, wrong[0], wrong[1], b.ID)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		none, err := s.Batches(ctx, wrong[0], wrong[1], 9)
		require.NoError(t, err)
		require.Empty(t, none)
	}

	later := b
	later.ID, later.CreatedAt = ids.New(), at(5)
	require.NoError(t, s.CreateBatch(ctx, later, nil))
	all, err := s.Batches(ctx, tenant, app, 9)
	require.NoError(t, err)
	require.Equal(t, []replay.Batch{later, b}, all)
	all, err = s.Batches(ctx, tenant, app, 1)
	require.NoError(t, err)
	require.Equal(t, []replay.Batch{later}, all)
}
