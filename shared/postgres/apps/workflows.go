package apps

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/workflow/value"
)

const workflowColumns = `w.id, w.tenant_id, w.app_id, w.type, w.version, w.version_number, w.graph, w.features,
	w.environment_variables, w.conversation_variables, w.rag_pipeline_variables, w.marked_name, w.marked_comment,
	EXISTS (SELECT 1 FROM tool_workflow_providers p WHERE p.tenant_id = w.tenant_id AND p.app_id = w.app_id),
	w.created_by, coalesce(w.updated_by::text, ''), w.created_at, w.updated_at`

func scanWorkflow(row pgx.Row) (w app.Workflow, err error) {
	var env, conversation string
	err = row.Scan(&w.ID, &w.TenantID, &w.AppID, &w.Type, &w.Version, &w.Number, &w.Graph, &w.Features,
		&env, &conversation, &w.RagPipeline, &w.Name, &w.Comment, &w.ToolPublished,
		&w.CreatedBy, &w.UpdatedBy, &w.CreatedAt, &w.UpdatedAt)
	if err != nil {
		return w, err
	}
	if w.Environment, err = app.DecodeVariables(env); err != nil {
		return w, err
	}
	w.Conversation, err = app.DecodeVariables(conversation)
	return w, err
}

// Draft returns an app's draft.
func (s *Store) Draft(ctx context.Context, tenantID, appID string) (app.Workflow, error) {
	w, err := scanWorkflow(s.db.QueryRow(ctx, `SELECT `+workflowColumns+` FROM workflows w
		WHERE w.tenant_id = $1 AND w.app_id = $2 AND w.version = 'draft'`, tenantID, appID))
	return w, postgres.Error(err, "Draft workflow")
}

// ChangeDraft changes an app's draft under a lock on the app.
func (s *Store) ChangeDraft(ctx context.Context, tenantID, appID string, change func(*app.Workflow) (*app.Workflow, error)) error {
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		var id string
		if err := tx.QueryRow(ctx, `SELECT id FROM apps WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tenantID, appID).Scan(&id); err != nil {
			return postgres.Error(err, "App")
		}
		have, err := scanWorkflow(tx.QueryRow(ctx, `SELECT `+workflowColumns+` FROM workflows w
			WHERE w.tenant_id = $1 AND w.app_id = $2 AND w.version = 'draft'`, tenantID, appID))
		current := &have
		if errors.Is(err, pgx.ErrNoRows) {
			current = nil
		} else if err != nil {
			return postgres.Error(err, "Draft workflow")
		}
		next, err := change(current)
		if err != nil || next == nil {
			return err
		}
		if current == nil {
			return insertWorkflow(ctx, tx, *next)
		}
		env, conversation, err := encode(*next)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `UPDATE workflows SET graph = $4, features = $5, environment_variables = $6,
				conversation_variables = $7, rag_pipeline_variables = $8, updated_by = $9, updated_at = $10
			WHERE tenant_id = $1 AND app_id = $2 AND id = $3`, tenantID, appID, have.ID, next.Graph, next.Features, env,
			conversation, orEmpty(next.RagPipeline), postgres.Null(next.UpdatedBy), next.UpdatedAt.UTC())
		return postgres.Affected(tag, err, "Draft workflow")
	})
}

func encode(w app.Workflow) (env, conversation string, err error) {
	if env, err = app.EncodeVariables(w.Environment); err != nil {
		return "", "", err
	}
	conversation, err = app.EncodeVariables(w.Conversation)
	return env, conversation, err
}

func orEmpty(s string) string {
	if s == "" {
		return "{}"
	}
	return s
}

func insertWorkflow(ctx context.Context, tx pgx.Tx, w app.Workflow) error {
	env, conversation, err := encode(w)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO workflows (id, tenant_id, app_id, type, version, version_number, graph, features,
			environment_variables, conversation_variables, rag_pipeline_variables, marked_name, marked_comment,
			created_by, created_at, updated_by, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		w.ID, w.TenantID, w.AppID, w.Type, w.Version, w.Number, orEmpty(w.Graph), orEmpty(w.Features), env, conversation,
		orEmpty(w.RagPipeline), w.Name, w.Comment, w.CreatedBy, w.CreatedAt.UTC(), postgres.Null(w.UpdatedBy), w.UpdatedAt.UTC())
	return postgres.Error(err, "Workflow")
}

// Publish stores a version and makes it the current one.
func (s *Store) Publish(ctx context.Context, w app.Workflow) (app.Workflow, error) {
	err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE apps SET workflow_id = $3, updated_by = $4, updated_at = $5
			WHERE tenant_id = $1 AND id = $2 AND status = 'normal'`, w.TenantID, w.AppID, w.ID, w.CreatedBy, w.CreatedAt.UTC())
		if err := postgres.Affected(tag, err, "App"); err != nil {
			return err
		}
		var n int
		// The counter's row also makes two publishers take turns. An attached
		// database may have numbers without a counter.
		err = tx.QueryRow(ctx, `INSERT INTO workflow_version_counters AS c (app_id, last_version_number)
			SELECT $1, coalesce(max(version_number), 0) + 1 FROM workflows WHERE tenant_id = $2 AND app_id = $1
			ON CONFLICT (app_id) DO UPDATE SET last_version_number = c.last_version_number + 1
			RETURNING last_version_number`, w.AppID, w.TenantID).Scan(&n)
		if err != nil {
			return postgres.Error(err, "")
		}
		w.Number = &n
		return insertWorkflow(ctx, tx, w)
	})
	return w, err
}

