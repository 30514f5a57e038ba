package identity

import (
	"net/http"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// planShown is what the contract shows as every workspace's plan where there is
// no billing.
const planShown = "sandbox"

type workspaceView struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Plan         string `json:"plan"`
	Status       string `json:"status"`
	CreatedAt    *int64 `json:"created_at"`
	Current      bool   `json:"current"`
	LastOpenedAt *int64 `json:"last_opened_at"`
}

func (a *api) workspaces(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	list, err := a.Accounts.Memberships(r.Context(), p.Account.ID)
	if err != nil {
		return err
	}
	out := []workspaceView{}
	for _, m := range list {
		if m.Tenant.Status != "normal" {
			continue
		}
		out = append(out, workspaceView{
			ID: m.Tenant.ID, Name: m.Tenant.Name, Plan: planShown, Status: m.Tenant.Status,
			CreatedAt: console.Unix(m.Tenant.CreatedAt), Current: m.Tenant.ID == p.Tenant.ID, LastOpenedAt: console.Unix(m.LastOpenedAt),
		})
	}
	return edge.OK(w, map[string]any{"workspaces": out})
}

func (a *api) summary(w http.ResponseWriter, _ *http.Request, p account.Principal) error {
	return edge.OK(w, map[string]any{
		"id": p.Tenant.ID, "name": p.Tenant.Name, "role": p.Role, "plan": planShown, "credits": nil,
	})
}

func tenantView(t account.Tenant, role account.Role) map[string]any {
	return map[string]any{
		"id": t.ID, "name": t.Name, "plan": planShown, "status": t.Status, "created_at": console.Unix(t.CreatedAt), "role": role,
		"in_trial": nil, "trial_end_reason": nil, "custom_config": nil, "trial_credits": nil, "trial_credits_used": nil,
		"trial_credits_exhausted_at": nil, "next_credit_reset_date": nil,
	}
}

func (a *api) switchWorkspace(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	id, err := text(r, "tenant_id", 1, 0)
	if err != nil {
		return err
	}
	if !ids.Valid(id) {
		return errs.New(errs.AccountNotLinkTenant, "")
	}
	m, err := a.Accounts.Switch(r.Context(), p.Account.ID, id)
	if err != nil {
		return err
	}
	return edge.OK(w, map[string]any{"result": "success", "new_tenant": tenantView(m.Tenant, m.Role)})
}

func (a *api) renameWorkspace(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	name, err := text(r, "name", 1, 255)
	if err != nil {
		return err
	}
	t, err := a.Accounts.RenameTenant(r.Context(), p.Tenant.ID, name)
	if err != nil {
		return err
	}
	return edge.OK(w, map[string]any{"result": "success", "tenant": tenantView(t, p.Role)})
}

type memberView struct {
	ID           string              `json:"id"`
	Name         string              `json:"name"`
	Avatar       *string             `json:"avatar"`
	AvatarURL    *string             `json:"avatar_url"`
	Email        string              `json:"email"`
	LastLoginAt  *int64              `json:"last_login_at"`
	LastActiveAt *int64              `json:"last_active_at"`
	CreatedAt    *int64              `json:"created_at"`
	Role         account.Role        `json:"role"`
	Roles        []map[string]string `json:"roles"`
	Status       account.Status      `json:"status"`
}

func (a *api) members(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	list, err := a.Accounts.Members(r.Context(), p.Tenant.ID)
	if err != nil {
		return err
	}
	out := []memberView{}
	for _, m := range list {
		out = append(out, memberView{
			ID: m.Account.ID, Name: m.Account.Name, Avatar: console.OrNil(m.Account.Avatar), AvatarURL: avatarURL(m.Account.Avatar),
			Email: m.Account.Email, LastLoginAt: console.Unix(m.Account.LastLoginAt), LastActiveAt: console.Unix(m.Account.LastActiveAt),
			CreatedAt: console.Unix(m.Account.CreatedAt), Role: m.Role, Roles: []map[string]string{}, Status: m.Account.Status,
		})
	}
	return edge.OK(w, map[string]any{"accounts": out})
}
