package chattest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/value"
)

func variables(t *testing.T, f *fixture) {
	ctx := t.Context()
	c, other := f.conversation(t, "c", 0), f.conversation(t, "other", 1)
	list, err := f.Variables(ctx, f.scope, c)
	require.NoError(t, err)
	require.Empty(t, list)

	id := ids.Random()
	made := chat.Variable{
		ID: id, ConversationID: c, Name: "o", Type: "object", Description: "what", Value: value.Obj("k", []any{int64(1), 2.0}),
		CreatedAt: f.at.Add(time.Minute), UpdatedAt: f.at.Add(time.Minute),
	}
	f.world.AddVariable(t, f.scope.TenantID, f.scope.AppID, made)
	older := chat.Variable{ID: ids.Random(), ConversationID: c, Name: "n", Type: "number", Value: 5.0, CreatedAt: f.at, UpdatedAt: f.at}
	f.world.AddVariable(t, f.scope.TenantID, f.scope.AppID, older)
	elsewhere := made // conversations share the ids of variables
	elsewhere.ConversationID, elsewhere.Value = other, value.NewObject(0)
	f.world.AddVariable(t, f.scope.TenantID, f.scope.AppID, elsewhere)

	list, err = f.Variables(ctx, f.scope, c)
	require.NoError(t, err)
	require.Equal(t, []chat.Variable{older, made}, list)

	changed := made
	changed.Value, changed.UpdatedAt = value.Obj("k", "it's"), f.at.Add(time.Hour)
	require.NoError(t, f.SaveVariable(ctx, f.scope, changed))
	for name, s := range f.foreign() {
		list, err = f.Variables(ctx, s, c)
		require.NoError(t, err, name)
		require.Empty(t, list, name)
		require.True(t, errs.Is(f.SaveVariable(ctx, s, made), errs.NotFound), name)
	}
	unknown := made
	unknown.ID = ids.Random()
	require.True(t, errs.Is(f.SaveVariable(ctx, f.scope, unknown), errs.NotFound))

	list, err = f.Variables(ctx, chat.Scope{TenantID: f.scope.TenantID, AppID: f.scope.AppID}, c)
	require.NoError(t, err, "the app's owner sees them too")
	require.Equal(t, []chat.Variable{older, changed}, list)
	list, err = f.Variables(ctx, f.scope, other)
	require.NoError(t, err)
	require.Equal(t, []chat.Variable{elsewhere}, list)

	require.NoError(t, f.DeleteConversation(ctx, f.scope, c, f.at))
	list, err = f.Variables(ctx, f.scope, c)
	require.NoError(t, err)
	require.Empty(t, list)
}
