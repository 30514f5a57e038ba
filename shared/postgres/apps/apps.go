// Package apps keeps apps, their sites, keys, end users and workflows in the
// contract's tables. It implements app.Store: apps.go has apps, access.go keys
// and end users, workflows.go drafts and versions.
package apps

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
)

// Store implements app.Store.
type Store struct{ db postgres.DB }

var _ app.Store = (*Store)(nil)

// New returns a store on db.
func New(db postgres.DB) *Store { return &Store{db} }

const appColumns = `a.id, a.tenant_id, a.name, a.mode, a.description, coalesce(a.icon_type, ''), coalesce(a.icon, ''),
	coalesce(a.icon_background, ''), a.use_icon_as_answer_icon, a.status, a.enable_site, a.enable_api, a.max_active_requests,
	coalesce(a.app_model_config_id::text, ''), coalesce(a.workflow_id::text, ''), coalesce(a.tracing, ''),
	coalesce(a.created_by::text, ''), coalesce(a.updated_by::text, ''), coalesce(a.maintainer::text, ''), a.created_at, a.updated_at`

func appTargets(a *app.App) []any {
	return []any{
		&a.ID, &a.TenantID, &a.Name, &a.Mode, &a.Description, &a.IconType, &a.Icon,
		&a.IconBackground, &a.UseIconAsAnswerIcon, &a.Status, &a.EnableSite, &a.EnableAPI, &a.MaxActiveRequests,
		&a.ModelConfigID, &a.WorkflowID, &a.Tracing, &a.CreatedBy, &a.UpdatedBy, &a.Maintainer, &a.CreatedAt, &a.UpdatedAt,
	}
}

// CreateApp stores an app with what belongs to it, in one round trip.
func (s *Store) CreateApp(ctx context.Context, a app.App, site app.Site, c *app.ModelConfig) error {
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO apps (id, tenant_id, name, mode, description, icon_type, icon, icon_background,
			use_icon_as_answer_icon, status, enable_site, enable_api, max_active_requests, app_model_config_id, tracing,
			created_by, updated_by, maintainer, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
		a.ID, a.TenantID, a.Name, a.Mode, a.Description, postgres.Null(a.IconType), postgres.Null(a.Icon),
		postgres.Null(a.IconBackground), a.UseIconAsAnswerIcon, a.Status, a.EnableSite, a.EnableAPI, a.MaxActiveRequests,
		postgres.Null(a.ModelConfigID), postgres.Null(a.Tracing), postgres.Null(a.CreatedBy), postgres.Null(a.UpdatedBy),
		postgres.Null(a.Maintainer), a.CreatedAt.UTC(), a.UpdatedAt.UTC())
	if c != nil {
		queueConfig(b, *c)
	}
	b.Queue(`INSERT INTO sites (id, app_id, title, icon_type, icon, icon_background, description, default_language, copyright,
			privacy_policy, customize_domain, customize_token_strategy, prompt_public, status, code, custom_disclaimer,
			show_workflow_steps, chat_color_theme, chat_color_theme_inverted, created_by, updated_by, use_icon_as_answer_icon,
			input_placeholder, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $24)`,
		site.ID, a.ID, site.Title, site.IconType, site.Icon, site.IconBackground, site.Description, site.DefaultLanguage,
		site.Copyright, site.PrivacyPolicy, site.CustomizeDomain, site.CustomizeToken, site.PromptPublic, site.Status,
		site.Code, site.CustomDisclaimer, site.ShowSteps, site.ChatColorTheme, site.ChatColorThemeInverted,
		postgres.Null(site.CreatedBy), postgres.Null(site.UpdatedBy), site.IconAsAnswer, site.InputPlaceholder, site.CreatedAt.UTC())
	// An app is installed in its own workspace from the start.
	b.Queue(`INSERT INTO installed_apps (id, tenant_id, app_id, app_owner_tenant_id, position, is_pinned, created_at)
		VALUES ($1, $2, $3, $2, 0, false, $4)`, ids.Random(), a.TenantID, a.ID, a.CreatedAt.UTC())
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error { return postgres.Error(tx.SendBatch(ctx, b).Close(), "App") })
}

