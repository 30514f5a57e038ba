// Package drafts keeps what runs of drafts leave behind in the contract's
// tables: workflow_draft_variables with their files, and the executions of
// single nodes. It implements the Store of shared/debug.
//
// The tables have no tenant: every statement goes through the tenant's apps.
package drafts

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Store implements debug.Store on Postgres.
type Store struct{ db postgres.Querier }

var _ debug.Store = (*Store)(nil)

// New returns a store on db.
func New(db postgres.Querier) *Store { return &Store{db} }

// row is a variable on its way into the database, as JSON.
type row struct {
	ID          string     `json:"id"`
	NodeID      string     `json:"node_id"`
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Selector    string     `json:"selector"`
	ValueType   string     `json:"value_type"`
	Value       string     `json:"value"`
	Visible     bool       `json:"visible"`
	Editable    bool       `json:"editable"`
	Default     bool       `json:"is_default_value"`
	Execution   *string    `json:"node_execution_id"`
	EditedAt    *time.Time `json:"last_edited_at"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
	FileID      *string    `json:"file_id"`
	UploadID    *string    `json:"upload_file_id"`
	Size        int64      `json:"size"`
	Length      *int       `json:"length"`
	FileType    string     `json:"file_value_type"`
}

func rowOf(v *debug.Variable) row {
	r := row{
		ID: v.ID, NodeID: v.NodeID, Name: v.Name, Description: v.Description, Selector: value.JSON([]any{v.NodeID, v.Name}), ValueType: v.ValueType,
		Value: string(v.Value), Visible: v.Visible, Editable: v.Editable, Default: v.IsDefault, EditedAt: v.EditedAt, CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt,
	}
	if v.ExecutionID != "" {
		r.Execution = &v.ExecutionID
	}
	if f := v.File; f != nil {
		r.FileID, r.UploadID, r.Size, r.Length, r.FileType = &f.ID, &f.UploadID, f.Size, f.Length, f.ValueType
	}
	return r
}

// input reads the parameter $4 as rows; mine holds the app when it is the
// tenant's.
const input = `WITH mine AS (SELECT id FROM apps WHERE tenant_id = $1 AND id = $2),
	v AS (SELECT * FROM json_to_recordset($4::json) AS v(id uuid, node_id text, name text, description text, selector text, value_type text, value text,
		visible boolean, editable boolean, is_default_value boolean, node_execution_id uuid, last_edited_at timestamp, created_at timestamp,
		updated_at timestamp, file_id uuid, upload_file_id uuid, size bigint, length integer, file_value_type text)),
	files AS (INSERT INTO workflow_draft_variable_files (id, created_at, tenant_id, app_id, user_id, upload_file_id, size, length, value_type)
		SELECT v.file_id, v.updated_at, $1, mine.id, $3, v.upload_file_id, v.size, v.length, v.file_value_type FROM v, mine WHERE v.file_id IS NOT NULL)`

const insert = ` INSERT INTO workflow_draft_variables AS d (id, created_at, updated_at, app_id, user_id, last_edited_at, node_id, name, description, selector,
		value_type, value, visible, editable, node_execution_id, file_id, is_default_value)
	SELECT v.id, v.created_at, v.updated_at, mine.id, $3, v.last_edited_at, v.node_id, v.name, v.description, v.selector,
		v.value_type, v.value, v.visible, v.editable, v.node_execution_id, v.file_id, v.is_default_value FROM v, mine
	ON CONFLICT (app_id, user_id, node_id, name) DO `

func (st *Store) write(ctx context.Context, s debug.Scope, list []debug.Variable, sql string) (int64, error) {
	rows := make([]row, len(list))
	for i := range list {
		rows[i] = rowOf(&list[i])
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return 0, errs.Wrap(errs.Internal, err, "")
	}
	tag, err := st.db.Exec(ctx, sql, s.TenantID, s.AppID, s.AccountID, string(raw))
	return tag.RowsAffected(), postgres.Error(err, "")
}

// Save puts variables in the place of those with the same name, in one statement.
func (st *Store) Save(ctx context.Context, s debug.Scope, list []debug.Variable) error {
	if len(list) == 0 {
		return nil
	}
	n, err := st.write(ctx, s, list, input+insert+`UPDATE SET updated_at = excluded.updated_at, last_edited_at = excluded.last_edited_at,
		selector = excluded.selector, value_type = excluded.value_type, value = excluded.value, visible = excluded.visible, editable = excluded.editable,
		node_execution_id = excluded.node_execution_id, file_id = excluded.file_id, is_default_value = excluded.is_default_value`)
	if err == nil && n == 0 {
		return errs.New(errs.NotFound, "")
	}
	return err
}

// Prefill adds variables that are not there yet.
func (st *Store) Prefill(ctx context.Context, s debug.Scope, list []debug.Variable) error {
	if len(list) == 0 {
		return nil
	}
	_, err := st.write(ctx, s, list, input+insert+`NOTHING`)
	return err
}

const (
	columns = `d.id::text, d.node_id, d.name, d.description, d.value_type, d.visible, d.editable, d.is_default_value, coalesce(d.node_execution_id::text, ''),
		d.last_edited_at, d.created_at, d.updated_at, f.id::text, f.upload_file_id::text, f.size, f.length, f.value_type`
	from = ` FROM workflow_draft_variables d JOIN apps a ON a.id = d.app_id AND a.tenant_id = $1
		LEFT JOIN workflow_draft_variable_files f ON f.id = d.file_id AND f.tenant_id = $1 AND f.app_id = d.app_id
		WHERE d.app_id = $2 AND d.user_id = $3`
)

func scan(r pgx.CollectableRow, extra ...any) (v debug.Variable, err error) {
	var fileID, uploadID, fileType *string
	var size *int64
	var length *int
	err = r.Scan(append([]any{&v.ID, &v.NodeID, &v.Name, &v.Description, &v.ValueType, &v.Visible, &v.Editable, &v.IsDefault, &v.ExecutionID,
		&v.EditedAt, &v.CreatedAt, &v.UpdatedAt, &fileID, &uploadID, &size, &length, &fileType}, extra...)...)
	if err == nil && fileID != nil {
		v.File = &debug.VariableFile{ID: *fileID, UploadID: *uploadID, Size: *size, Length: length, ValueType: *fileType}
	}
	return v, err
}

func withValue(r pgx.CollectableRow) (debug.Variable, error) {
	var text string
	v, err := scan(r, &text)
	v.Value = json.RawMessage(text)
	return v, err
}

func (st *Store) one(ctx context.Context, where string, args ...any) (debug.Variable, error) {
	rows, err := st.db.Query(ctx, `SELECT `+columns+`, d.value`+from+where, args...)
	if err != nil {
		return debug.Variable{}, postgres.Error(err, "")
	}
	v, err := pgx.CollectExactlyOneRow(rows, withValue)
	return v, postgres.Error(err, "")
}

// Variables lists those of a node, or all.
func (st *Store) Variables(ctx context.Context, s debug.Scope, nodeID string) ([]debug.Variable, error) {
	rows, err := st.db.Query(ctx, `SELECT `+columns+`, d.value`+from+` AND ($4 = '' OR d.node_id = $4) ORDER BY d.created_at DESC, d.id`,
		s.TenantID, s.AppID, s.AccountID, nodeID)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	list, err := pgx.CollectRows(rows, withValue)
	return list, postgres.Error(err, "")
}

// Page lists variables without values.
func (st *Store) Page(ctx context.Context, s debug.Scope, offset, limit int) ([]debug.Variable, int, error) {
	var total int
	if err := st.db.QueryRow(ctx, `SELECT count(*)`+from, s.TenantID, s.AppID, s.AccountID).Scan(&total); err != nil {
		return nil, 0, postgres.Error(err, "")
	}
	rows, err := st.db.Query(ctx, `SELECT `+columns+from+` ORDER BY d.created_at DESC, d.id LIMIT $4 OFFSET $5`,
		s.TenantID, s.AppID, s.AccountID, limit, offset)
	if err != nil {
		return nil, 0, postgres.Error(err, "")
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (debug.Variable, error) { return scan(r) })
	return list, total, postgres.Error(err, "")
}

// Variable returns one.
func (st *Store) Variable(ctx context.Context, s debug.Scope, id string) (debug.Variable, error) {
	return st.one(ctx, ` AND d.id = $4`, s.TenantID, s.AppID, s.AccountID, id)
}

// Find returns the one with that name.
func (st *Store) Find(ctx context.Context, s debug.Scope, nodeID, name string) (debug.Variable, error) {
	return st.one(ctx, ` AND d.node_id = $4 AND d.name = $5`, s.TenantID, s.AppID, s.AccountID, nodeID, name)
}

// Update changes one.
func (st *Store) Update(ctx context.Context, s debug.Scope, v debug.Variable) error {
	n, err := st.write(ctx, s, []debug.Variable{v}, `WITH mine AS (SELECT id FROM apps WHERE tenant_id = $1 AND id = $2),
		v AS (SELECT * FROM json_to_recordset($4::json) AS v(id uuid, name text, selector text, value_type text, value text, is_default_value boolean,
			last_edited_at timestamp, updated_at timestamp, file_id uuid, upload_file_id uuid, size bigint, length integer, file_value_type text)),
		files AS (INSERT INTO workflow_draft_variable_files (id, created_at, tenant_id, app_id, user_id, upload_file_id, size, length, value_type)
			SELECT v.file_id, v.updated_at, $1, mine.id, $3, v.upload_file_id, v.size, v.length, v.file_value_type FROM v, mine WHERE v.file_id IS NOT NULL
			ON CONFLICT DO NOTHING)
		UPDATE workflow_draft_variables d SET name = v.name, selector = v.selector, value_type = v.value_type, value = v.value, file_id = v.file_id,
			is_default_value = v.is_default_value, last_edited_at = v.last_edited_at, updated_at = v.updated_at
		FROM v, mine WHERE d.id = v.id AND d.app_id = mine.id AND d.user_id = $3`)
	if err == nil && n == 0 {
		return errs.New(errs.NotFound, "")
	}
	return err
}

const remove = `DELETE FROM workflow_draft_variables d USING apps a WHERE a.id = d.app_id AND a.tenant_id = $1 AND d.app_id = $2 AND d.user_id = $3`

// Delete removes one.
func (st *Store) Delete(ctx context.Context, s debug.Scope, id string) error {
	tag, err := st.db.Exec(ctx, remove+` AND d.id = $4`, s.TenantID, s.AppID, s.AccountID, id)
	return postgres.Affected(tag, err, "")
}

// DeleteAll removes those of a node, or all.
func (st *Store) DeleteAll(ctx context.Context, s debug.Scope, nodeID string) error {
	_, err := st.db.Exec(ctx, remove+` AND ($4 = '' OR d.node_id = $4)`, s.TenantID, s.AppID, s.AccountID, nodeID)
	return postgres.Error(err, "")
}

// AddExecution stores the execution of a single node.
func (st *Store) AddExecution(ctx context.Context, s debug.Scope, e debug.Execution) error {
	tag, err := st.db.Exec(ctx, `INSERT INTO workflow_node_executions (id, tenant_id, app_id, workflow_id, triggered_from, index, node_id, node_type, title,
			inputs, process_data, outputs, status, error, elapsed_time, execution_metadata, created_at, finished_at, created_by_role, created_by, node_execution_id)
		SELECT $4, a.tenant_id, a.id, $5, 'single-step', 1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 'account', $3, $18
		FROM apps a WHERE a.tenant_id = $1 AND a.id = $2`,
		s.TenantID, s.AppID, s.AccountID, e.ID, e.WorkflowID, e.NodeID, e.NodeType, e.Title, e.Inputs, e.Process, e.Outputs, e.Status, e.Error, e.Elapsed,
		e.Metadata, e.CreatedAt, e.FinishedAt, e.ID)
	return postgres.Affected(tag, err, "")
}

// Outputs returns the stored outputs of a node execution.
func (st *Store) Outputs(ctx context.Context, s debug.Scope, executionID string) (json.RawMessage, error) {
	var text *string
	err := st.db.QueryRow(ctx, `SELECT outputs FROM workflow_node_executions WHERE tenant_id = $1 AND app_id = $2 AND id = $3`,
		s.TenantID, s.AppID, executionID).Scan(&text)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	if text == nil || *text == "" {
		return json.RawMessage("{}"), nil
	}
	return json.RawMessage(*text), nil
}
