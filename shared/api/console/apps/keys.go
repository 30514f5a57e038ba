package apps

import (
	"net/http"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
)

func viewKey(t app.Token) map[string]any {
	return map[string]any{
		"id": t.ID, "type": t.Type, "token": t.Token, "last_used_at": unix(t.LastUsedAt), "created_at": unix(t.CreatedAt),
	}
}

func (a *api) keys(w http.ResponseWriter, r *http.Request, p account.Principal, kind, appID string) error {
	list, err := a.Apps.Tokens(r.Context(), p.Tenant.ID, kind, appID)
	if err != nil {
		return err
	}
	out := make([]map[string]any, len(list))
	for i, t := range list {
		out[i] = viewKey(t)
	}
	return edge.OK(w, map[string]any{"data": out})
}

func (a *api) addKey(w http.ResponseWriter, r *http.Request, p account.Principal, status int, kind, appID string) error {
	t, err := a.Apps.CreateToken(r.Context(), p.Tenant.ID, kind, appID)
	if errs.Is(err, errs.Conflict) { // the contract's body has no code here
		return edge.JSON(w, http.StatusBadRequest, map[string]string{
			"message": errs.Public(err).Message, "custom": "max_keys_exceeded",
		})
	}
	if err != nil {
		return err
	}
	return edge.JSON(w, status, viewKey(t))
}

func (a *api) dropKey(w http.ResponseWriter, r *http.Request, p account.Principal, kind, appID string) error {
	err := a.Apps.DeleteToken(r.Context(), p.Tenant.ID, kind, appID, r.PathValue("api_key_id"))
	if errs.Is(err, errs.NotFound) { // nor here
		return edge.JSON(w, http.StatusNotFound, map[string]string{"message": "API key not found"})
	}
	if err != nil {
		return err
	}
	return edge.NoContent(w)
}

func (a *api) listKeys(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	return a.keys(w, r, p, app.TokenApp, x.ID)
}

func (a *api) createKey(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	return a.addKey(w, r, p, http.StatusCreated, app.TokenApp, x.ID)
}

func (a *api) deleteKey(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	return a.dropKey(w, r, p, app.TokenApp, x.ID)
}

func (a *api) listDatasetKeys(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	return a.keys(w, r, p, app.TokenDataset, "")
}

func (a *api) createDatasetKey(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	return a.addKey(w, r, p, http.StatusOK, app.TokenDataset, "")
}

func (a *api) deleteDatasetKey(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	return a.dropKey(w, r, p, app.TokenDataset, "")
}