func queueConfig(b *pgx.Batch, c app.ModelConfig) {
	columns := []string{
		"id", "app_id", "opening_statement", "pre_prompt", "prompt_type", "dataset_query_variable",
		"created_by", "updated_by", "created_at", "updated_at",
	}
	args := []any{
		c.ID, c.AppID, c.OpeningStatement, c.PrePrompt, c.PromptType, c.DatasetQueryVariable,
		postgres.Null(c.CreatedBy), postgres.Null(c.UpdatedBy), c.CreatedAt.UTC(), c.UpdatedAt.UTC(),
	}
	for _, name := range app.ConfigParts() {
		columns = append(columns, name)
		args = append(args, postgres.Null(string(c.Parts[name])))
	}
	places := make([]string, len(columns))
	for i := range places {
		places[i] = "$" + strconv.Itoa(i+1)
	}
	b.Queue(`INSERT INTO app_model_configs (`+strings.Join(columns, ", ")+`) VALUES (`+strings.Join(places, ", ")+`)`, args...)
}

// App returns an app.
func (s *Store) App(ctx context.Context, tenantID, id string) (a app.App, err error) {
	err = s.db.QueryRow(ctx, `SELECT `+appColumns+` FROM apps a WHERE a.tenant_id = $1 AND a.id = $2 AND a.status = 'normal'`,
		tenantID, id).Scan(appTargets(&a)...)
	return a, postgres.Error(err, "App")
}

// Apps lists apps.
func (s *Store) Apps(ctx context.Context, tenantID string, f app.Filter) ([]app.App, int, error) {
	order := "a.updated_at DESC, a.id DESC"
	switch f.Sort {
	case "recently_created":
		order = "a.created_at DESC, a.id DESC"
	case "earliest_created":
		order = "a.created_at, a.id"
	}
	mode := f.Mode
	if mode == "all" {
		mode = ""
	}
	rows, err := s.db.Query(ctx, `SELECT `+appColumns+`, count(*) OVER () FROM apps a
		WHERE a.tenant_id = $1 AND a.status = 'normal' AND NOT a.is_universal
		  AND ($2 = '' OR a.mode = $2)
		  AND ($3 = '' OR a.name ILIKE '%' || replace(replace(replace($3, '\', '\\'), '%', '\%'), '_', '\_') || '%')
		  AND (cardinality($4::text[]) = 0 OR a.created_by::text = ANY($4))
		  AND (cardinality($5::text[]) = 0 OR (SELECT count(DISTINCT b.tag_id) FROM tag_bindings b
		       WHERE b.tenant_id = $1 AND b.target_id = a.id AND b.tag_id::text = ANY($5)) = cardinality($5))
		ORDER BY `+order+` LIMIT $6 OFFSET $7`,
		tenantID, mode, f.Name, list(f.Creators), list(f.Tags), f.Limit, (f.Page-1)*f.Limit)
	if err != nil {
		return nil, 0, postgres.Error(err, "")
	}
	var total int
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a app.App, err error) {
		return a, row.Scan(append(appTargets(&a), &total)...)
	})
	return out, total, postgres.Error(err, "")
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// UpdateApp stores an app's fields.
func (s *Store) UpdateApp(ctx context.Context, a app.App) error {
	tag, err := s.db.Exec(ctx, `UPDATE apps SET name = $3, description = $4, icon_type = $5, icon = $6, icon_background = $7,
			use_icon_as_answer_icon = $8, enable_site = $9, enable_api = $10, max_active_requests = $11, tracing = $12,
			updated_by = $13, updated_at = $14
		WHERE tenant_id = $1 AND id = $2 AND status = 'normal'`,
		a.TenantID, a.ID, a.Name, a.Description, postgres.Null(a.IconType), postgres.Null(a.Icon), postgres.Null(a.IconBackground),
		a.UseIconAsAnswerIcon, a.EnableSite, a.EnableAPI, a.MaxActiveRequests, postgres.Null(a.Tracing),
		postgres.Null(a.UpdatedBy), a.UpdatedAt.UTC())
	return postgres.Affected(tag, err, "App")
}

