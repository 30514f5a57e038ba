package provider

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
)

// Options tunes a Service. The zero value works.
type Options struct {
	// Clock dates rows and cached models; nil means the machine's.
	Clock clock.Clock
	// ConsoleURL is where icons are fetched from; "" makes paths without a host.
	ConsoleURL string
	// TTL is how long an opened model is kept; 0 means 5 s, negative not at all.
	// A change made here is seen at once in this process and after the TTL in
	// others.
	TTL time.Duration
	// Logger hears of credentials that cannot be read; nil means the default.
	Logger *slog.Logger
}

// Service is the domain's front: what the console asks about models, and the
// models that runs call. It is safe for concurrent use.
type Service struct {
	store   Store
	secrets Secrets
	defs    []*Definition
	clock   clock.Clock
	console string
	ttl     time.Duration
	log     *slog.Logger

	mu     sync.Mutex
	opened map[modelKey]openedModel
}

type modelKey struct {
	tenantID, provider string
	ref                ModelRef
}

type openedModel struct {
	model *llm.Model
	until time.Time
}

// maxOpened bounds the cache of models.
const maxOpened = 512

// NewService returns a service for the given providers.
func NewService(store Store, secrets Secrets, defs []*Definition, opts *Options) *Service {
	if opts == nil {
		opts = &Options{}
	}
	s := &Service{store: store, secrets: secrets, defs: defs, clock: opts.Clock, console: strings.TrimRight(opts.ConsoleURL, "/"),
		ttl: opts.TTL, log: opts.Logger, opened: map[modelKey]openedModel{}}
	if s.clock == nil {
		s.clock = clock.System{}
	}
	if s.ttl == 0 {
		s.ttl = 5 * time.Second
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s
}

// CanonicalID returns the full form of a provider id: a bare name stands for
// langgenius/<name>/<name>, google for the Gemini plugin's.
func CanonicalID(id string) string {
	switch strings.Count(id, "/") {
	case 0:
		if id == "google" {
			return "langgenius/gemini/google"
		}
		if id != "" {
			return "langgenius/" + id + "/" + id
		}
	}
	return id
}

// definition finds a provider. Codes: NotFound.
func (s *Service) definition(id string) (*Definition, error) {
	id = CanonicalID(id)
	for _, d := range s.defs {
		if d.ID == id {
			return d, nil
		}
	}
	return nil, errs.Newf(errs.NotFound, "Provider %s does not exist.", id)
}

// Model opens a model of the workspace for calls. Codes: ProviderNotInitialize
// (no such model, no credentials), ModelCurrentlyNotSupport (switched off).
func (s *Service) Model(ctx context.Context, tenantID, providerID string, ref ModelRef) (*llm.Model, error) {
	key := modelKey{tenantID, CanonicalID(providerID), ref}
	s.mu.Lock()
	have, ok := s.opened[key]
	s.mu.Unlock()
	if ok && s.clock.Now().Before(have.until) {
		return have.model, nil
	}
	m, err := s.open(ctx, key)
	if err != nil {
		return nil, err
	}
	s.keep(key, m)
	return m, nil
}

func (s *Service) open(ctx context.Context, key modelKey) (*llm.Model, error) {
	def, err := s.definition(key.provider)
	if err != nil {
		return nil, errs.Newf(errs.ProviderNotInitialize, "Provider %s does not exist.", key.provider)
	}
	row, err := s.store.CustomModel(ctx, key.tenantID, key.provider, key.ref)
	if errs.Is(err, errs.NotFound) || (err == nil && row.CredentialID == "") {
		return nil, errs.Newf(errs.ProviderNotInitialize, "Model %s credentials is not initialized.", key.ref.Model)
	}
	if err != nil {
		return nil, err
	}
	if !row.Enabled {
		return nil, errs.Newf(errs.ModelCurrentlyNotSupport, "Model %s is disabled.", key.ref.Model)
	}
	creds, err := s.openCredentials(ctx, key.tenantID, def, row.Config)
	if err != nil {
		return nil, err
	}
	driver, err := def.Open(key.ref, creds)
	if err != nil {
		return nil, errs.Wrap(errs.ProviderNotInitialize, err, err.Error())
	}
	return llm.New(def.ID, def.Describe(key.ref, creds), driver, s.clock), nil
}

func (s *Service) keep(key modelKey, m *llm.Model) {
	if s.ttl < 0 {
		return
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, o := range s.opened {
		if len(s.opened) >= maxOpened || !now.Before(o.until) {
			delete(s.opened, k)
		}
	}
	s.opened[key] = openedModel{model: m, until: now.Add(s.ttl)}
}

// forget drops the opened models of a workspace.
func (s *Service) forget(tenantID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.opened {
		if k.tenantID == tenantID {
			delete(s.opened, k)
		}
	}
}

// Default opens the workspace's default model of a type. Codes:
// ProviderNotInitialize (there is none), and those of Model.
func (s *Service) Default(ctx context.Context, tenantID string, t llm.ModelType) (*llm.Model, error) {
	d, ok, err := s.defaultRef(ctx, tenantID, t)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errs.Newf(errs.ProviderNotInitialize, "Default model not found for %s", t)
	}
	return s.Model(ctx, tenantID, d.Provider, d.ModelRef)
}

// defaultRef returns the saved default, else the first model that can be used.
func (s *Service) defaultRef(ctx context.Context, tenantID string, t llm.ModelType) (DefaultModel, bool, error) {
	saved, err := s.store.DefaultModels(ctx, tenantID)
	if err != nil {
		return DefaultModel{}, false, err
	}
	for _, d := range saved {
		if d.Type == t {
			d.Provider = CanonicalID(d.Provider)
			return d, true, nil
		}
	}
	models, err := s.models(ctx, tenantID)
	if err != nil {
		return DefaultModel{}, false, err
	}
	for _, m := range models {
		if m.row.Type == t && m.status() == StatusActive {
			return DefaultModel{TenantID: tenantID, Provider: m.def.ID, ModelRef: m.row.ModelRef}, true, nil
		}
	}
	return DefaultModel{}, false, nil
}

// workspaceModel is a custom model with what is known about it.
type workspaceModel struct {
	row    CustomModel
	def    *Definition
	schema *llm.Schema
}

func (m *workspaceModel) status() string {
	switch {
	case m.row.CredentialID == "":
		return StatusCredentialRemoved
	case !m.row.Enabled:
		return StatusDisabled
	}
	return StatusActive
}

// models lists the workspace's models, sorted by provider, type and name.
// Secrets stay sealed: descriptions do not depend on them.
func (s *Service) models(ctx context.Context, tenantID string) ([]workspaceModel, error) {
	rows, err := s.store.CustomModels(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	var out []workspaceModel
	for _, row := range rows {
		def, err := s.definition(row.Provider)
		if err != nil {
			continue // a plugin's model, in an attached database
		}
		creds, err := parseConfig(row.Config)
		if err != nil {
			s.log.WarnContext(ctx, "credentials of a model cannot be read", "tenant_id", tenantID, "model", row.Model)
		}
		out = append(out, workspaceModel{row: row, def: def, schema: def.Describe(row.ModelRef, creds)})
	}
	order := func(m workspaceModel) int { return slices.Index(s.defs, m.def) }
	slices.SortStableFunc(out, func(a, b workspaceModel) int {
		if d := order(a) - order(b); d != 0 {
			return d
		}
		if d := strings.Compare(string(a.row.Type), string(b.row.Type)); d != 0 {
			return d
		}
		return strings.Compare(a.row.Model, b.row.Model)
	})
	return out, nil
}

// parseConfig reads stored credentials; a text that is no object is an old
// row's bare key.
func parseConfig(config string) (Credentials, error) {
	if config == "" {
		return Credentials{}, nil
	}
	if !strings.HasPrefix(config, "{") {
		return Credentials{"openai_api_key": config}, nil
	}
	var c Credentials
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return Credentials{}, errs.Wrap(errs.Internal, err, "")
	}
	return c, nil
}

// openCredentials unseals the secret fields.
func (s *Service) openCredentials(ctx context.Context, tenantID string, def *Definition, config string) (Credentials, error) {
	c, err := parseConfig(config)
	if err != nil {
		return nil, err
	}
	for name := range c {
		if sealed := c.Text(name); def.ModelSchema.Secret(name) && sealed != "" {
			if c[name], err = s.secrets.Unseal(ctx, tenantID, sealed); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// sealCredentials writes credentials with their secret fields sealed.
func (s *Service) sealCredentials(ctx context.Context, tenantID string, def *Definition, c Credentials) (string, error) {
	out := Credentials{}
	for name, v := range c {
		if text, ok := v.(string); ok && text != "" && def.ModelSchema.Secret(name) {
			sealed, err := s.secrets.Seal(ctx, tenantID, text)
			if err != nil {
				return "", err
			}
			v = sealed
		}
		out[name] = v
	}
	data, err := json.Marshal(out)
	return string(data), errs.Wrap(errs.Internal, err, "")
}
