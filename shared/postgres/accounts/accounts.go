// Package accounts keeps accounts, workspaces and memberships in the contract's
// tables. It implements account.Store.
package accounts

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
)

// Store implements account.Store.
type Store struct{ db postgres.DB }

var _ account.Store = (*Store)(nil)

// New returns a store on db.
func New(db postgres.DB) *Store { return &Store{db} }

const accountColumns = `a.id, a.name, a.email, coalesce(a.password, ''), coalesce(a.password_salt, ''), coalesce(a.avatar, ''),
	coalesce(a.interface_language, ''), coalesce(a.interface_theme, ''), coalesce(a.timezone, ''), a.status,
	a.last_login_at, coalesce(a.last_login_ip, ''), a.last_active_at, a.initialized_at, a.created_at`

const tenantColumns = `t.id, t.name, t.plan, t.status, coalesce(t.encrypt_public_key, ''), coalesce(t.custom_config, ''), t.created_at`

type times struct{ login, initialized *time.Time }

func accountTargets(a *account.Account, n *times) []any {
	return []any{
		&a.ID, &a.Name, &a.Email, &a.PasswordHash, &a.PasswordSalt, &a.Avatar, &a.Language, &a.Theme, &a.Timezone, &a.Status,
		&n.login, &a.LastLoginIP, &a.LastActiveAt, &n.initialized, &a.CreatedAt,
	}
}

func (n *times) into(a *account.Account) {
	a.LastLoginAt, a.InitializedAt = value(n.login), value(n.initialized)
}

func tenantTargets(t *account.Tenant) []any {
	return []any{&t.ID, &t.Name, &t.Plan, &t.Status, &t.PublicKey, &t.CustomConfig, &t.CreatedAt}
}

func value(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func null(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// SetupAt returns when the setup was done.
func (s *Store) SetupAt(ctx context.Context) (time.Time, error) {
	var at time.Time
	err := s.db.QueryRow(ctx, `SELECT setup_at FROM dify_setups ORDER BY setup_at LIMIT 1`).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, nil
	}
	return at, postgres.Error(err, "")
}

// Setup stores the first account with its workspace.
func (s *Store) Setup(ctx context.Context, version string, a account.Account, t account.Tenant, at time.Time) error {
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		// Two setups at once must not both find the table empty.
		if _, err := tx.Exec(ctx, `LOCK TABLE dify_setups IN EXCLUSIVE MODE`); err != nil {
			return postgres.Error(err, "")
		}
		tag, err := tx.Exec(ctx, `INSERT INTO dify_setups (version, setup_at) SELECT $1, $2
			WHERE NOT EXISTS (SELECT 1 FROM dify_setups)`, version, at.UTC())
		if err != nil {
			return postgres.Error(err, "")
		}
		if tag.RowsAffected() == 0 {
			return errs.New(errs.AlreadySetup, "")
		}
		if err := addAccount(ctx, tx, a); err != nil {
			return err
		}
		return addTenant(ctx, tx, t, a.ID, at)
	})
}

// AddAccount stores an account.
func (s *Store) AddAccount(ctx context.Context, a account.Account) error {
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		// The contract has no unique key on the address.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('account:' || lower($1), 0))`, a.Email); err != nil {
			return postgres.Error(err, "")
		}
		return addAccount(ctx, tx, a)
	})
}

func addAccount(ctx context.Context, tx pgx.Tx, a account.Account) error {
	tag, err := tx.Exec(ctx, `INSERT INTO accounts (id, name, email, password, password_salt, avatar, interface_language,
			interface_theme, timezone, status, last_login_at, last_login_ip, initialized_at, created_at, updated_at, last_active_at)
		SELECT $1, $2, $3::text, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $14
		WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE lower(email) = lower($3::text))`,
		a.ID, a.Name, a.Email, postgres.Null(a.PasswordHash), postgres.Null(a.PasswordSalt), postgres.Null(a.Avatar),
		postgres.Null(a.Language), postgres.Null(a.Theme), postgres.Null(a.Timezone), string(a.Status), null(a.LastLoginAt),
		postgres.Null(a.LastLoginIP), null(a.InitializedAt), a.CreatedAt.UTC())
	if err == nil && tag.RowsAffected() == 0 {
		return errs.New(errs.Conflict, "An account with this email exists.")
	}
	return postgres.Error(err, "Account")
}

