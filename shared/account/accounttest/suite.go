// Package accounttest is the suite that every account.Store passes. It is for
// tests only.
package accounttest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// Run runs the suite. open returns a store that was empty before the suite; all
// tests may share it.
func Run(t *testing.T, open func(t *testing.T) account.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, account.Store){
		"Setup": testSetup, "Accounts": testAccounts, "Workspaces": testWorkspaces, "Profile": testProfile,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func at(minute int) time.Time { return time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC) }

func person(email string) account.Account {
	return account.Account{ID: ids.Random(), Name: "N " + email, Email: email, PasswordHash: "h", PasswordSalt: "s",
		Language: "en-US", Theme: "light", Timezone: "UTC", Status: account.Active, CreatedAt: at(0), LastActiveAt: at(0)}
}

func place(name string) account.Tenant {
	return account.Tenant{ID: ids.Random(), Name: name, Plan: "basic", Status: "normal", PublicKey: "PEM", CreatedAt: at(0)}
}

func testSetup(t *testing.T, s account.Store) {
	t.Helper()
	ctx := t.Context()
	done, err := s.SetupAt(ctx)
	require.NoError(t, err)
	require.True(t, done.IsZero())
	var wg sync.WaitGroup
	results := make([]error, 4)
	for i := range results {
		wg.Go(func() { results[i] = s.Setup(ctx, "1", person("a@b.co"), place("P"), at(1)) })
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		require.True(t, errs.Is(err, errs.AlreadySetup), "%v", err)
	}
	require.Equal(t, 1, won)
	done, err = s.SetupAt(ctx)
	require.NoError(t, err)
	require.True(t, done.Equal(at(1)))
	a, err := s.AccountByEmail(ctx, "A@B.co")
	require.NoError(t, err)
	p, err := s.Principal(ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, account.Owner, p.Role)
	require.Equal(t, "P", p.Tenant.Name)
	require.Equal(t, "PEM", p.Tenant.PublicKey)
}

func testAccounts(t *testing.T, s account.Store) {
	t.Helper()
	ctx := t.Context()
	a := person("x@y.co")
	require.NoError(t, s.AddAccount(ctx, a))
	again := person("X@y.co")
	require.True(t, errs.Is(s.AddAccount(ctx, again), errs.Conflict))
	got, err := s.Account(ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, a.Email, got.Email)
	require.Equal(t, "h", got.PasswordHash)
	require.True(t, got.LastLoginAt.IsZero())
	_, err = s.Account(ctx, ids.Random())
	require.True(t, errs.Is(err, errs.NotFound))
	_, err = s.AccountByEmail(ctx, "nobody@y.co")
	require.True(t, errs.Is(err, errs.NotFound))
	_, err = s.Principal(ctx, a.ID)
	require.True(t, errs.Is(err, errs.AccountNotLinkTenant))
	_, err = s.Principal(ctx, ids.Random())
	require.True(t, errs.Is(err, errs.NotFound))
}

func testWorkspaces(t *testing.T, s account.Store) {
	t.Helper()
	ctx := t.Context()
	a, b := person("a@y.co"), person("b@y.co")
	require.NoError(t, s.AddAccount(ctx, a))
	require.NoError(t, s.AddAccount(ctx, b))
	one, two := place("one"), place("two")
	require.NoError(t, s.AddTenant(ctx, one, a.ID, at(1)))
	require.NoError(t, s.AddTenant(ctx, two, b.ID, at(2)))
	require.NoError(t, s.AddMember(ctx, two.ID, a.ID, account.Editor, at(3)))
	require.True(t, errs.Is(s.AddMember(ctx, two.ID, a.ID, account.Normal, at(3)), errs.Conflict))

	p, err := s.Principal(ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, one.ID, p.Tenant.ID)
	m, err := s.Switch(ctx, a.ID, two.ID, at(4))
	require.NoError(t, err)
	require.Equal(t, account.Editor, m.Role)
	require.True(t, m.Current)
	require.True(t, m.LastOpenedAt.Equal(at(4)))
	p, err = s.Principal(ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, two.ID, p.Tenant.ID)
	require.Equal(t, account.Editor, p.Role)
	_, err = s.Switch(ctx, b.ID, one.ID, at(5))
	require.True(t, errs.Is(err, errs.NotFound), "a workspace that is not b's")

	list, err := s.Memberships(ctx, a.ID)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []bool{false, true}, []bool{list[0].Current, list[1].Current})
	members, err := s.Members(ctx, two.ID)
	require.NoError(t, err)
	require.Len(t, members, 2)
	require.Equal(t, []string{b.ID, a.ID}, []string{members[0].Account.ID, members[1].Account.ID})
	renamed, err := s.RenameTenant(ctx, one.ID, "uno")
	require.NoError(t, err)
	require.Equal(t, "uno", renamed.Name)
	_, err = s.RenameTenant(ctx, ids.Random(), "x")
	require.True(t, errs.Is(err, errs.NotFound))
}

func testProfile(t *testing.T, s account.Store) {
	t.Helper()
	ctx := t.Context()
	a := person("p@y.co")
	a.Status = account.Pending
	require.NoError(t, s.AddAccount(ctx, a))
	require.NoError(t, s.LoggedIn(ctx, a.ID, "10.0.0.1", at(7)))
	got, err := s.Account(ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, account.Active, got.Status)
	require.Equal(t, "10.0.0.1", got.LastLoginIP)
	require.True(t, got.LastLoginAt.Equal(at(7)))
	name, hash := "New", "h2"
	got, err = s.UpdateProfile(ctx, a.ID, account.Profile{Name: &name, PasswordHash: &hash}, at(8))
	require.NoError(t, err)
	require.Equal(t, "New", got.Name)
	require.Equal(t, "h2", got.PasswordHash)
	require.Equal(t, "s", got.PasswordSalt)
	require.Equal(t, "UTC", got.Timezone)
	_, err = s.UpdateProfile(ctx, ids.Random(), account.Profile{Name: &name}, at(8))
	require.True(t, errs.Is(err, errs.NotFound))
}
