package app

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// DefaultLLM is a workspace's default language model.
type DefaultLLM struct {
	Provider, Model string
	Mode            string // chat or completion
	Params          json.RawMessage
}

// Options tunes a Service. The zero value works.
type Options struct {
	// Clock is nil for the machine's.
	Clock clock.Clock
	// KeyTTL is how long what a key opens stays in memory; 0 means five seconds,
	// negative nothing is kept.
	KeyTTL time.Duration
	// Bus carries changes to other processes' memories; nil reaches only this one.
	Bus Bus
	// EncryptDatasetIDs hides the ids of datasets in exported documents.
	EncryptDatasetIDs bool
	// DefaultLLM finds the model that new apps start with; nil, NotFound and
	// ProviderNotInitialize mean the contract's fallback.
	DefaultLLM func(ctx context.Context, tenantID string) (DefaultLLM, error)
	// Fetch gets a document from an address that a user gave; nil means that
	// imports from addresses are not available.
	Fetch func(ctx context.Context, url string, maxBytes int64) ([]byte, error)
	// HasPlugin reports whether the plugin that a document depends on is there;
	// nil means that none is.
	HasPlugin func(ctx context.Context, tenantID, pluginID string) bool
}

// Service answers for apps.
type Service struct {
	store   Store
	secrets Secrets
	pending ephemeral.Store
	opts    Options

	mu      sync.Mutex
	keys    map[string]cachedAccess
	users   map[string]EndUser
	version uint64 // counts invalidations
}

// New returns a service. pending keeps imports that wait for confirmation.
func New(store Store, secrets Secrets, pending ephemeral.Store, opts *Options) *Service {
	s := &Service{store: store, secrets: secrets, pending: pending, keys: map[string]cachedAccess{}, users: map[string]EndUser{}}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.Clock == nil {
		s.opts.Clock = clock.System{}
	}
	if s.opts.KeyTTL == 0 {
		s.opts.KeyTTL = 5 * time.Second
	}
	return s
}

func (s *Service) now() time.Time { return s.opts.Clock.Now().UTC() }

// Actor is the account that changes something, and where.
type Actor struct {
	TenantID, AccountID string
	// Language is the default language of sites that it makes.
	Language string
}

// NewApp is what a creation asks for.
type NewApp struct {
	Name, Description, Mode        string
	IconType, Icon, IconBackground string
	UseIconAsAnswerIcon            bool
	// ModelConfig defines a mode without graph; nil means the mode's default.
	ModelConfig *ModelConfig
}

// Create makes an app with its site. Codes: InvalidParam.
func (s *Service) Create(ctx context.Context, by Actor, in NewApp) (App, error) {
	now := s.now()
	a := App{
		ID: ids.Random(), TenantID: by.TenantID, Name: in.Name, Mode: in.Mode, Description: in.Description,
		IconType: in.IconType, Icon: in.Icon, IconBackground: in.IconBackground, UseIconAsAnswerIcon: in.UseIconAsAnswerIcon,
		Status: StatusNormal, EnableSite: true, EnableAPI: true,
		CreatedBy: by.AccountID, UpdatedBy: by.AccountID, Maintainer: by.AccountID, CreatedAt: now, UpdatedAt: now,
	}
	var cfg *ModelConfig
	switch in.Mode {
	case ModeWorkflow, ModeAdvancedChat:
	case ModeChat, ModeAgentChat, ModeCompletion:
		if cfg = in.ModelConfig; cfg == nil {
			made, err := s.defaultConfig(ctx, by.TenantID, in.Mode)
			if err != nil {
				return App{}, err
			}
			cfg = made
		}
		cfg.ID, cfg.AppID = ids.Random(), a.ID
		cfg.CreatedBy, cfg.UpdatedBy, cfg.CreatedAt, cfg.UpdatedAt = by.AccountID, by.AccountID, now, now
		a.ModelConfigID = cfg.ID
	case ModeAgent, ModeChannel:
		return App{}, errs.New(errs.NotImplemented, "")
	default:
		return App{}, errs.New(errs.InvalidParam, "Invalid app mode")
	}
	return a, s.store.CreateApp(ctx, a, newSite(a, by), cfg)
}

