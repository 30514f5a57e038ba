package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/mail"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// ContractRelease is the release of the contract that a setup records.
const ContractRelease = "1.16.1"

// maxFailures of logins with one address lock it for Options.Lockout.
const maxFailures = 5

const passportSubject = "Console API Passport"

// Options tunes a Service. The zero value works but for SecretKey.
type Options struct {
	// SecretKey signs tokens. Required.
	SecretKey string
	// Issuer is written into access tokens; "" means SELF_HOSTED.
	Issuer string
	// InitPassword guards the setup when it is set.
	InitPassword string
	// AccessTTL is the life of access and CSRF tokens; 0 means an hour.
	AccessTTL time.Duration
	// RefreshTTL is the life of refresh tokens; 0 means 30 days.
	RefreshTTL time.Duration
	// Lockout is how long an address stays locked; 0 means a day.
	Lockout time.Duration
	// Clock is nil for the machine's.
	Clock clock.Clock
}

// Service answers for accounts, sessions and workspaces.
type Service struct {
	store  Store
	tokens ephemeral.Store
	keys   Keys
	opts   Options
}

// New returns a service.
func New(store Store, tokens ephemeral.Store, keys Keys, opts *Options) *Service {
	s := &Service{store: store, tokens: tokens, keys: keys}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.Issuer == "" {
		s.opts.Issuer = "SELF_HOSTED"
	}
	if s.opts.AccessTTL <= 0 {
		s.opts.AccessTTL = time.Hour
	}
	if s.opts.RefreshTTL <= 0 {
		s.opts.RefreshTTL = 30 * 24 * time.Hour
	}
	if s.opts.Lockout <= 0 {
		s.opts.Lockout = 24 * time.Hour
	}
	if s.opts.Clock == nil {
		s.opts.Clock = clock.System{}
	}
	return s
}

// Tokens are the three tokens of a console session.
type Tokens struct {
	Access, Refresh, CSRF string
	AccessTTL, RefreshTTL time.Duration
}

// SetupInput is what the first-time setup asks for.
type SetupInput struct {
	Email, Name, Password, Language string
	IP                              string
}

// SetupAt returns when the first-time setup was done; the zero time when it was
// not.
func (s *Service) SetupAt(ctx context.Context) (time.Time, error) { return s.store.SetupAt(ctx) }

// NeedsInitPassword reports whether the setup is guarded by a password.
func (s *Service) NeedsInitPassword() bool { return s.opts.InitPassword != "" }

// CheckInitPassword compares the password that guards the setup. Codes:
// InitValidateFailed.
func (s *Service) CheckInitPassword(password string) error {
	if subtle.ConstantTimeCompare([]byte(password), []byte(s.opts.InitPassword)) != 1 {
		return errs.New(errs.InitValidateFailed, "")
	}
	return nil
}

// Setup makes the first account and its workspace. Codes: AlreadySetup,
// InvalidParam.
func (s *Service) Setup(ctx context.Context, in SetupInput) (Principal, error) {
	at, err := s.store.SetupAt(ctx)
	if err != nil {
		return Principal{}, err
	}
	if !at.IsZero() {
		return Principal{}, errs.New(errs.AlreadySetup, "")
	}
	if _, err := mail.ParseAddress(in.Email); err != nil {
		return Principal{}, errs.Newf(errs.InvalidParam, "%s is not a valid email.", in.Email)
	}
	if err := CheckPassword(in.Password); err != nil {
		return Principal{}, err
	}
	a, err := s.newAccount(in)
	if err != nil {
		return Principal{}, err
	}
	t, err := s.newTenant(ctx, a.Name+"'s Workspace")
	if err != nil {
		return Principal{}, err
	}
	if err := s.store.Setup(ctx, ContractRelease, a, t, s.now()); err != nil {
		return Principal{}, err
	}
	return Principal{Account: a, Tenant: t, Role: Owner}, nil
}