// AddTenant stores a workspace with its owner.
func (s *Store) AddTenant(ctx context.Context, t account.Tenant, ownerID string, at time.Time) error {
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error { return addTenant(ctx, tx, t, ownerID, at) })
}

func addTenant(ctx context.Context, tx pgx.Tx, t account.Tenant, ownerID string, at time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO tenants (id, name, encrypt_public_key, plan, status, custom_config, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`,
		t.ID, t.Name, postgres.Null(t.PublicKey), t.Plan, t.Status, postgres.Null(t.CustomConfig), t.CreatedAt.UTC())
	if err != nil {
		return postgres.Error(err, "Workspace")
	}
	return addMember(ctx, tx, t.ID, ownerID, account.Owner, at)
}

// AddMember puts an account into a workspace.
func (s *Store) AddMember(ctx context.Context, tenantID, accountID string, role account.Role, at time.Time) error {
	return addMember(ctx, s.db, tenantID, accountID, role, at)
}

func addMember(ctx context.Context, db postgres.Querier, tenantID, accountID string, role account.Role, at time.Time) error {
	// An account's first workspace becomes its current one.
	_, err := db.Exec(ctx, `INSERT INTO tenant_account_joins (id, tenant_id, account_id, role, current, last_opened_at, created_at, updated_at)
		SELECT $1, $2, $3, $4, NOT EXISTS (SELECT 1 FROM tenant_account_joins j WHERE j.account_id = $3 AND j.current), $5, $5, $5`,
		ids.Random(), tenantID, accountID, string(role), at.UTC())
	return postgres.Error(err, "Member")
}

// Account returns an account by id.
func (s *Store) Account(ctx context.Context, id string) (a account.Account, err error) {
	var n times
	err = s.db.QueryRow(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE a.id = $1`, id).Scan(accountTargets(&a, &n)...)
	n.into(&a)
	return a, postgres.Error(err, "Account")
}

