package apps

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/postgres"
)

const tokenColumns = `k.id, coalesce(k.tenant_id::text, ''), coalesce(k.app_id::text, ''), k.type, k.token, k.last_used_at, k.created_at`

func scanToken(row pgx.CollectableRow) (t app.Token, err error) {
	var used *time.Time
	err = row.Scan(&t.ID, &t.TenantID, &t.AppID, &t.Type, &t.Token, &used, &t.CreatedAt)
	if used != nil {
		t.LastUsedAt = *used
	}
	return t, err
}

// Tokens lists keys.
func (s *Store) Tokens(ctx context.Context, tenantID, kind, appID string) ([]app.Token, error) {
	rows, err := s.db.Query(ctx, `SELECT `+tokenColumns+` FROM api_tokens k
		WHERE coalesce(k.tenant_id, (SELECT a.tenant_id FROM apps a WHERE a.id = k.app_id)) = $1 AND k.type = $2 AND ($3 = '' AND k.app_id IS NULL OR k.app_id::text = $3)
		ORDER BY k.created_at, k.id`, tenantID, kind, appID)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	out, err := pgx.CollectRows(rows, scanToken)
	return out, postgres.Error(err, "")
}

// AddToken stores a key.
func (s *Store) AddToken(ctx context.Context, t app.Token, limit int) error {
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		// Two additions at once must not both find room for the last key.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, "api_tokens:"+t.TenantID+t.AppID); err != nil {
			return postgres.Error(err, "")
		}
		if t.AppID != "" {
			var own bool
			err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM apps WHERE tenant_id = $1 AND id = $2)`, t.TenantID, t.AppID).Scan(&own)
			if err != nil {
				return postgres.Error(err, "App")
			}
			if !own {
				return postgres.Error(pgx.ErrNoRows, "App")
			}
		}
		// Old keys of apps carry no tenant; the app was checked above.
		tag, err := tx.Exec(ctx, `INSERT INTO api_tokens (id, tenant_id, app_id, type, token, created_at)
			SELECT $1::uuid, $2::uuid, $3::uuid, $4::varchar, $5::varchar, $6::timestamp
			WHERE (SELECT count(*) FROM api_tokens WHERE type = $4
			       AND (app_id = $3 OR $3 IS NULL AND app_id IS NULL AND tenant_id = $2)) < $7::int`,
			t.ID, t.TenantID, postgres.Null(t.AppID), t.Type, t.Token, t.CreatedAt.UTC(), limit)
		if err != nil {
			return postgres.Error(err, "API key")
		}
		if tag.RowsAffected() == 0 {
			return errs.Newf(errs.Conflict, "Cannot create more than %d API keys for this resource type", limit)
		}
		return nil
	})
}

// DeleteToken removes a key.
func (s *Store) DeleteToken(ctx context.Context, tenantID, kind, appID, id string) (app.Token, error) {
	rows, err := s.db.Query(ctx, `DELETE FROM api_tokens k
		WHERE coalesce(k.tenant_id, (SELECT a.tenant_id FROM apps a WHERE a.id = k.app_id)) = $1 AND k.type = $2 AND ($3 = '' AND k.app_id IS NULL OR k.app_id::text = $3) AND k.id = $4
		RETURNING `+tokenColumns, tenantID, kind, appID, id)
	if err != nil {
		return app.Token{}, postgres.Error(err, "API key")
	}
	t, err := pgx.CollectExactlyOneRow(rows, scanToken)
	return t, postgres.Error(err, "API key")
}

// Access returns what a key opens.
func (s *Store) Access(ctx context.Context, kind, token string, now time.Time) (x app.Access, err error) {
	var found app.App
	// Columns of an app that is gone are null; its id tells.
	var appID *string
	b := &pgx.Batch{}
	b.Queue(`UPDATE api_tokens SET last_used_at = $3
		WHERE token = $1 AND type = $2 AND (last_used_at IS NULL OR last_used_at < $3::timestamp - interval '1 minute')`,
		token, kind, now.UTC())
	b.Queue(`SELECT k.id, a.id::text, coalesce(t.id::text, k.tenant_id::text, ''), coalesce(t.name, ''), coalesce(t.plan, ''), coalesce(t.status, '')
		FROM api_tokens k LEFT JOIN apps a ON a.id = k.app_id LEFT JOIN tenants t ON t.id = coalesce(a.tenant_id, k.tenant_id)
		WHERE k.token = $1 AND k.type = $2`, token, kind)
	b.Queue(`SELECT `+appColumns+` FROM api_tokens k JOIN apps a ON a.id = k.app_id WHERE k.token = $1 AND k.type = $2`, token, kind)
	results := s.db.SendBatch(ctx, b)
	defer func() {
		if e := results.Close(); err == nil {
			err = postgres.Error(e, "")
		}
	}()
	if _, err := results.Exec(); err != nil {
		return x, postgres.Error(err, "")
	}
	if err := results.QueryRow().Scan(&x.TokenID, &appID, &x.TenantID, &x.TenantName, &x.TenantPlan, &x.TenantStatus); err != nil {
		return x, postgres.Error(err, "Access token")
	}
	err = results.QueryRow().Scan(appTargets(&found)...)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		x.AppMissing = kind == app.TokenApp
		return x, nil
	case err != nil:
		return x, postgres.Error(err, "")
	}
	x.App = found
	return x, nil
}

// SiteAccess returns what a site's code opens. The code is public and finds the
// workspace, so none is asked for.
func (s *Store) SiteAccess(ctx context.Context, appID, code string) (x app.SiteAccess, err error) {
	b := &pgx.Batch{}
	b.Queue(`SELECT `+appColumns+`, coalesce((SELECT t.plan FROM tenants t WHERE t.id = a.tenant_id), ''),
			coalesce((SELECT t.status FROM tenants t WHERE t.id = a.tenant_id), '')
		FROM apps a WHERE a.status = 'normal' AND a.id = coalesce($1::uuid, (SELECT app_id FROM sites WHERE code = $2 ORDER BY created_at, id LIMIT 1))`,
		postgres.Null(appID), code)
	b.Queue(`SELECT `+siteColumns+` FROM sites s WHERE s.code = $2 AND s.app_id = coalesce($1::uuid, s.app_id) ORDER BY s.created_at, s.id LIMIT 1`,
		postgres.Null(appID), code)
	results := s.db.SendBatch(ctx, b)
	defer func() {
		if e := results.Close(); err == nil {
			err = postgres.Error(e, "")
		}
	}()
	if err := results.QueryRow().Scan(append(appTargets(&x.App), &x.TenantPlan, &x.TenantStatus)...); err != nil {
		return x, postgres.Error(err, "App")
	}
	err = results.QueryRow().Scan(siteTargets(&x.Site)...)
	if errors.Is(err, pgx.ErrNoRows) {
		x.SiteMissing = true
		return x, nil
	}
	return x, postgres.Error(err, "")
}

// EndUser returns or makes an end user.
func (s *Store) EndUser(ctx context.Context, u app.EndUser) (app.EndUser, error) {
	have, err := findEndUser(ctx, s.db, u)
	if err == nil || !errs.Is(err, errs.NotFound) {
		return have, err
	}
	err = postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		// The contract has no unique key here, so first calls take turns.
		key := u.TenantID + u.AppID + u.Type + u.SessionID
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 1))`, key); err != nil {
			return postgres.Error(err, "")
		}
		have, err = findEndUser(ctx, tx, u)
		if err == nil || !errs.Is(err, errs.NotFound) {
			return err
		}
		have = u
		tag, err := tx.Exec(ctx, `INSERT INTO end_users (id, tenant_id, app_id, type, external_user_id, name, is_anonymous, session_id, created_at, updated_at)
			SELECT $1::uuid, a.tenant_id, a.id, $4::varchar, $5::varchar, $6::varchar, $7::boolean, $8::varchar, $9::timestamp, $9::timestamp
			FROM apps a WHERE a.tenant_id = $2 AND a.id = $3`,
			u.ID, u.TenantID, u.AppID, u.Type, postgres.Null(u.ExternalUserID), postgres.Null(u.Name), u.IsAnonymous, u.SessionID, u.CreatedAt.UTC())
		return postgres.Affected(tag, err, "App")
	})
	return have, err
}

