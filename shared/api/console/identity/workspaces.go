package identity

import (
	"net/http"
	"strings"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// plan is what the contract calls every workspace's plan where nobody is
// billed, whatever its row says.
const plan = "sandbox"

type workspace struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Plan         string `json:"plan"`
	Status       string `json:"status"`
	CreatedAt    *int64 `json:"created_at"`
	LastOpenedAt *int64 `json:"last_opened_at"`
	Current      bool   `json:"current"`
}

func (a *api) workspaces(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	joined, err := a.Accounts.Memberships(r.Context(), p.Account.ID)
	if err != nil {
		return err
	}
	list := make([]workspace, 0, len(joined))
	for _, m := range joined {
		if m.Tenant.Status == account.Archived {
			continue
		}
		list = append(list, workspace{
			ID: m.Tenant.ID, Name: m.Tenant.Name, Plan: plan, Status: m.Tenant.Status, CreatedAt: unix(m.Tenant.CreatedAt),
			LastOpenedAt: unix(m.LastOpenedAt), Current: m.Tenant.ID == p.Tenant.ID,
		})
	}
	return edge.OK(w, map[string]any{"workspaces": list})
}

// tenantAnswer is a workspace in the answers to changes. What concerns trials
// and credits has no meaning here and is null.
type tenantAnswer struct {
	ID                      string  `json:"id"`
	Name                    string  `json:"name"`
	Plan                    string  `json:"plan"`
	Status                  string  `json:"status"`
	CreatedAt               *int64  `json:"created_at"`
	Role                    *string `json:"role"`
	InTrial                 *bool   `json:"in_trial"`
	TrialEndReason          *string `json:"trial_end_reason"`
	CustomConfig            any     `json:"custom_config"`
	TrialCredits            *int    `json:"trial_credits"`
	TrialCreditsUsed        *int    `json:"trial_credits_used"`
	TrialCreditsExhaustedAt *int64  `json:"trial_credits_exhausted_at"`
	NextCreditResetDate     *int64  `json:"next_credit_reset_date"`
}

func describe(t *account.Tenant, role account.Role) tenantAnswer {
	return tenantAnswer{
		ID: t.ID, Name: t.Name, Plan: plan, Status: t.Status, CreatedAt: unix(t.CreatedAt), Role: orNull(string(role)),
	}
}

type switchBody struct {
	TenantID *string `json:"tenant_id"`
}

// Validate reports missing and unfit fields.
func (b *switchBody) Validate() error {
	var p edge.Problems
	p.Require("tenant_id", b.TenantID != nil)
	return p.Err()
}

func (a *api) switchWorkspace(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var b switchBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	if !ids.Valid(*b.TenantID) {
		return errs.New(errs.AccountNotLinkTenant, "")
	}
	m, err := a.Accounts.Switch(r.Context(), p.Account.ID, *b.TenantID)
	if err != nil {
		return err
	}
	return edge.OK(w, map[string]any{"result": "success", "new_tenant": describe(&m.Tenant, m.Role)})
}

type workspaceBody struct {
	Name string `json:"name"`
}

// Validate reports missing and unfit fields.
func (b *workspaceBody) Validate() error {
	var p edge.Problems
	p.Length("name", strings.TrimSpace(b.Name), 1, 255)
	return p.Err()
}

func (a *api) renameWorkspace(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var b workspaceBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	t, err := a.Accounts.RenameTenant(r.Context(), p.Tenant.ID, b.Name)
	if err != nil {
		return err
	}
	return edge.OK(w, map[string]any{"result": "success", "tenant": describe(&t, p.Role)})
}

type summaryAnswer struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Role    string `json:"role"`
	Plan    string `json:"plan"`
	Credits *int   `json:"credits"`
}

func summary(w http.ResponseWriter, _ *http.Request, p account.Principal) error {
	if p.Tenant.Status == account.Archived {
		return errs.New(errs.Conflict, "The current workspace has been archived.")
	}
	return edge.OK(w, summaryAnswer{ID: p.Tenant.ID, Name: p.Tenant.Name, Role: string(p.Role), Plan: plan})
}

type member struct {
	ID           string              `json:"id"`
	Name         string              `json:"name"`
	Avatar       *string             `json:"avatar"`
	AvatarURL    *string             `json:"avatar_url"`
	Email        string              `json:"email"`
	LastLoginAt  *int64              `json:"last_login_at"`
	LastActiveAt *int64              `json:"last_active_at"`
	CreatedAt    *int64              `json:"created_at"`
	Role         string              `json:"role"`
	Roles        []map[string]string `json:"roles"`
	Status       string              `json:"status"`
}

func isDatasetOperator(r account.Role) bool { return r == account.DatasetOperator }

// members lists who works in the workspace; a nil filter takes all roles.
func (a *api) members(filter func(account.Role) bool) console.Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		all, err := a.Accounts.Members(r.Context(), p.Tenant.ID)
		if err != nil {
			return err
		}
		list := make([]member, 0, len(all))
		for i := range all {
			m := &all[i]
			if filter != nil && !filter(m.Role) {
				continue
			}
			picture, err := a.pictureOf(r.Context(), p.Tenant.ID, &m.Account)
			if err != nil {
				return err
			}
			list = append(list, member{
				ID: m.Account.ID, Name: m.Account.Name, Avatar: orNull(m.Account.Avatar), AvatarURL: picture,
				Email: m.Account.Email, LastLoginAt: unix(m.Account.LastLoginAt), LastActiveAt: unix(m.Account.LastActiveAt),
				CreatedAt: unix(m.Account.CreatedAt), Role: string(m.Role), Roles: []map[string]string{},
				Status: string(m.Account.Status),
			})
		}
		return edge.OK(w, map[string]any{"accounts": list})
	}
}
