package ids_test

import (
	"sort"
	"testing"

	"github.com/millrace/millrace/shared/ids"
	"github.com/stretchr/testify/require"
)

func TestNewIsSortedByTime(t *testing.T) {
	t.Parallel()
	made := make([]string, 100)
	for i := range made {
		made[i] = ids.New()
	}
	require.True(t, sort.StringsAreSorted(made))
}

func TestValid(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		ids.Random(): true, ids.New(): true, ids.Nil: true,
		"": false, "abc": false, "urn:uuid:" + ids.New(): false, "{" + ids.New() + "}": false,
	} {
		require.Equal(t, want, ids.Valid(in), in)
	}
}

func TestTokenLengthAndAlphabet(t *testing.T) {
	t.Parallel()
	require.Regexp(t, `^[A-Za-z0-9]{24}$`, ids.Token(24))
	require.NotEqual(t, ids.Token(24), ids.Token(24))
}