func (s *Service) newAccount(in SetupInput) (Account, error) {
	hash, salt, err := HashPassword(in.Password)
	if err != nil {
		return Account{}, err
	}
	if in.Language == "" {
		in.Language = "en-US"
	}
	return Account{
		ID: ids.Random(), Name: in.Name, Email: strings.ToLower(in.Email), PasswordHash: hash, PasswordSalt: salt,
		Language: in.Language, Theme: "light", Timezone: timezoneOf(in.Language), Status: Active,
		LastLoginIP: in.IP, InitializedAt: s.now(), CreatedAt: s.now(), LastActiveAt: s.now(),
	}, nil
}

func (s *Service) newTenant(ctx context.Context, name string) (Tenant, error) {
	t := Tenant{ID: ids.Random(), Name: name, Plan: "basic", Status: "normal", CreatedAt: s.now()}
	key, err := s.keys.GenerateKey(ctx, t.ID)
	t.PublicKey = key
	return t, err
}

// AddOwner makes a further account with a workspace of its own, for operators:
// the HTTP API has no way to do this while registration is closed.
func (s *Service) AddOwner(ctx context.Context, in SetupInput) (Principal, error) {
	if err := CheckPassword(in.Password); err != nil {
		return Principal{}, err
	}
	a, err := s.newAccount(in)
	if err != nil {
		return Principal{}, err
	}
	t, err := s.newTenant(ctx, a.Name+"'s Workspace")
	if err != nil {
		return Principal{}, err
	}
	if err := s.store.AddAccount(ctx, a); err != nil {
		return Principal{}, err
	}
	return Principal{Account: a, Tenant: t, Role: Owner}, s.store.AddTenant(ctx, t, a.ID, s.now())
}

// Login checks a password and opens a session. Codes: AuthenticationFailed,
// EmailCodeLoginLimit, AccountBanned, AccountNotLinkTenant.
func (s *Service) Login(ctx context.Context, email, password, ip string) (Tokens, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	failures := "login_error_rate_limit:" + email
	if n, err := s.tokens.Get(ctx, lockKey(email)); err == nil && n != "" {
		return Tokens{}, errs.New(errs.EmailCodeLoginLimit, "")
	} else if err != nil && !errs.Is(err, errs.NotFound) {
		return Tokens{}, err
	}
	a, err := s.store.AccountByEmail(ctx, email)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return Tokens{}, err
	}
	// An unknown address costs as much time as a wrong password.
	if known := err == nil; !a.hasPassword(password) || !known {
		if known {
			if err := s.failed(ctx, email, failures); err != nil {
				return Tokens{}, err
			}
		}
		return Tokens{}, errs.New(errs.AuthenticationFailed, "Invalid email or password.")
	}
	if a.Status == Banned || a.Status == Closed {
		return Tokens{}, errs.New(errs.AccountBanned, "")
	}
	if _, err := s.store.Principal(ctx, a.ID); err != nil {
		return Tokens{}, err
	}
	if err := s.store.LoggedIn(ctx, a.ID, ip, s.now()); err != nil {
		return Tokens{}, err
	}
	if err := s.tokens.Delete(ctx, failures); err != nil {
		return Tokens{}, err
	}
	return s.open(ctx, a.ID)
}

func lockKey(email string) string { return "login_locked:" + email }

func (s *Service) failed(ctx context.Context, email, counter string) error {
	n, err := s.tokens.Increment(ctx, counter, s.opts.Lockout)
	if err == nil && n >= maxFailures {
		err = errors.Join(s.tokens.Set(ctx, lockKey(email), "1", s.opts.Lockout), s.tokens.Delete(ctx, counter))
	}
	return err
}

