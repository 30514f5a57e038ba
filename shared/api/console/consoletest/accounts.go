// Package consoletest lets tests of the console's routes log in: accounts and
// workspaces in memory, and a client that keeps a session. It is for tests
// only.
package consoletest

import (
	"context"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/errs"
)

// Accounts is an account.Store in memory.
type Accounts struct {
	mu       sync.Mutex
	setupAt  time.Time
	accounts map[string]account.Account
	tenants  map[string]account.Tenant
	joins    []join
}

type join struct {
	tenant, account string
	role            account.Role
	current         bool
	opened          time.Time
}

var _ account.Store = (*Accounts)(nil)

// NewAccounts returns an empty store.
func NewAccounts() *Accounts {
	return &Accounts{accounts: map[string]account.Account{}, tenants: map[string]account.Tenant{}}
}

func missing(what string) error { return errs.New(errs.NotFound, what+" not found.") }

// SetupAt returns when the setup was done.
func (s *Accounts) SetupAt(context.Context) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setupAt, nil
}

// Setup stores the first account with its workspace.
func (s *Accounts) Setup(_ context.Context, _ string, a account.Account, t account.Tenant, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.setupAt.IsZero() {
		return errs.New(errs.AlreadySetup, "")
	}
	s.setupAt, s.accounts[a.ID], s.tenants[t.ID] = at, a, t
	return s.join(t.ID, a.ID, account.Owner, at)
}

// AddAccount stores an account.
func (s *Accounts) AddAccount(_ context.Context, a account.Account) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, have := range s.accounts {
		if strings.EqualFold(have.Email, a.Email) {
			return errs.New(errs.Conflict, "An account with this email exists.")
		}
	}
	s.accounts[a.ID] = a
	return nil
}

// AddTenant stores a workspace with its owner.
func (s *Accounts) AddTenant(_ context.Context, t account.Tenant, ownerID string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenants[t.ID] = t
	return s.join(t.ID, ownerID, account.Owner, at)
}

// AddMember puts an account into a workspace.
func (s *Accounts) AddMember(_ context.Context, tenantID, accountID string, role account.Role, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.join(tenantID, accountID, role, at)
}

func (s *Accounts) join(tenantID, accountID string, role account.Role, at time.Time) error {
	first := true
	for _, j := range s.joins {
		if j.tenant == tenantID && j.account == accountID {
			return errs.New(errs.Conflict, "")
		}
		first = first && (j.account != accountID || !j.current)
	}
	s.joins = append(s.joins, join{tenantID, accountID, role, first, at})
	return nil
}

// Account returns an account by id.
func (s *Accounts) Account(_ context.Context, id string) (account.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[id]
	if !ok {
		return a, missing("Account")
	}
	return a, nil
}

// AccountByEmail returns an account by its address.
func (s *Accounts) AccountByEmail(_ context.Context, email string) (account.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if strings.EqualFold(a.Email, email) {
			return a, nil
		}
	}
	return account.Account{}, missing("Account")
}

// Principal returns an account with its current workspace.
func (s *Accounts) Principal(ctx context.Context, accountID string) (account.Principal, error) {
	a, err := s.Account(ctx, accountID)
	if err != nil {
		return account.Principal{}, err
	}
	list, err := s.Memberships(ctx, accountID)
	if err != nil {
		return account.Principal{}, err
	}
	if len(list) == 0 {
		return account.Principal{}, errs.New(errs.AccountNotLinkTenant, "")
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Current && !list[j].Current })
	return account.Principal{Account: a, Tenant: list[0].Tenant, Role: list[0].Role}, nil
}

// Memberships lists an account's workspaces.
func (s *Accounts) Memberships(_ context.Context, accountID string) (out []account.Membership, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.joins {
		if j.account == accountID {
			out = append(out, s.membership(j))
		}
	}
	return out, nil
}

func (s *Accounts) membership(j join) account.Membership {
	return account.Membership{Tenant: s.tenants[j.tenant], Role: j.role, Current: j.current, LastOpenedAt: j.opened}
}

// Switch makes a workspace the current one.
func (s *Accounts) Switch(_ context.Context, accountID, tenantID string, at time.Time) (account.Membership, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := -1
	for i, j := range s.joins {
		if j.account == accountID && j.tenant == tenantID && s.tenants[tenantID].Status != account.Archived {
			to = i
		}
	}
	if to < 0 {
		return account.Membership{}, missing("Workspace")
	}
	for i := range s.joins {
		if s.joins[i].account == accountID {
			s.joins[i].current = i == to
		}
	}
	s.joins[to].opened = at
	return s.membership(s.joins[to]), nil
}

// Members lists a workspace's members.
func (s *Accounts) Members(_ context.Context, tenantID string) (out []account.Member, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.joins {
		if j.tenant == tenantID {
			out = append(out, account.Member{Account: s.accounts[j.account], Role: j.role})
		}
	}
	return out, nil
}

// LoggedIn notes a login.
func (s *Accounts) LoggedIn(_ context.Context, accountID, ip string, at time.Time) error {
	return s.Edit(accountID, func(a *account.Account) {
		a.LastLoginAt, a.LastLoginIP, a.LastActiveAt = at, ip, at
		if a.Status == account.Pending {
			a.Status = account.Active
		}
	})
}

// UpdateProfile changes an account.
func (s *Accounts) UpdateProfile(ctx context.Context, accountID string, p account.Profile, _ time.Time) (account.Account, error) {
	err := s.Edit(accountID, func(a *account.Account) {
		for _, f := range []struct {
			field *string
			value *string
		}{
			{&a.Name, p.Name}, {&a.Avatar, p.Avatar}, {&a.Language, p.Language}, {&a.Theme, p.Theme}, {&a.Timezone, p.Timezone},
			{&a.PasswordHash, p.PasswordHash}, {&a.PasswordSalt, p.PasswordSalt},
		} {
			if f.value != nil {
				*f.field = *f.value
			}
		}
	})
	if err != nil {
		return account.Account{}, err
	}
	return s.Account(ctx, accountID)
}

// RenameTenant gives a workspace another name.
func (s *Accounts) RenameTenant(_ context.Context, tenantID, name string) (account.Tenant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tenants[tenantID]
	if !ok {
		return t, missing("Workspace")
	}
	t.Name = name
	s.tenants[tenantID] = t
	return t, nil
}

// Edit changes an account in ways that the seam has no method for.
func (s *Accounts) Edit(accountID string, change func(*account.Account)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[accountID]
	if !ok {
		return missing("Account")
	}
	change(&a)
	s.accounts[accountID] = a
	return nil
}
