// Package providers keeps the rows of package provider in the contract's tables
// provider_models, provider_model_credentials, provider_model_settings and
// tenant_default_models.
//
// Databases that are attached may hold older spellings: a bare provider name
// for langgenius/name/name, text-generation for llm and the like. Reading
// accepts them and answers the present ones; writing replaces them.
//
// START HERE: Store. What the methods promise is said at provider.Store; the
// suite is provider/providertest.
package providers

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/provider"
)

// Store is a provider.Store.
type Store struct{ db postgres.DB }

var _ provider.Store = (*Store)(nil)

// New returns a store.
func New(db postgres.DB) *Store { return &Store{db} }

// What the statements call things in errors.
const (
	aModel      = "Model"
	aCredential = "Credential"
)

// providerNames lists the spellings of a provider, the present one first.
func providerNames(id string) []string {
	full := provider.CanonicalID(id)
	out := []string{full}
	for _, short := range []string{shortName(full), "google"} {
		if short != "" && short != full && provider.CanonicalID(short) == full {
			out = append(out, short)
		}
	}
	return out
}

// shortName returns the last part of organisation/plugin/provider.
func shortName(id string) string {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i] == '/' {
			return id[i+1:]
		}
	}
	return id
}

// typeNames lists the spellings of a model type, the present one first.
func typeNames(t llm.ModelType) []string {
	switch t {
	case llm.TypeLLM:
		return []string{string(t), "text-generation"}
	case llm.TypeTextEmbedding:
		return []string{string(t), "embeddings"}
	case llm.TypeRerank:
		return []string{string(t), "reranking"}
	}
	return []string{string(t)}
}

// refOf makes a reference of stored texts.
func refOf(model, kind string) provider.ModelRef {
	if t, ok := llm.ParseModelType(kind); ok {
		return provider.ModelRef{Model: model, Type: t}
	}
	return provider.ModelRef{Model: model, Type: llm.ModelType(kind)} // of a later release: nobody asks for it
}

// one is the condition for the rows of one model in the table that is named x;
// its arguments are $1 to $4, see key.
const one = `x.tenant_id = $1 AND x.provider_name = ANY($2::text[]) AND x.model_name = $3 AND x.model_type = ANY($4::text[])`

// key returns the arguments of one, followed by more.
func key(tenantID, prov string, ref provider.ModelRef, more ...any) []any {
	return append([]any{tenantID, providerNames(prov), ref.Model, typeNames(ref.Type)}, more...)
}

// lock makes changes of one model wait for each other until the transaction
// ends: the contract's tables have no unique keys on names and settings.
func lock(ctx context.Context, tx pgx.Tx, tenantID, prov string, ref provider.ModelRef) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`,
		tenantID+"\x1f"+provider.CanonicalID(prov)+"\x1f"+string(ref.Type)+"\x1f"+ref.Model)
	return postgres.Error(err, "")
}

// change runs fn in a transaction that holds the model's lock.
func (s *Store) change(ctx context.Context, tenantID, prov string, ref provider.ModelRef, fn func(tx pgx.Tx) error) error {
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, tenantID, prov, ref); err != nil {
			return err
		}
		return fn(tx)
	})
}

const customModels = `
	SELECT x.id::text, x.tenant_id::text, x.provider_name, x.model_name, x.model_type, x.is_valid,
		coalesce(c.id::text, ''), coalesce(c.credential_name, ''), coalesce(c.encrypted_config, ''),
		coalesce(s.enabled, true), coalesce(s.load_balancing_enabled, false), x.created_at
	FROM provider_models x
	LEFT JOIN provider_model_credentials c ON c.id = x.credential_id AND c.tenant_id = x.tenant_id
	LEFT JOIN LATERAL (
		SELECT enabled, load_balancing_enabled FROM provider_model_settings
		WHERE tenant_id = x.tenant_id AND provider_name = x.provider_name AND model_name = x.model_name AND model_type = x.model_type
		ORDER BY updated_at DESC, id LIMIT 1) s ON true
	WHERE `

func scanModel(row pgx.CollectableRow) (provider.CustomModel, error) {
	var m provider.CustomModel
	var model, kind string
	err := row.Scan(&m.ID, &m.TenantID, &m.Provider, &model, &kind, &m.Valid, &m.CredentialID, &m.CredentialName, &m.Config,
		&m.Enabled, &m.LoadBalancing, &m.CreatedAt)
	m.Provider, m.ModelRef = provider.CanonicalID(m.Provider), refOf(model, kind)
	return m, err
}

// CustomModels lists the workspace's models.
func (s *Store) CustomModels(ctx context.Context, tenantID string) ([]provider.CustomModel, error) {
	rows, err := s.db.Query(ctx, customModels+`x.tenant_id = $1 ORDER BY x.created_at, x.id`, tenantID)
	if err != nil {
		return nil, postgres.Error(err, aModel)
	}
	out, err := pgx.CollectRows(rows, scanModel)
	return out, postgres.Error(err, aModel)
}

// CustomModel returns one model.
func (s *Store) CustomModel(ctx context.Context, tenantID, prov string, ref provider.ModelRef) (provider.CustomModel, error) {
	rows, err := s.db.Query(ctx, customModels+one+` ORDER BY x.created_at LIMIT 1`, key(tenantID, prov, ref)...)
	if err != nil {
		return provider.CustomModel{}, postgres.Error(err, aModel)
	}
	m, err := pgx.CollectExactlyOneRow(rows, scanModel)
	if err != nil {
		return provider.CustomModel{}, postgres.Error(err, aModel)
	}
	return m, nil
}

// DeleteCustomModel takes a model out.
func (s *Store) DeleteCustomModel(ctx context.Context, tenantID, prov string, ref provider.ModelRef) error {
	return s.change(ctx, tenantID, prov, ref, func(tx pgx.Tx) error { return drop(ctx, tx, tenantID, prov, ref) })
}

func drop(ctx context.Context, tx pgx.Tx, tenantID, prov string, ref provider.ModelRef) error {
	tag, err := tx.Exec(ctx, `DELETE FROM provider_models x WHERE `+one, key(tenantID, prov, ref)...)
	if err := postgres.Affected(tag, err, aModel); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM provider_model_settings x WHERE `+one, key(tenantID, prov, ref)...)
	return postgres.Error(err, aModel)
}

