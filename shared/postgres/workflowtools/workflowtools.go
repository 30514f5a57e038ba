// Package workflowtools keeps workflows that are published as tools in the
// contract's tables tool_workflow_providers and tool_label_bindings.
package workflowtools

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/tool/workflowtool"
)

// Store is a workflowtool.Store.
type Store struct{ db postgres.DB }

var _ workflowtool.Store = (*Store)(nil)

// New returns a store.
func New(db postgres.DB) *Store { return &Store{db} }

const (
	what = "Tool"

	selectTool = `SELECT p.id::text, p.tenant_id::text, p.app_id::text, p.user_id::text, p.name, p.label, p.description, p.icon,
			p.parameter_configuration, coalesce(p.privacy_policy, ''), p.version, p.created_at, p.updated_at,
			ARRAY(SELECT l.label_name FROM tool_label_bindings l WHERE l.tool_type = 'workflow' AND l.tool_id = p.id::text ORDER BY l.label_name)
		FROM tool_workflow_providers p WHERE p.tenant_id = $1 `
)

func scan(r pgx.CollectableRow) (workflowtool.Published, error) {
	var p workflowtool.Published
	var icon, params string
	err := r.Scan(&p.ID, &p.TenantID, &p.AppID, &p.UserID, &p.Name, &p.Label, &p.Description, &icon, &params, &p.Privacy, &p.Version,
		&p.CreatedAt, &p.UpdatedAt, &p.Labels)
	if err != nil {
		return p, err
	}
	p.CreatedAt, p.UpdatedAt = p.CreatedAt.UTC(), p.UpdatedAt.UTC()
	if err := json.Unmarshal([]byte(icon), &p.Icon); err != nil {
		p.Icon = workflowtool.Icon{} // a tool without its picture is still a tool
	}
	if err := json.Unmarshal([]byte(params), &p.Parameters); err != nil {
		return p, fmt.Errorf("parameters of tool %s: %w", p.ID, err)
	}
	return p, nil
}

// columns are the texts of a tool that are kept as JSON.
func columns(p *workflowtool.Published) (icon, params string, err error) {
	i, err := json.Marshal(p.Icon)
	if err != nil {
		return "", "", fmt.Errorf("encode icon: %w", err)
	}
	list := p.Parameters
	if list == nil {
		list = []workflowtool.Parameter{}
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return "", "", fmt.Errorf("encode parameters: %w", err)
	}
	return string(i), string(raw), nil
}

// Add implements workflowtool.Store.
func (s *Store) Add(ctx context.Context, p workflowtool.Published) error {
	icon, params, err := columns(&p)
	if err != nil {
		return err
	}
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tool_workflow_providers (id, tenant_id, app_id, user_id, name, label, description, icon,
				parameter_configuration, privacy_policy, version, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			p.ID, p.TenantID, p.AppID, p.UserID, p.Name, p.Label, p.Description, icon, params, p.Privacy, p.Version, p.CreatedAt.UTC(), p.UpdatedAt.UTC())
		if err != nil {
			return postgres.Error(err, what)
		}
		return bind(ctx, tx, &p)
	})
}

// bind replaces the labels of a tool.
func bind(ctx context.Context, tx pgx.Tx, p *workflowtool.Published) error {
	if err := unbind(ctx, tx, p.TenantID, p.ID); err != nil {
		return err
	}
	if len(p.Labels) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO tool_label_bindings (tool_id, tool_type, label_name)
		SELECT p.id::text, 'workflow', l FROM tool_workflow_providers p, unnest($3::text[]) l WHERE p.tenant_id = $1 AND p.id = $2`,
		p.TenantID, p.ID, p.Labels)
	return postgres.Error(err, what)
}

func unbind(ctx context.Context, tx pgx.Tx, tenantID, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM tool_label_bindings l USING tool_workflow_providers p
		WHERE p.tenant_id = $1 AND p.id = $2 AND l.tool_type = 'workflow' AND l.tool_id = p.id::text`, tenantID, id)
	return postgres.Error(err, what)
}

// Update implements workflowtool.Store.
func (s *Store) Update(ctx context.Context, p workflowtool.Published) error {
	if !ids.Valid(p.ID) {
		return missing()
	}
	icon, params, err := columns(&p)
	if err != nil {
		return err
	}
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE tool_workflow_providers SET name = $3, label = $4, description = $5, icon = $6,
				parameter_configuration = $7, privacy_policy = $8, version = $9, updated_at = $10
			WHERE tenant_id = $1 AND id = $2`,
			p.TenantID, p.ID, p.Name, p.Label, p.Description, icon, params, p.Privacy, p.Version, p.UpdatedAt.UTC())
		if err := postgres.Affected(tag, err, what); err != nil {
			return err
		}
		return bind(ctx, tx, &p)
	})
}

// Delete implements workflowtool.Store.
func (s *Store) Delete(ctx context.Context, tenantID, id string) error {
	if !ids.Valid(id) {
		return missing()
	}
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		if err := unbind(ctx, tx, tenantID, id); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `DELETE FROM tool_workflow_providers WHERE tenant_id = $1 AND id = $2`, tenantID, id)
		return postgres.Affected(tag, err, what)
	})
}

func missing() error { return errs.New(errs.NotFound, what+" not found.") }

func (s *Store) one(ctx context.Context, tenantID, where, arg string) (workflowtool.Published, error) {
	rows, err := s.db.Query(ctx, selectTool+where, tenantID, arg)
	if err != nil {
		return workflowtool.Published{}, postgres.Error(err, what)
	}
	p, err := pgx.CollectExactlyOneRow(rows, scan)
	return p, postgres.Error(err, what)
}

// Tool implements workflowtool.Store.
func (s *Store) Tool(ctx context.Context, tenantID, id string) (workflowtool.Published, error) {
	if !ids.Valid(id) {
		return workflowtool.Published{}, missing()
	}
	return s.one(ctx, tenantID, `AND p.id = $2`, id)
}

// OfApp implements workflowtool.Store.
func (s *Store) OfApp(ctx context.Context, tenantID, appID string) (workflowtool.Published, error) {
	if !ids.Valid(appID) {
		return workflowtool.Published{}, missing()
	}
	return s.one(ctx, tenantID, `AND p.app_id = $2`, appID)
}

// Named implements workflowtool.Store.
func (s *Store) Named(ctx context.Context, tenantID, name string) (workflowtool.Published, error) {
	return s.one(ctx, tenantID, `AND p.name = $2`, name)
}

// Tools implements workflowtool.Store.
func (s *Store) Tools(ctx context.Context, tenantID string) ([]workflowtool.Published, error) {
	rows, err := s.db.Query(ctx, selectTool+`ORDER BY p.created_at, p.id`, tenantID)
	if err != nil {
		return nil, postgres.Error(err, what)
	}
	list, err := pgx.CollectRows(rows, scan)
	return list, postgres.Error(err, what)
}

// Version implements workflowtool.Store.
func (s *Store) Version(ctx context.Context, tenantID, appID, version string) (string, error) {
	var id string
	err := s.db.QueryRow(ctx, `SELECT id::text FROM workflows
		WHERE tenant_id = $1 AND app_id = $2 AND version <> 'draft' AND ($3 = '' OR version = $3) ORDER BY version DESC LIMIT 1`,
		tenantID, appID, version).Scan(&id)
	return id, postgres.Error(err, "Workflow")
}
