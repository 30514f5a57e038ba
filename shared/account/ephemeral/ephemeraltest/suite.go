// Package ephemeraltest holds the suite that every ephemeral.Store passes. It
// is for tests only.
package ephemeraltest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/errs"
)

// Run runs the suite. Each call of open returns an empty store and a function
// that moves the store's time forward.
func Run(t *testing.T, open func(t *testing.T) (ephemeral.Store, func(time.Duration))) {
	t.Run("values", func(t *testing.T) {
		s, advance := open(t)
		ctx := t.Context()
		_, err := s.Get(ctx, "k")
		require.True(t, errs.Is(err, errs.NotFound))
		require.NoError(t, s.Set(ctx, "k", "v", time.Minute))
		require.NoError(t, s.Set(ctx, "k", "w", time.Minute))
		v, err := s.Get(ctx, "k")
		require.NoError(t, err)
		require.Equal(t, "w", v)
		advance(2 * time.Minute)
		_, err = s.Get(ctx, "k")
		require.True(t, errs.Is(err, errs.NotFound))
		require.NoError(t, s.Set(ctx, "k", "v", time.Minute))
		require.NoError(t, s.Delete(ctx, "k", "other"))
		require.NoError(t, s.Delete(ctx))
		_, err = s.Take(ctx, "k")
		require.True(t, errs.Is(err, errs.NotFound))
	})
	t.Run("one taker wins", func(t *testing.T) {
		s, _ := open(t)
		require.NoError(t, s.Set(t.Context(), "k", "v", time.Minute))
		var wg sync.WaitGroup
		won := make(chan string, 8)
		for range 8 {
			wg.Go(func() {
				if v, err := s.Take(t.Context(), "k"); err == nil {
					won <- v
				}
			})
		}
		wg.Wait()
		close(won)
		var got []string
		for v := range won {
			got = append(got, v)
		}
		require.Equal(t, []string{"v"}, got)
	})
	t.Run("counters", func(t *testing.T) {
		s, advance := open(t)
		for want := range int64(3) {
			n, err := s.Increment(t.Context(), "c", time.Minute)
			require.NoError(t, err)
			require.Equal(t, want+1, n)
			advance(25 * time.Second) // does not renew the ttl
		}
		n, err := s.Increment(t.Context(), "c", time.Minute)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}
