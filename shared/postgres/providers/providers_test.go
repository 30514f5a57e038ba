package providers_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/providers"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/provider/providertest"
)

const prov = "langgenius/openai_api_compatible/openai_api_compatible"

func pool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	url := pgtest.Template(t, "providers", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	p, err := postgres.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

func TestSuite(t *testing.T) {
	t.Parallel()
	s := providers.New(pool(t))
	providertest.Run(t, func(*testing.T) provider.Store { return s }, nil)
}

func TestReadsAndReplacesOldSpellings(t *testing.T) {
	t.Parallel()
	db := pool(t)
	s := providers.New(db)
	tenant, id := ids.Random(), ids.New()
	for _, sql := range []string{
		`INSERT INTO provider_model_credentials (id, tenant_id, provider_name, model_name, model_type, credential_name, encrypted_config)
			VALUES ($2, $1, 'openai_api_compatible', 'old', 'text-generation', 'key', '{"api_key":"k"}')`,
		`INSERT INTO provider_models (tenant_id, provider_name, model_name, model_type, is_valid, credential_id)
			VALUES ($1, 'openai_api_compatible', 'old', 'text-generation', true, $2)`,
		`INSERT INTO tenant_default_models (id, tenant_id, provider_name, model_name, model_type)
			VALUES ($2, $1, 'openai_api_compatible', 'old', 'text-generation')`,
	} {
		_, err := db.Exec(t.Context(), sql, tenant, id)
		require.NoError(t, err)
	}
	ref := provider.ModelRef{Model: "old", Type: llm.TypeLLM}
	m, err := s.CustomModel(t.Context(), tenant, prov, ref)
	require.NoError(t, err)
	require.Equal(t, prov, m.Provider)
	require.Equal(t, ref, m.ModelRef)
	require.Equal(t, id, m.CredentialID)
	require.NoError(t, s.SaveModelSetting(t.Context(), provider.ModelSetting{TenantID: tenant, Provider: prov, ModelRef: ref}))
	m, err = s.CustomModel(t.Context(), tenant, prov, ref)
	require.NoError(t, err)
	require.False(t, m.Enabled)
	require.NoError(t, s.SaveDefaultModels(t.Context(), tenant, []provider.DefaultModel{
		{Provider: prov, ModelRef: provider.ModelRef{Model: "new", Type: llm.TypeLLM}}}))
	defaults, err := s.DefaultModels(t.Context(), tenant)
	require.NoError(t, err)
	require.Len(t, defaults, 1)
	require.Equal(t, "new", defaults[0].Model)
	require.NoError(t, s.RemoveModelCredential(t.Context(), tenant, prov, ref, id))
	_, err = s.CustomModel(t.Context(), tenant, prov, ref)
	require.True(t, errs.Is(err, errs.NotFound))
}

func TestSameNameAtOnce(t *testing.T) {
	t.Parallel()
	s := providers.New(pool(t))
	tenant := ids.Random()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const callers = 6
	results := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			results[i] = s.AddModelCredential(t.Context(), provider.ModelCredential{ID: ids.New(), TenantID: tenant, Provider: prov,
				ModelRef: provider.ModelRef{Model: "m", Type: llm.TypeLLM}, Name: "same", Config: "{}", CreatedAt: at, UpdatedAt: at})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else {
			require.True(t, errs.Is(err, errs.Conflict), "%v", err)
		}
	}
	require.Equal(t, 1, won)
	creds, err := s.ModelCredentials(t.Context(), tenant, prov, nil)
	require.NoError(t, err)
	require.Len(t, creds, 1)
}

func TestIDsThatAreNoUUIDs(t *testing.T) {
	t.Parallel()
	s := providers.New(pool(t))
	tenant, ref := ids.Random(), provider.ModelRef{Model: "m", Type: llm.TypeLLM}
	require.True(t, errs.Is(s.UseCredential(t.Context(), tenant, prov, ref, "x"), errs.NotFound))
	require.True(t, errs.Is(s.RemoveModelCredential(t.Context(), tenant, prov, ref, "x"), errs.NotFound))
	require.True(t, errs.Is(s.UpdateModelCredential(t.Context(), provider.ModelCredential{ID: "x", TenantID: tenant, Provider: prov, ModelRef: ref}), errs.NotFound))
}