// UseCredential makes a model use a credential.
func (s *Store) UseCredential(ctx context.Context, tenantID, prov string, ref provider.ModelRef, credentialID string) error {
	if !ids.Valid(credentialID) {
		return postgres.Error(pgx.ErrNoRows, aCredential)
	}
	return s.change(ctx, tenantID, prov, ref, func(tx pgx.Tx) error {
		var created time.Time
		err := tx.QueryRow(ctx, `SELECT x.created_at FROM provider_model_credentials x WHERE `+one+` AND x.id = $5`,
			key(tenantID, prov, ref, credentialID)...).Scan(&created)
		if err != nil {
			return postgres.Error(err, aCredential)
		}
		tag, err := tx.Exec(ctx, `
			UPDATE provider_models x SET credential_id = $5, is_valid = true, updated_at = timezone('utc', now())
			WHERE `+one, key(tenantID, prov, ref, credentialID)...)
		if err != nil || tag.RowsAffected() > 0 {
			return postgres.Error(err, aModel)
		}
		return addModel(ctx, tx, tenantID, prov, ref, credentialID, created)
	})
}

func addModel(ctx context.Context, tx pgx.Tx, tenantID, prov string, ref provider.ModelRef, credentialID string, at time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO provider_models (id, tenant_id, provider_name, model_name, model_type, is_valid, credential_id, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, true, $6, $7, $7)`,
		ids.Random(), tenantID, provider.CanonicalID(prov), ref.Model, string(ref.Type), credentialID, at.UTC())
	return postgres.Error(err, aModel)
}

// SaveModelSetting inserts or replaces settings.
func (s *Store) SaveModelSetting(ctx context.Context, set provider.ModelSetting) error {
	return s.change(ctx, set.TenantID, set.Provider, set.ModelRef, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE provider_model_settings x
			SET enabled = $5, load_balancing_enabled = $6, updated_at = timezone('utc', now()) WHERE `+one,
			key(set.TenantID, set.Provider, set.ModelRef, set.Enabled, set.LoadBalancing)...)
		if err != nil || tag.RowsAffected() > 0 {
			return postgres.Error(err, aModel)
		}
		// The spelling of the model's own row: the two are read together.
		_, err = tx.Exec(ctx, `
			INSERT INTO provider_model_settings (tenant_id, provider_name, model_name, model_type, enabled, load_balancing_enabled, created_at, updated_at)
			SELECT $1, coalesce(m.provider_name, $5), $3, coalesce(m.model_type, $6), $7, $8, timezone('utc', now()), timezone('utc', now())
			FROM (SELECT 1) AS always
			LEFT JOIN (SELECT provider_name, model_type FROM provider_models x WHERE `+one+` LIMIT 1) m ON true`,
			key(set.TenantID, set.Provider, set.ModelRef, provider.CanonicalID(set.Provider), string(set.Type), set.Enabled, set.LoadBalancing)...)
		return postgres.Error(err, aModel)
	})
}

// DefaultModels lists the defaults.
func (s *Store) DefaultModels(ctx context.Context, tenantID string) ([]provider.DefaultModel, error) {
	rows, err := s.db.Query(ctx, `
		SELECT provider_name, model_name, model_type FROM tenant_default_models
		WHERE tenant_id = $1 ORDER BY updated_at DESC, id`, tenantID)
	if err != nil {
		return nil, postgres.Error(err, "Default model")
	}
	seen := map[llm.ModelType]bool{}
	var out []provider.DefaultModel
	var prov, model, kind string
	_, err = pgx.ForEachRow(rows, []any{&prov, &model, &kind}, func() error {
		d := provider.DefaultModel{TenantID: tenantID, Provider: provider.CanonicalID(prov), ModelRef: refOf(model, kind)}
		if !seen[d.Type] { // two spellings of a type are two rows
			seen[d.Type] = true
			out = append(out, d)
		}
		return nil
	})
	return out, postgres.Error(err, "Default model")
}

// SaveDefaultModels inserts or replaces defaults.
func (s *Store) SaveDefaultModels(ctx context.Context, tenantID string, models []provider.DefaultModel) error {
	b := &pgx.Batch{}
	for _, d := range models {
		names := typeNames(d.Type)
		if len(names) > 1 {
			b.Queue(`DELETE FROM tenant_default_models WHERE tenant_id = $1 AND model_type = ANY($2::text[])`, tenantID, names[1:])
		}
		b.Queue(`
			INSERT INTO tenant_default_models (tenant_id, provider_name, model_name, model_type, created_at, updated_at)
			VALUES ($1, $2, $3, $4, timezone('utc', now()), timezone('utc', now()))
			ON CONFLICT (tenant_id, model_type) DO UPDATE
			SET provider_name = excluded.provider_name, model_name = excluded.model_name, updated_at = excluded.updated_at`,
			tenantID, provider.CanonicalID(d.Provider), d.Model, names[0])
	}
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		return postgres.Error(tx.SendBatch(ctx, b).Close(), "Default model")
	})
}