// AccountByEmail returns an account by its address.
func (s *Store) AccountByEmail(ctx context.Context, email string) (a account.Account, err error) {
	var n times
	// Older rows keep the case that was typed; the exact one goes first.
	err = s.db.QueryRow(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE a.email = $1 OR lower(a.email) = $2
		ORDER BY (a.email = $1) DESC LIMIT 1`, email, strings.ToLower(email)).Scan(accountTargets(&a, &n)...)
	n.into(&a)
	return a, postgres.Error(err, "Account")
}

// Principal returns an account with its current workspace.
func (s *Store) Principal(ctx context.Context, accountID string) (p account.Principal, err error) {
	var n times
	targets := append(accountTargets(&p.Account, &n), tenantTargets(&p.Tenant)...)
	err = s.db.QueryRow(ctx, `SELECT `+accountColumns+`, `+tenantColumns+`, j.role
		FROM accounts a
		JOIN tenant_account_joins j ON j.account_id = a.id
		JOIN tenants t ON t.id = j.tenant_id
		WHERE a.id = $1
		ORDER BY j.current DESC, j.created_at, j.id LIMIT 1`, accountID).Scan(append(targets, &p.Role)...)
	n.into(&p.Account)
	if errors.Is(err, pgx.ErrNoRows) {
		if _, err := s.Account(ctx, accountID); err != nil {
			return account.Principal{}, err
		}
		return account.Principal{}, errs.New(errs.AccountNotLinkTenant, "")
	}
	return p, postgres.Error(err, "Account")
}

// Memberships lists an account's workspaces.
func (s *Store) Memberships(ctx context.Context, accountID string) ([]account.Membership, error) {
	rows, err := s.db.Query(ctx, `SELECT `+tenantColumns+`, j.role, j.current, j.last_opened_at
		FROM tenant_account_joins j JOIN tenants t ON t.id = j.tenant_id
		WHERE j.account_id = $1 ORDER BY j.created_at, j.id`, accountID)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	out, err := pgx.CollectRows(rows, scanMembership)
	return out, postgres.Error(err, "")
}

func scanMembership(row pgx.CollectableRow) (m account.Membership, err error) {
	var opened *time.Time
	err = row.Scan(append(tenantTargets(&m.Tenant), &m.Role, &m.Current, &opened)...)
	m.LastOpenedAt = value(opened)
	return m, err
}

// Switch makes a workspace the current one.
func (s *Store) Switch(ctx context.Context, accountID, tenantID string, at time.Time) (m account.Membership, err error) {
	err = postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE tenant_account_joins j SET current = true, last_opened_at = $3, updated_at = $3
			FROM tenants t WHERE j.account_id = $1 AND j.tenant_id = $2 AND t.id = j.tenant_id AND t.status = 'normal'`,
			accountID, tenantID, at.UTC())
		if err := postgres.Affected(tag, err, "Workspace"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE tenant_account_joins SET current = false, updated_at = $3
			WHERE account_id = $1 AND tenant_id <> $2 AND current`, accountID, tenantID, at.UTC()); err != nil {
			return postgres.Error(err, "")
		}
		rows, err := tx.Query(ctx, `SELECT `+tenantColumns+`, j.role, j.current, j.last_opened_at
			FROM tenant_account_joins j JOIN tenants t ON t.id = j.tenant_id WHERE j.account_id = $1 AND j.tenant_id = $2`,
			accountID, tenantID)
		if err != nil {
			return postgres.Error(err, "")
		}
		m, err = pgx.CollectExactlyOneRow(rows, scanMembership)
		return postgres.Error(err, "Workspace")
	})
	return m, err
}

// Members lists a workspace's members.
func (s *Store) Members(ctx context.Context, tenantID string) ([]account.Member, error) {
	rows, err := s.db.Query(ctx, `SELECT `+accountColumns+`, j.role
		FROM tenant_account_joins j JOIN accounts a ON a.id = j.account_id
		WHERE j.tenant_id = $1 ORDER BY j.created_at, j.id`, tenantID)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m account.Member, err error) {
		var n times
		err = row.Scan(append(accountTargets(&m.Account, &n), &m.Role)...)
		n.into(&m.Account)
		return m, err
	})
	return out, postgres.Error(err, "")
}

// LoggedIn notes a login.
func (s *Store) LoggedIn(ctx context.Context, accountID, ip string, at time.Time) error {
	tag, err := s.db.Exec(ctx, `UPDATE accounts SET last_login_at = $2, last_login_ip = $3, last_active_at = $2,
		initialized_at = coalesce(initialized_at, $2), status = CASE WHEN status = 'pending' THEN 'active' ELSE status END
		WHERE id = $1`, accountID, at.UTC(), postgres.Null(ip))
	return postgres.Affected(tag, err, "Account")
}

// UpdateProfile changes an account.
func (s *Store) UpdateProfile(ctx context.Context, accountID string, p account.Profile, at time.Time) (a account.Account, err error) {
	var n times
	err = s.db.QueryRow(ctx, `UPDATE accounts a SET name = coalesce($2, a.name), avatar = coalesce($3, a.avatar),
		interface_language = coalesce($4, a.interface_language), interface_theme = coalesce($5, a.interface_theme),
		timezone = coalesce($6, a.timezone), password = coalesce($7, a.password), password_salt = coalesce($8, a.password_salt),
		updated_at = $9 WHERE a.id = $1 RETURNING `+accountColumns,
		accountID, p.Name, p.Avatar, p.Language, p.Theme, p.Timezone, p.PasswordHash, p.PasswordSalt, at.UTC()).
		Scan(accountTargets(&a, &n)...)
	n.into(&a)
	return a, postgres.Error(err, "Account")
}

// RenameTenant gives a workspace another name.
func (s *Store) RenameTenant(ctx context.Context, tenantID, name string) (t account.Tenant, err error) {
	err = s.db.QueryRow(ctx, `UPDATE tenants t SET name = $2, updated_at = now() WHERE t.id = $1 RETURNING `+tenantColumns,
		tenantID, name).Scan(tenantTargets(&t)...)
	return t, postgres.Error(err, "Workspace")
}
