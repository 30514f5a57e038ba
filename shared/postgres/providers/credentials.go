package providers

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/provider"
)

// ModelCredentials lists credentials.
func (s *Store) ModelCredentials(ctx context.Context, tenantID, prov string, ref *provider.ModelRef) ([]provider.ModelCredential, error) {
	const columns = `
		SELECT x.id::text, x.tenant_id::text, x.provider_name, x.model_name, x.model_type, x.credential_name, x.encrypted_config,
			x.created_at, x.updated_at
		FROM provider_model_credentials x WHERE `
	const order = ` ORDER BY x.created_at, x.id`
	var rows pgx.Rows
	var err error
	if ref == nil {
		rows, err = s.db.Query(ctx, columns+`x.tenant_id = $1 AND x.provider_name = ANY($2::text[])`+order, tenantID, providerNames(prov))
	} else {
		rows, err = s.db.Query(ctx, columns+one+order, key(tenantID, prov, *ref)...)
	}
	if err != nil {
		return nil, postgres.Error(err, aCredential)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (provider.ModelCredential, error) {
		var c provider.ModelCredential
		var model, kind string
		err := row.Scan(&c.ID, &c.TenantID, &c.Provider, &model, &kind, &c.Name, &c.Config, &c.CreatedAt, &c.UpdatedAt)
		c.Provider, c.ModelRef = provider.CanonicalID(c.Provider), refOf(model, kind)
		return c, err
	})
	return out, postgres.Error(err, aCredential)
}

// nameTaken refuses a name that another credential of the model has. The
// caller holds the model's lock.
func nameTaken(ctx context.Context, tx pgx.Tx, c *provider.ModelCredential) error {
	var taken bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM provider_model_credentials x WHERE `+one+` AND x.credential_name = $5 AND x.id <> $6)`,
		key(c.TenantID, c.Provider, c.ModelRef, c.Name, c.ID)...).Scan(&taken)
	if err == nil && taken {
		return errs.New(errs.Conflict, "A credential with this name exists.")
	}
	return postgres.Error(err, aCredential)
}

// AddModelCredential stores a new credential.
func (s *Store) AddModelCredential(ctx context.Context, c provider.ModelCredential) error {
	return s.change(ctx, c.TenantID, c.Provider, c.ModelRef, func(tx pgx.Tx) error {
		if err := nameTaken(ctx, tx, &c); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO provider_model_credentials (id, tenant_id, provider_name, model_name, model_type, credential_name,
				encrypted_config, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			c.ID, c.TenantID, provider.CanonicalID(c.Provider), c.Model, string(c.Type), c.Name, c.Config, c.CreatedAt.UTC(), c.UpdatedAt.UTC())
		if err != nil {
			return postgres.Error(err, aCredential)
		}
		var have bool
		err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM provider_models x WHERE `+one+`)`,
			key(c.TenantID, c.Provider, c.ModelRef)...).Scan(&have)
		if err != nil || have {
			return postgres.Error(err, aModel)
		}
		return addModel(ctx, tx, c.TenantID, c.Provider, c.ModelRef, c.ID, c.CreatedAt)
	})
}

// UpdateModelCredential replaces name and config.
func (s *Store) UpdateModelCredential(ctx context.Context, c provider.ModelCredential) error {
	if !ids.Valid(c.ID) {
		return postgres.Error(pgx.ErrNoRows, aCredential)
	}
	return s.change(ctx, c.TenantID, c.Provider, c.ModelRef, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE provider_model_credentials x SET credential_name = $6, encrypted_config = $7, updated_at = $8
			WHERE `+one+` AND x.id = $5`,
			key(c.TenantID, c.Provider, c.ModelRef, c.ID, c.Name, c.Config, c.UpdatedAt.UTC())...)
		if err := postgres.Affected(tag, err, aCredential); err != nil {
			return err
		}
		return nameTaken(ctx, tx, &c)
	})
}

// RemoveModelCredential deletes a credential.
func (s *Store) RemoveModelCredential(ctx context.Context, tenantID, prov string, ref provider.ModelRef, id string) error {
	if !ids.Valid(id) {
		return postgres.Error(pgx.ErrNoRows, aCredential)
	}
	return s.change(ctx, tenantID, prov, ref, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM provider_model_credentials x WHERE `+one+` AND x.id = $5`, key(tenantID, prov, ref, id)...)
		if err := postgres.Affected(tag, err, aCredential); err != nil {
			return err
		}
		tag, err = tx.Exec(ctx, `
			UPDATE provider_models x SET credential_id = NULL, updated_at = timezone('utc', now()) WHERE `+one+` AND x.credential_id = $5`,
			key(tenantID, prov, ref, id)...)
		if err != nil || tag.RowsAffected() == 0 {
			return postgres.Error(err, aModel)
		}
		var left bool
		err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM provider_model_credentials x WHERE `+one+`)`, key(tenantID, prov, ref)...).Scan(&left)
		if err != nil || left {
			return postgres.Error(err, aCredential)
		}
		return drop(ctx, tx, tenantID, prov, ref)
	})
}