func newSite(a App, by Actor) Site {
	language := by.Language
	if language == "" {
		language = "en-US"
	}
	site := Site{
		ID: ids.Random(), AppID: a.ID, Title: a.Name, DefaultLanguage: language, CustomizeToken: "not_allow",
		ShowSteps: true, Status: StatusNormal, Code: ids.Token(16), CreatedBy: by.AccountID, UpdatedBy: by.AccountID,
		CreatedAt: a.CreatedAt, UpdatedAt: a.CreatedAt,
	}
	site.IconType, site.Icon, site.IconBackground = text(a.IconType), text(a.Icon), text(a.IconBackground)
	return site
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// App returns an app. Codes: AppNotFound.
func (s *Service) App(ctx context.Context, tenantID, id string) (App, error) {
	a, err := s.store.App(ctx, tenantID, id)
	return a, notFound(err)
}

func notFound(err error) error {
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.AppNotFound, "App not found")
	}
	return err
}

// Apps lists apps and counts them.
func (s *Service) Apps(ctx context.Context, tenantID string, f Filter) ([]App, int, error) {
	return s.store.Apps(ctx, tenantID, f)
}

// Tags returns the tags of apps by app id.
func (s *Service) Tags(ctx context.Context, tenantID string, appIDs ...string) (map[string][]Tag, error) {
	return s.store.Tags(ctx, tenantID, appIDs)
}

// Authors returns accounts by id.
func (s *Service) Authors(ctx context.Context, ids ...string) (map[string]Author, error) {
	return s.store.Authors(ctx, ids)
}

// Update applies change to an app and stores it. Codes: AppNotFound.
func (s *Service) Update(ctx context.Context, by Actor, id string, change func(*App)) (App, error) {
	a, err := s.App(ctx, by.TenantID, id)
	if err != nil {
		return App{}, err
	}
	change(&a)
	a.ID, a.TenantID = id, by.TenantID
	a.UpdatedBy, a.UpdatedAt = by.AccountID, s.now()
	if err := s.store.UpdateApp(ctx, a); err != nil {
		return App{}, notFound(err)
	}
	return a, s.changed(ctx, a.ID)
}

// Delete removes an app. Codes: AppNotFound.
func (s *Service) Delete(ctx context.Context, tenantID, id string) error {
	if err := s.store.DeleteApp(ctx, tenantID, id); err != nil {
		return notFound(err)
	}
	return s.changed(ctx, id)
}

// Site returns an app's site. Codes: NotFound.
func (s *Service) Site(ctx context.Context, tenantID, appID string) (Site, error) {
	return s.store.Site(ctx, tenantID, appID)
}

// UpdateSite applies change to an app's site. Codes: NotFound.
func (s *Service) UpdateSite(ctx context.Context, by Actor, appID string, change func(*Site) error) (Site, error) {
	site, err := s.store.Site(ctx, by.TenantID, appID)
	if err != nil {
		return Site{}, err
	}
	if err := change(&site); err != nil {
		return Site{}, err
	}
	site.UpdatedBy, site.UpdatedAt = by.AccountID, s.now()
	return site, s.store.SaveSite(ctx, by.TenantID, site)
}

// ResetSiteCode gives a site another address. Codes: NotFound.
func (s *Service) ResetSiteCode(ctx context.Context, by Actor, appID string) (Site, error) {
	return s.UpdateSite(ctx, by, appID, func(site *Site) error { site.Code = ids.Token(16); return nil })
}

// ModelConfig returns the model config of an app without graph. Codes:
// NotFound.
func (s *Service) ModelConfig(ctx context.Context, tenantID, appID string) (ModelConfig, error) {
	return s.store.ModelConfig(ctx, tenantID, appID)
}

// Tokens lists the keys of an app, or of the workspace for an empty appID.
func (s *Service) Tokens(ctx context.Context, tenantID, kind, appID string) ([]Token, error) {
	return s.store.Tokens(ctx, tenantID, kind, appID)
}

// CreateToken makes a key. Codes: Conflict when there are too many.
func (s *Service) CreateToken(ctx context.Context, tenantID, kind, appID string) (Token, error) {
	t := Token{ID: ids.Random(), TenantID: tenantID, AppID: appID, Type: kind, Token: kind + "-" + ids.Token(24), CreatedAt: s.now()}
	return t, s.store.AddToken(ctx, t, MaxTokens)
}

// DeleteToken removes a key. Codes: NotFound.
func (s *Service) DeleteToken(ctx context.Context, tenantID, kind, appID, id string) error {
	t, err := s.store.DeleteToken(ctx, tenantID, kind, appID, id)
	if err != nil {
		return err
	}
	return s.changed(ctx, t.Token)
}