// DeleteApp removes an app and its definition; logs and keys stay for the
// sweep of old rows.
func (s *Store) DeleteApp(ctx context.Context, tenantID, id string) error {
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM apps WHERE tenant_id = $1 AND id = $2`, tenantID, id)
		if err := postgres.Affected(tag, err, "App"); err != nil {
			return err
		}
		// The app was the tenant's, and these rows have no other owner.
		b := &pgx.Batch{}
		for _, table := range []string{
			"sites", "app_model_configs", "workflow_draft_variables", "workflow_version_counters", "app_annotation_settings",
		} {
			b.Queue(`DELETE FROM `+table+` WHERE app_id = $1`, id)
		}
		for _, table := range []string{"workflows", "app_triggers", "workflow_webhook_triggers", "workflow_schedule_plans", "app_stars"} {
			b.Queue(`DELETE FROM `+table+` WHERE tenant_id = $1 AND app_id = $2`, tenantID, id)
		}
		b.Queue(`DELETE FROM installed_apps WHERE app_owner_tenant_id = $1 AND app_id = $2`, tenantID, id)
		b.Queue(`DELETE FROM tag_bindings WHERE tenant_id = $1 AND target_id = $2`, tenantID, id)
		return postgres.Error(tx.SendBatch(ctx, b).Close(), "App")
	})
}

// Tags returns the tags of apps.
func (s *Store) Tags(ctx context.Context, tenantID string, appIDs []string) (map[string][]app.Tag, error) {
	out := map[string][]app.Tag{}
	if len(appIDs) == 0 {
		return out, nil
	}
	rows, err := s.db.Query(ctx, `SELECT b.target_id, t.id, t.name, t.type FROM tag_bindings b
		JOIN tags t ON t.id = b.tag_id AND t.tenant_id = b.tenant_id AND t.type = 'app'
		WHERE b.tenant_id = $1 AND b.target_id::text = ANY($2) ORDER BY t.created_at, t.id`, tenantID, appIDs)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	var id string
	var t app.Tag
	_, err = pgx.ForEachRow(rows, []any{&id, &t.ID, &t.Name, &t.Type}, func() error {
		out[id] = append(out[id], t)
		return nil
	})
	return out, postgres.Error(err, "")
}

// Authors returns accounts by id.
func (s *Store) Authors(ctx context.Context, ids []string) (map[string]app.Author, error) {
	out := map[string]app.Author{}
	rows, err := s.db.Query(ctx, `SELECT id, name, email FROM accounts WHERE id::text = ANY($1)`, list(ids))
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	var a app.Author
	_, err = pgx.ForEachRow(rows, []any{&a.ID, &a.Name, &a.Email}, func() error {
		out[a.ID] = a
		return nil
	})
	return out, postgres.Error(err, "")
}

const siteColumns = `s.id, s.app_id, s.title, s.description, s.icon_type, s.icon, s.icon_background, s.default_language,
	s.copyright, s.privacy_policy, s.custom_disclaimer, s.input_placeholder, s.chat_color_theme, s.chat_color_theme_inverted,
	s.customize_domain, s.customize_token_strategy, s.prompt_public, s.show_workflow_steps, s.use_icon_as_answer_icon,
	s.status, coalesce(s.code, ''), coalesce(s.created_by::text, ''), coalesce(s.updated_by::text, ''), s.created_at, s.updated_at`

func siteTargets(x *app.Site) []any {
	return []any{
		&x.ID, &x.AppID, &x.Title, &x.Description, &x.IconType, &x.Icon, &x.IconBackground, &x.DefaultLanguage,
		&x.Copyright, &x.PrivacyPolicy, &x.CustomDisclaimer, &x.InputPlaceholder, &x.ChatColorTheme, &x.ChatColorThemeInverted,
		&x.CustomizeDomain, &x.CustomizeToken, &x.PromptPublic, &x.ShowSteps, &x.IconAsAnswer,
		&x.Status, &x.Code, &x.CreatedBy, &x.UpdatedBy, &x.CreatedAt, &x.UpdatedAt,
	}
}

// Site returns an app's site.
func (s *Store) Site(ctx context.Context, tenantID, appID string) (x app.Site, err error) {
	err = s.db.QueryRow(ctx, `SELECT `+siteColumns+`
		FROM sites s JOIN apps a ON a.id = s.app_id WHERE a.tenant_id = $1 AND s.app_id = $2`, tenantID, appID).Scan(siteTargets(&x)...)
	return x, postgres.Error(err, "Site")
}

// SaveSite replaces an app's site.
func (s *Store) SaveSite(ctx context.Context, tenantID string, x app.Site) error {
	tag, err := s.db.Exec(ctx, `UPDATE sites s SET title = $3, description = $4, icon_type = $5, icon = $6, icon_background = $7,
			default_language = $8, copyright = $9, privacy_policy = $10, custom_disclaimer = $11, input_placeholder = $12,
			chat_color_theme = $13, chat_color_theme_inverted = $14, customize_domain = $15, customize_token_strategy = $16,
			prompt_public = $17, show_workflow_steps = $18, use_icon_as_answer_icon = $19, code = $20, updated_by = $21, updated_at = $22
		FROM apps a WHERE a.id = s.app_id AND a.tenant_id = $1 AND s.app_id = $2`,
		tenantID, x.AppID, x.Title, x.Description, x.IconType, x.Icon, x.IconBackground, x.DefaultLanguage, x.Copyright,
		x.PrivacyPolicy, x.CustomDisclaimer, x.InputPlaceholder, x.ChatColorTheme, x.ChatColorThemeInverted, x.CustomizeDomain,
		x.CustomizeToken, x.PromptPublic, x.ShowSteps, x.IconAsAnswer, postgres.Null(x.Code), postgres.Null(x.UpdatedBy), x.UpdatedAt.UTC())
	return postgres.Affected(tag, err, "Site")
}

// ModelConfig returns an app's current model config.
func (s *Store) ModelConfig(ctx context.Context, tenantID, appID string) (c app.ModelConfig, err error) {
	names := app.ConfigParts()
	parts := make([]*string, len(names))
	targets := []any{
		&c.ID, &c.AppID, &c.OpeningStatement, &c.PrePrompt, &c.PromptType, &c.DatasetQueryVariable,
		&c.CreatedBy, &c.UpdatedBy, &c.CreatedAt, &c.UpdatedAt,
	}
	columns := ""
	for i, name := range names {
		columns += ", c." + name
		targets = append(targets, &parts[i])
	}
	err = s.db.QueryRow(ctx, `SELECT c.id, c.app_id, c.opening_statement, c.pre_prompt, c.prompt_type, c.dataset_query_variable,
			coalesce(c.created_by::text, ''), coalesce(c.updated_by::text, ''), c.created_at, c.updated_at`+columns+`
		FROM app_model_configs c JOIN apps a ON a.app_model_config_id = c.id AND a.id = c.app_id
		WHERE a.tenant_id = $1 AND a.id = $2`, tenantID, appID).Scan(targets...)
	c.Parts = map[string]json.RawMessage{}
	for i, p := range parts {
		if p != nil && json.Valid([]byte(*p)) {
			c.Parts[names[i]] = json.RawMessage(*p)
		}
	}
	return c, postgres.Error(err, "Model config")
}
