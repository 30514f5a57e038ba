package account

import (
	"context"

	"github.com/millrace/millrace/shared/errs"
)

// Memberships lists the workspaces of an account.
func (s *Service) Memberships(ctx context.Context, accountID string) ([]Membership, error) {
	return s.store.Memberships(ctx, accountID)
}

// Members lists the members of a workspace.
func (s *Service) Members(ctx context.Context, tenantID string) ([]Member, error) {
	return s.store.Members(ctx, tenantID)
}

// Switch makes a workspace the account's current one. Codes: AccountNotLinkTenant.
func (s *Service) Switch(ctx context.Context, accountID, tenantID string) (Membership, error) {
	m, err := s.store.Switch(ctx, accountID, tenantID, s.now())
	if errs.Is(err, errs.NotFound) {
		return m, errs.New(errs.AccountNotLinkTenant, "")
	}
	return m, err
}

// RenameTenant gives a workspace another name.
func (s *Service) RenameTenant(ctx context.Context, tenantID, name string) (Tenant, error) {
	return s.store.RenameTenant(ctx, tenantID, name)
}

// Update changes what an account may change of itself. Passwords go through
// ChangePassword.
func (s *Service) Update(ctx context.Context, accountID string, p Profile) (Account, error) {
	p.PasswordHash, p.PasswordSalt = nil, nil
	return s.store.UpdateProfile(ctx, accountID, p, s.now())
}

// ChangePassword replaces a password. Codes: CurrentPasswordIncorrect,
// InvalidParam.
func (s *Service) ChangePassword(ctx context.Context, a Account, current, next string) (Account, error) {
	if a.PasswordHash != "" && !a.hasPassword(current) {
		return Account{}, errs.New(errs.CurrentPasswordIncorrect, "")
	}
	if err := CheckPassword(next); err != nil {
		return Account{}, err
	}
	hash, salt, err := HashPassword(next)
	if err != nil {
		return Account{}, err
	}
	return s.store.UpdateProfile(ctx, a.ID, Profile{PasswordHash: &hash, PasswordSalt: &salt}, s.now())
}

// Languages are the interface languages of the contract with the time zone that
// a new account of that language gets.
func Languages() map[string]string {
	return map[string]string{
		"en-US": "America/New_York", "zh-Hans": "Asia/Shanghai", "zh-Hant": "Asia/Taipei", "pt-BR": "America/Sao_Paulo",
		"es-ES": "Europe/Madrid", "fr-FR": "Europe/Paris", "de-DE": "Europe/Berlin", "ja-JP": "Asia/Tokyo",
		"ko-KR": "Asia/Seoul", "ru-RU": "Europe/Moscow", "it-IT": "Europe/Rome", "uk-UA": "Europe/Kyiv",
		"vi-VN": "Asia/Ho_Chi_Minh", "ro-RO": "Europe/Bucharest", "pl-PL": "Europe/Warsaw", "hi-IN": "Asia/Kolkata",
		"tr-TR": "Europe/Istanbul", "fa-IR": "Asia/Tehran", "sl-SI": "Europe/Ljubljana", "th-TH": "Asia/Bangkok",
		"id-ID": "Asia/Jakarta", "ar-TN": "Africa/Tunis", "nl-NL": "Europe/Amsterdam",
	}
}

func timezoneOf(language string) string {
	if zone, ok := Languages()[language]; ok {
		return zone
	}
	return "UTC"
}
