// Package tooltest is the test suite that every driver.Runtime passes.
package tooltest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool/driver"
)

// Subject is a runtime with one tool that works and, where a tool can, one
// that fails.
type Subject struct {
	Runtime driver.Runtime
	// Type of all its providers.
	Type driver.ProviderType
	// Works is a call that answers with at least one message.
	Works driver.Call
	// Fails is a call whose tool fails.
	Fails *driver.Call
	// Foreign is a workspace that does not have the tool, "" when all have it.
	Foreign string
}

// Run runs the suite.
func Run(t *testing.T, subject func(t *testing.T) Subject) {
	t.Helper()
	ignore := func(driver.Message) error { return nil }

	t.Run("describes its tools", func(t *testing.T) {
		s := subject(t)
		all, err := s.Runtime.Providers(t.Context(), s.Works.TenantID)
		require.NoError(t, err)
		require.NotEmpty(t, all)
		for _, p := range all {
			require.Equal(t, s.Type, p.Type)
			require.NotEmpty(t, p.ID)
			require.NotEmpty(t, p.Name)
			one, err := s.Runtime.Provider(t.Context(), s.Works.TenantID, p.ID)
			require.NoError(t, err)
			require.Equal(t, p, one)
			names := map[string]bool{}
			for _, tool := range p.Tools {
				require.NotEmpty(t, tool.Name)
				require.False(t, names[tool.Name], "two tools are called %s", tool.Name)
				names[tool.Name] = true
				for _, param := range tool.Parameters {
					require.NotEmpty(t, param.Name)
					require.NotEmpty(t, param.Type)
					require.Contains(t, []driver.Form{driver.FormSchema, driver.FormForm, driver.FormLLM}, param.Form)
				}
			}
		}
		p, err := s.Runtime.Provider(t.Context(), s.Works.TenantID, s.Works.Provider)
		require.NoError(t, err)
		_, ok := p.Tool(s.Works.Tool)
		require.True(t, ok)
	})

	t.Run("calls a tool", func(t *testing.T) {
		s := subject(t)
		n := 0
		require.NoError(t, s.Runtime.Invoke(t.Context(), &s.Works, func(m driver.Message) error {
			require.NotEmpty(t, m.Type)
			n++
			return nil
		}))
		require.Positive(t, n)
	})

	t.Run("ends when nobody listens any more", func(t *testing.T) {
		s := subject(t)
		gone := errors.New("gone")
		require.ErrorIs(t, s.Runtime.Invoke(t.Context(), &s.Works, func(driver.Message) error { return gone }), gone)
	})

	t.Run("says what a tool failed of", func(t *testing.T) {
		s := subject(t)
		if s.Fails == nil {
			t.Skip("no tool of this runtime fails")
		}
		err := s.Runtime.Invoke(t.Context(), s.Fails, ignore)
		require.Error(t, err)
		require.NotEmpty(t, errs.Public(err).Message)
		require.NotEqual(t, errs.Internal, errs.CodeOf(err))
	})

	t.Run("does not know other tools", func(t *testing.T) {
		s := subject(t)
		_, err := s.Runtime.Provider(t.Context(), s.Works.TenantID, "no-such-provider")
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		call := s.Works
		call.Tool = "no-such-tool"
		require.Equal(t, errs.NotFound, errs.CodeOf(s.Runtime.Invoke(t.Context(), &call, ignore)))
		call = s.Works
		call.Provider = "no-such-provider"
		require.Equal(t, errs.NotFound, errs.CodeOf(s.Runtime.Invoke(t.Context(), &call, ignore)))
	})

	t.Run("keeps workspaces apart", func(t *testing.T) {
		s := subject(t)
		if s.Foreign == "" {
			t.Skip("every workspace has these tools")
		}
		call := s.Works
		call.TenantID = s.Foreign
		require.Equal(t, errs.NotFound, errs.CodeOf(s.Runtime.Invoke(t.Context(), &call, ignore)))
		_, err := s.Runtime.Provider(t.Context(), s.Foreign, s.Works.Provider)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})

	t.Run("stops with its context", func(t *testing.T) {
		s := subject(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := s.Runtime.Invoke(ctx, &s.Works, func(driver.Message) error { return ctx.Err() })
		require.ErrorIs(t, err, context.Canceled)
	})
}