func findEndUser(ctx context.Context, db postgres.Querier, u app.EndUser) (app.EndUser, error) {
	types := []string{u.Type}
	if u.Type == app.EndUserService {
		types = append(types, "service_api") // rows of older releases
	}
	return scanEndUser(db.QueryRow(ctx, `SELECT `+endUserColumns+`
		FROM end_users WHERE tenant_id = $1 AND app_id = $2 AND session_id = $3 AND type = ANY($4)
		ORDER BY created_at, id LIMIT 1`, u.TenantID, u.AppID, u.SessionID, types))
}

const endUserColumns = `id, tenant_id, app_id::text, type, session_id, is_anonymous, coalesce(name, ''),
	coalesce(external_user_id, ''), created_at, updated_at`

func scanEndUser(row pgx.Row) (out app.EndUser, err error) {
	err = row.Scan(&out.ID, &out.TenantID, &out.AppID, &out.Type, &out.SessionID, &out.IsAnonymous, &out.Name,
		&out.ExternalUserID, &out.CreatedAt, &out.UpdatedAt)
	return out, postgres.Error(err, "End user")
}

// EndUserByID returns an end user of an app.
func (s *Store) EndUserByID(ctx context.Context, tenantID, appID, id string) (app.EndUser, error) {
	return scanEndUser(s.db.QueryRow(ctx, `SELECT `+endUserColumns+` FROM end_users WHERE tenant_id = $1 AND app_id = $2 AND id = $3`,
		tenantID, appID, id))
}