// open makes the tokens of a new session; an account has one refresh token.
func (s *Service) open(ctx context.Context, accountID string) (Tokens, error) {
	raw := make([]byte, 64)
	if _, err := rand.Read(raw); err != nil {
		return Tokens{}, err
	}
	t := Tokens{Refresh: hex.EncodeToString(raw), AccessTTL: s.opts.AccessTTL, RefreshTTL: s.opts.RefreshTTL}
	exp := jwt.NewNumericDate(s.opts.Clock.Now().Add(s.opts.AccessTTL))
	var err error
	if t.Access, err = s.sign(jwt.MapClaims{
		"user_id": accountID, "exp": exp, "iss": s.opts.Issuer, "sub": passportSubject,
	}); err != nil {
		return Tokens{}, err
	}
	if t.CSRF, err = s.sign(jwt.MapClaims{"exp": exp, "sub": accountID}); err != nil {
		return Tokens{}, err
	}
	if old, err := s.tokens.Get(ctx, accountKey(accountID)); err == nil {
		if err := s.tokens.Delete(ctx, refreshKey(old)); err != nil {
			return Tokens{}, err
		}
	}
	if err := s.tokens.Set(ctx, refreshKey(t.Refresh), accountID, s.opts.RefreshTTL); err != nil {
		return Tokens{}, err
	}
	return t, s.tokens.Set(ctx, accountKey(accountID), t.Refresh, s.opts.RefreshTTL)
}

func refreshKey(token string) string { return "refresh_token:" + token }
func accountKey(id string) string    { return "account_refresh_token:" + id }

func (s *Service) sign(claims jwt.MapClaims) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(s.opts.SecretKey))
}

// Refresh exchanges a refresh token for a new session. The old token is used
// up. Codes: Unauthorized.
func (s *Service) Refresh(ctx context.Context, refreshToken string) (Tokens, error) {
	if refreshToken == "" {
		return Tokens{}, errs.New(errs.Unauthorized, "Invalid refresh token")
	}
	id, err := s.tokens.Take(ctx, refreshKey(refreshToken))
	if errs.Is(err, errs.NotFound) {
		return Tokens{}, errs.New(errs.Unauthorized, "Invalid refresh token")
	}
	if err != nil {
		return Tokens{}, err
	}
	a, err := s.store.Account(ctx, id)
	if err != nil || a.Status == Banned || a.Status == Closed {
		return Tokens{}, errs.New(errs.Unauthorized, "Invalid account")
	}
	return s.open(ctx, id)
}

// Logout ends an account's session.
func (s *Service) Logout(ctx context.Context, accountID string) error {
	token, err := s.tokens.Get(ctx, accountKey(accountID))
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.tokens.Delete(ctx, refreshKey(token), accountKey(accountID))
}

// Authenticate returns who an access token speaks for. Codes: Unauthorized,
// AccountNotInitialized, AccountNotLinkTenant.
func (s *Service) Authenticate(ctx context.Context, accessToken string) (Principal, error) {
	claims, err := s.verify(accessToken)
	if err != nil {
		return Principal{}, err
	}
	id, _ := claims["user_id"].(string)
	if id == "" || claims["sub"] != passportSubject {
		return Principal{}, errs.New(errs.Unauthorized, "Invalid Authorization token.")
	}
	p, err := s.store.Principal(ctx, id)
	switch {
	case errs.Is(err, errs.NotFound):
		return Principal{}, errs.New(errs.Unauthorized, "Invalid Authorization token.")
	case err != nil:
		return Principal{}, err
	case p.Account.Status == Banned || p.Account.Status == Closed:
		return Principal{}, errs.New(errs.Unauthorized, "Account is banned.")
	case p.Account.Status == Uninitialized:
		return Principal{}, errs.New(errs.AccountNotInitialized, "")
	}
	return p, nil
}

// CheckCSRF reports whether the header repeats the cookie and the token is a
// live one of the account. Codes: Unauthorized.
func (s *Service) CheckCSRF(cookie, header, accountID string) error {
	bad := errs.New(errs.Unauthorized, "CSRF token is missing or invalid.")
	if cookie == "" || subtle.ConstantTimeCompare([]byte(cookie), []byte(header)) != 1 {
		return bad
	}
	claims, err := s.verify(cookie)
	if err != nil || claims["sub"] != accountID {
		return bad
	}
	return nil
}

func (s *Service) verify(token string) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return []byte(s.opts.SecretKey), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(s.opts.Clock.Now))
	switch {
	case err == nil:
		return claims, nil
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, errs.New(errs.Unauthorized, "Token has expired.")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return nil, errs.New(errs.Unauthorized, "Invalid token signature.")
	}
	return nil, errs.New(errs.Unauthorized, "Invalid token.")
}

func (s *Service) now() time.Time { return s.opts.Clock.Now().UTC() }
