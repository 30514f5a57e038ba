package account_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/api/console/consoletest"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
)

type keys struct{}

func (keys) GenerateKey(_ context.Context, tenantID string) (string, error) {
	return "PEM of " + tenantID, nil
}

type world struct {
	*account.Service
	clock *clock.Fake
	store *consoletest.Accounts
	owner account.Principal
}

func setup(t *testing.T) world {
	t.Helper()
	c := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	store := consoletest.NewAccounts()
	s := account.New(store, ephemeral.NewMemory(c), keys{}, &account.Options{SecretKey: strings.Repeat("k", 32), Clock: c, InitPassword: "init"})
	p, err := s.Setup(t.Context(), account.SetupInput{Email: "Owner@x.co", Name: "Owner", Password: "passw0rd"})
	require.NoError(t, err)
	return world{s, c, store, p}
}

func TestSetup(t *testing.T) {
	t.Parallel()
	w := setup(t)
	require.Equal(t, "PEM of "+w.owner.Tenant.ID, w.owner.Tenant.PublicKey)
	require.Equal(t, "America/New_York", w.owner.Account.Timezone)
	require.Equal(t, "owner@x.co", w.owner.Account.Email)
	_, err := w.Setup(t.Context(), account.SetupInput{Email: "b@x.co", Name: "B", Password: "passw0rd"})
	require.True(t, errs.Is(err, errs.AlreadySetup))
	require.NoError(t, w.CheckInitPassword("init"))
	require.True(t, errs.Is(w.CheckInitPassword("other"), errs.InitValidateFailed))
}

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	for password, ok := range map[string]bool{
		"passw0rd": true, "short1a": false, "onlyletters": false, "12345678": false, "päss w0rd": true, "": false,
	} {
		require.Equal(t, ok, account.CheckPassword(password) == nil, password)
	}
	hash, salt, err := account.HashPassword("passw0rd")
	require.NoError(t, err)
	again, _, err := account.HashPassword("passw0rd")
	require.NoError(t, err)
	require.NotEqual(t, hash, again, "salts are random")
	require.Len(t, salt, 24)
	require.Len(t, hash, 88)
}

func TestSession(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	first, err := w.Login(ctx, " OWNER@x.co ", "passw0rd", "1.2.3.4")
	require.NoError(t, err)
	require.Len(t, first.Refresh, 128)
	p, err := w.Authenticate(ctx, first.Access)
	require.NoError(t, err)
	require.Equal(t, w.owner.Account.ID, p.Account.ID)
	require.Equal(t, "1.2.3.4", p.Account.LastLoginIP)
	require.NoError(t, w.CheckCSRF(first.CSRF, first.CSRF, p.Account.ID))
	for _, bad := range [][3]string{
		{first.CSRF, "", p.Account.ID}, {"", "", p.Account.ID}, {first.CSRF, first.CSRF, "other"},
		{first.Access, first.Access, p.Account.ID}, {"x", "x", p.Account.ID},
	} {
		require.True(t, errs.Is(w.CheckCSRF(bad[0], bad[1], bad[2]), errs.Unauthorized), "%v", bad)
	}
	_, err = w.Authenticate(ctx, first.CSRF)
	require.True(t, errs.Is(err, errs.Unauthorized), "a CSRF token is no access token")

	second, err := w.Refresh(ctx, first.Refresh)
	require.NoError(t, err)
	_, err = w.Refresh(ctx, first.Refresh)
	require.True(t, errs.Is(err, errs.Unauthorized), "a refresh token works once")
	w.clock.Advance(61 * time.Minute)
	_, err = w.Authenticate(ctx, second.Access)
	require.ErrorContains(t, err, "Token has expired.")
	require.NoError(t, w.Logout(ctx, p.Account.ID))
	require.NoError(t, w.Logout(ctx, p.Account.ID))
	_, err = w.Refresh(ctx, second.Refresh)
	require.True(t, errs.Is(err, errs.Unauthorized))
	_, err = w.Authenticate(ctx, second.Access[:len(second.Access)-2]+"xx")
	require.True(t, errs.Is(err, errs.Unauthorized))
}

func TestLockout(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	for range 4 {
		_, err := w.Login(ctx, "owner@x.co", "wrong", "")
		require.True(t, errs.Is(err, errs.AuthenticationFailed))
	}
	_, err := w.Login(ctx, "owner@x.co", "passw0rd", "")
	require.NoError(t, err, "a success forgives failures")
	for range 5 {
		_, err := w.Login(ctx, "owner@x.co", "wrong", "")
		require.True(t, errs.Is(err, errs.AuthenticationFailed))
	}
	_, err = w.Login(ctx, "owner@x.co", "passw0rd", "")
	require.True(t, errs.Is(err, errs.EmailCodeLoginLimit))
	w.clock.Advance(25 * time.Hour)
	_, err = w.Login(ctx, "owner@x.co", "passw0rd", "")
	require.NoError(t, err)
	_, err = w.Login(ctx, "nobody@x.co", "passw0rd", "")
	require.True(t, errs.Is(err, errs.AuthenticationFailed))
}

// A row as another server of the contract stores it must keep opening the door.
func TestPasswordOfAnAttachedDatabase(t *testing.T) {
	t.Parallel()
	w := setup(t)
	require.NoError(t, w.store.Edit(w.owner.Account.ID, func(a *account.Account) {
		a.PasswordHash = "MjdmYzI3ZGNiMjY1YTAwN2JhM2I1OTZmZmY0ZjExNjhlMGNiZTdiNjhmNGEzNzgwY2I0YjkyOTQ3ODhkNmZmYQ=="
		a.PasswordSalt = "AAECAwQFBgcICQoLDA0ODw=="
	}))
	_, err := w.Login(t.Context(), "owner@x.co", "passw0rd", "")
	require.NoError(t, err)
}

func TestBannedAndChangedPassword(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	tokens, err := w.Login(ctx, "owner@x.co", "passw0rd", "")
	require.NoError(t, err)
	_, err = w.ChangePassword(ctx, w.owner.Account, "wrong", "n3wpassword")
	require.True(t, errs.Is(err, errs.CurrentPasswordIncorrect))
	_, err = w.ChangePassword(ctx, w.owner.Account, "passw0rd", "weak")
	require.True(t, errs.Is(err, errs.InvalidParam))
	_, err = w.ChangePassword(ctx, w.owner.Account, "passw0rd", "n3wpassword")
	require.NoError(t, err)
	_, err = w.Login(ctx, "owner@x.co", "n3wpassword", "")
	require.NoError(t, err)
	require.NoError(t, w.store.Edit(w.owner.Account.ID, func(a *account.Account) { a.Status = account.Banned }))
	_, err = w.Login(ctx, "owner@x.co", "n3wpassword", "")
	require.True(t, errs.Is(err, errs.AccountBanned))
	_, err = w.Authenticate(ctx, tokens.Access)
	require.True(t, errs.Is(err, errs.Unauthorized))
}

func TestSwitchToAForeignWorkspace(t *testing.T) {
	t.Parallel()
	w := setup(t)
	other, err := w.AddOwner(t.Context(), account.SetupInput{Email: "o@x.co", Name: "Other", Password: "passw0rd"})
	require.NoError(t, err)
	_, err = w.Switch(t.Context(), w.owner.Account.ID, other.Tenant.ID)
	require.True(t, errs.Is(err, errs.AccountNotLinkTenant))
}