// Workflow returns a draft or version.
func (s *Store) Workflow(ctx context.Context, tenantID, appID, id string) (app.Workflow, error) {
	w, err := scanWorkflow(s.db.QueryRow(ctx, `SELECT `+workflowColumns+` FROM workflows w
		WHERE w.tenant_id = $1 AND w.id = $2 AND ($3 = '' OR w.app_id::text = $3)`, tenantID, id, appID))
	return w, postgres.Error(err, "Workflow")
}

// Workflows lists versions.
func (s *Store) Workflows(ctx context.Context, tenantID, appID string, f app.VersionFilter) ([]app.Workflow, error) {
	rows, err := s.db.Query(ctx, `SELECT `+workflowColumns+` FROM workflows w
		WHERE w.tenant_id = $1 AND w.app_id = $2 AND (NOT $3 OR w.marked_name <> '') AND ($4 = '' OR w.created_by::text = $4)
		ORDER BY (w.version = 'draft') DESC, w.version DESC LIMIT $5 OFFSET $6`,
		tenantID, appID, f.NamedOnly, f.CreatedBy, f.Limit+1, (f.Page-1)*f.Limit)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (app.Workflow, error) { return scanWorkflow(row) })
	return out, postgres.Error(err, "")
}

// MarkWorkflow changes name and comment.
func (s *Store) MarkWorkflow(ctx context.Context, tenantID, appID, id string, name, comment *string, by string, at time.Time) (app.Workflow, error) {
	w, err := scanWorkflow(s.db.QueryRow(ctx, `UPDATE workflows w SET marked_name = coalesce($4, w.marked_name),
			marked_comment = coalesce($5, w.marked_comment), updated_by = $6, updated_at = $7
		WHERE w.tenant_id = $1 AND w.app_id = $2 AND w.id = $3 RETURNING `+workflowColumns,
		tenantID, appID, id, name, comment, by, at.UTC()))
	return w, postgres.Error(err, "Workflow")
}

// DeleteWorkflow removes a version.
func (s *Store) DeleteWorkflow(ctx context.Context, tenantID, appID, id string) error {
	tag, err := s.db.Exec(ctx, `DELETE FROM workflows WHERE tenant_id = $1 AND app_id = $2 AND id = $3 AND version <> 'draft'`,
		tenantID, appID, id)
	return postgres.Affected(tag, err, "Workflow")
}

// DraftVariables lists what runs of a draft left behind.
func (s *Store) DraftVariables(ctx context.Context, tenantID, appID, accountID, nodeID string) ([]app.DraftVariable, error) {
	rows, err := s.db.Query(ctx, `SELECT v.id, v.name, v.description, v.node_id, v.selector, v.value_type, v.value,
			v.last_edited_at IS NOT NULL, v.visible, v.editable
		FROM workflow_draft_variables v JOIN apps a ON a.id = v.app_id
		WHERE a.tenant_id = $1 AND v.app_id = $2 AND v.user_id = $3 AND ($4 = '' OR v.node_id = $4)
		ORDER BY v.created_at DESC, v.id`, tenantID, appID, accountID, nodeID)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v app.DraftVariable, err error) {
		var selector, text string
		if err := row.Scan(&v.ID, &v.Name, &v.Description, &v.NodeID, &selector, &v.ValueType, &text, &v.Edited, &v.Visible, &v.Editable); err != nil {
			return v, err
		}
		if list, err := value.Decode([]byte(selector)); err == nil {
			parts, _ := list.([]any)
			for _, p := range parts {
				s, _ := p.(string)
				v.Selector = append(v.Selector, s)
			}
		}
		v.Value, err = value.Decode([]byte(text))
		return v, err
	})
	return out, postgres.Error(err, "")
}

// ClearDraftVariables removes what runs of a draft left behind.
func (s *Store) ClearDraftVariables(ctx context.Context, tenantID, appID string) error {
	_, err := s.db.Exec(ctx, `DELETE FROM workflow_draft_variables v USING apps a
		WHERE a.id = v.app_id AND a.tenant_id = $1 AND v.app_id = $2`, tenantID, appID)
	return postgres.Error(err, "")
}
