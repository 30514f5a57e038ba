// Package account is the domain of people and workspaces: the first-time setup,
// passwords, sessions of the console, roles, and which workspace an account
// works in.
//
// It renders nothing and sets no cookies (shared/api/console), keeps no rows
// (Store) and makes no tenant keys (Keys, that is package secretbox). End users
// of apps are not accounts; they belong to package app.
//
// START HERE: Service in service.go.
package account

import (
	"context"
	"time"
)

// Account is a person who may log in.
type Account struct {
	ID            string
	Name          string
	Email         string
	PasswordHash  string
	PasswordSalt  string
	Avatar        string
	Language      string
	Theme         string
	Timezone      string
	Status        Status
	LastLoginAt   time.Time
	LastLoginIP   string
	LastActiveAt  time.Time
	InitializedAt time.Time
	CreatedAt     time.Time
}

// Status is where an account is in its life.
type Status string

// The states of an account.
const (
	Pending       Status = "pending"
	Uninitialized Status = "uninitialized"
	Active        Status = "active"
	Banned        Status = "banned"
	Closed        Status = "closed"
)

// Tenant is a workspace.
type Tenant struct {
	ID           string
	Name         string
	Plan         string
	Status       string
	PublicKey    string
	CustomConfig string
	CreatedAt    time.Time
}

// Archived is the status of workspaces that are read-only.
const Archived = "archive"

// Role says what a member may do in a workspace.
type Role string

// The roles.
const (
	Owner           Role = "owner"
	Admin           Role = "admin"
	Editor          Role = "editor"
	Normal          Role = "normal"
	DatasetOperator Role = "dataset_operator"
)

// CanEdit reports whether the role creates, edits and publishes apps.
func (r Role) CanEdit() bool { return r == Owner || r == Admin || r == Editor }

// IsAdmin reports whether the role manages members and model providers.
func (r Role) IsAdmin() bool { return r == Owner || r == Admin }

// Membership is an account's place in a workspace.
type Membership struct {
	Tenant       Tenant
	Role         Role
	Current      bool
	LastOpenedAt time.Time
}

// Member is a workspace's view of a membership.
type Member struct {
	Account Account
	Role    Role
}

// Principal is who makes a request of the console, and where.
type Principal struct {
	Account Account
	Tenant  Tenant
	Role    Role
}

// Profile are the fields of an account that it may change itself; nil leaves
// one as it is.
type Profile struct {
	Name, Avatar, Language, Theme, Timezone, PasswordHash, PasswordSalt *string
}

// Store keeps accounts and workspaces. The suite is account/accounttest.
type Store interface {
	// SetupAt returns when the first-time setup was done; the zero time when it
	// was not.
	SetupAt(ctx context.Context) (time.Time, error)
	// Setup stores the first account with its workspace, as one change. Codes:
	// AlreadySetup.
	Setup(ctx context.Context, version string, a Account, t Tenant, at time.Time) error
	// AddAccount stores an account. Codes: Conflict.
	AddAccount(ctx context.Context, a Account) error
	// AddTenant stores a workspace and makes the account its owner.
	AddTenant(ctx context.Context, t Tenant, ownerID string, at time.Time) error
	// AddMember puts an account into a workspace. Codes: Conflict.
	AddMember(ctx context.Context, tenantID, accountID string, role Role, at time.Time) error

	// Account returns an account by id. Codes: NotFound.
	Account(ctx context.Context, id string) (Account, error)
	// AccountByEmail returns an account by its address, whatever its case. Codes:
	// NotFound.
	AccountByEmail(ctx context.Context, email string) (Account, error)
	// Principal returns an account with the workspace it works in: the one marked
	// as current, otherwise its oldest. Codes: NotFound (no such account),
	// AccountNotLinkTenant (it has no workspace).
	Principal(ctx context.Context, accountID string) (Principal, error)
	// Memberships lists an account's workspaces, oldest first.
	Memberships(ctx context.Context, accountID string) ([]Membership, error)
	// Switch makes a workspace the account's current one. Codes: NotFound.
	Switch(ctx context.Context, accountID, tenantID string, at time.Time) (Membership, error)
	// Members lists a workspace's members, oldest first.
	Members(ctx context.Context, tenantID string) ([]Member, error)
	// LoggedIn notes a login and makes a pending account active.
	LoggedIn(ctx context.Context, accountID, ip string, at time.Time) error
	// UpdateProfile changes an account. Codes: NotFound.
	UpdateProfile(ctx context.Context, accountID string, p Profile, at time.Time) (Account, error)
	// RenameTenant gives a workspace another name. Codes: NotFound.
	RenameTenant(ctx context.Context, tenantID, name string) (Tenant, error)
}

// Keys makes the key of a new workspace and returns its public half.
type Keys interface {
	GenerateKey(ctx context.Context, tenantID string) (string, error)
}
