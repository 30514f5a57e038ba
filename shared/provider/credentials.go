package provider

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/secretbox"
)

// maxNameLength is what the contract's forms accept for a credential's name.
const maxNameLength = 30

// CredentialInput is what a client sends to make or change credentials of a
// model. A nil Name picks the next free "API KEY n".
type CredentialInput struct {
	Name        *string
	Credentials Credentials
}

// ModelCredentialView is the answer to "which credentials does this model
// have"; secret fields are masked.
type ModelCredentialView struct {
	Credentials           map[string]any    `json:"credentials"`
	CurrentCredentialID   *string           `json:"current_credential_id"`
	CurrentCredentialName *string           `json:"current_credential_name"`
	LoadBalancing         LoadBalancingView `json:"load_balancing"`
	AvailableCredentials  []CredentialName  `json:"available_credentials"`
}

// LoadBalancingView is how a model spreads over credentials.
type LoadBalancingView struct {
	Enabled bool  `json:"enabled"`
	Configs []any `json:"configs"`
}

// CredentialName names one set of credentials.
type CredentialName struct {
	ID   string `json:"credential_id"`
	Name string `json:"credential_name"`
}

// ModelCredentials returns the credentials of a model: the one with the given
// id, else the one in use. Codes: NotFound (provider).
func (s *Service) ModelCredentials(ctx context.Context, tenantID, providerID string, ref ModelRef, credentialID string) (*ModelCredentialView, error) {
	def, err := s.definition(providerID)
	if err != nil {
		return nil, err
	}
	all, err := s.store.ModelCredentials(ctx, tenantID, def.ID, &ref)
	if err != nil {
		return nil, err
	}
	row, err := s.store.CustomModel(ctx, tenantID, def.ID, ref)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	wanted := credentialID
	if wanted == "" {
		wanted = row.CredentialID
	}
	out := &ModelCredentialView{Credentials: map[string]any{}, LoadBalancing: LoadBalancingView{Configs: []any{}}, AvailableCredentials: []CredentialName{}}
	for _, c := range all {
		out.AvailableCredentials = append(out.AvailableCredentials, CredentialName{c.ID, c.Name})
		if c.ID != wanted {
			continue
		}
		out.CurrentCredentialID, out.CurrentCredentialName = &c.ID, &c.Name
		if out.Credentials, err = s.masked(ctx, tenantID, def, c.Config); err != nil {
			return nil, err
		}
	}
	if credentialID != "" && out.CurrentCredentialID == nil {
		return nil, errs.Newf(errs.InvalidParam, "Credential with id %s not found.", credentialID)
	}
	return out, nil
}

// masked shows credentials with their secrets unreadable.
func (s *Service) masked(ctx context.Context, tenantID string, def *Definition, config string) (map[string]any, error) {
	c, err := s.openCredentials(ctx, tenantID, def, config)
	if err != nil {
		return nil, err
	}
	out := map[string]any(maps.Clone(c))
	for name := range out {
		if def.ModelSchema.Secret(name) {
			out[name] = secretbox.Mask(c.Text(name))
		}
	}
	return out, nil
}

// ValidateModelCredentials checks credentials against the form and with a real
// call. Codes: InvalidParam, with the provider's own words.
func (s *Service) ValidateModelCredentials(ctx context.Context, tenantID, providerID string, ref ModelRef, in Credentials) error {
	def, err := s.definition(providerID)
	if err != nil {
		return err
	}
	_, err = s.validated(ctx, tenantID, def, ref, in, "")
	return err
}

// validated returns the credentials to store. Fields that say "keep what is
// stored" take the value of the credential with id stored.
func (s *Service) validated(ctx context.Context, tenantID string, def *Definition, ref ModelRef, in Credentials, stored string) (Credentials, error) {
	if def.ModelSchema == nil {
		return nil, errs.Newf(errs.InvalidParam, "Provider %s has no custom models.", def.ID)
	}
	if strings.TrimSpace(ref.Model) == "" {
		return nil, errs.New(errs.InvalidParam, "model is required")
	}
	in = maps.Clone(in)
	for name, v := range in {
		if v != secretbox.Hidden || !def.ModelSchema.Secret(name) {
			continue
		}
		kept, err := s.storedSecret(ctx, tenantID, def, ref, stored, name)
		if err != nil {
			return nil, err
		}
		in[name] = kept
	}
	creds, err := def.ModelSchema.Check(ref, in)
	if err != nil {
		return nil, err
	}
	driver, err := def.Open(ref, creds)
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, err.Error())
	}
	if err := probe(ctx, llm.New("", def.Describe(ref, creds), driver, s.clock)); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errs.Wrap(errs.InvalidParam, err, err.Error())
	}
	return creds, nil
}

func (s *Service) storedSecret(ctx context.Context, tenantID string, def *Definition, ref ModelRef, id, field string) (string, error) {
	all, err := s.store.ModelCredentials(ctx, tenantID, def.ID, &ref)
	if err != nil {
		return "", err
	}
	for _, c := range all {
		if c.ID == id {
			open, err := s.openCredentials(ctx, tenantID, def, c.Config)
			return open.Text(field), err
		}
	}
	return "", nil
}

// probe calls a model once, as cheaply as its type allows.
func probe(ctx context.Context, m *llm.Model) error {
	switch m.Schema().ModelType {
	case llm.TypeLLM:
		_, err := m.Generate(ctx, llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Text: "ping"}},
			Parameters: map[string]any{"max_tokens": 5}})
		return err
	case llm.TypeTextEmbedding:
		_, err := m.Embed(ctx, []string{"ping"}, false)
		return err
	case llm.TypeRerank:
		_, err := m.Rerank(ctx, llm.RerankRequest{Query: "capital of France", Documents: []string{"Paris is the capital of France.", "A cat."}})
		return err
	case llm.TypeSpeechToText:
		_, err := m.Transcribe(ctx, "probe.wav", strings.NewReader(silence()))
		return err
	case llm.TypeTTS:
		voice, _ := m.Schema().Properties["default_voice"].(string)
		audio, err := m.Speak(ctx, "ping", voice)
		if err != nil {
			return err
		}
		return audio.Close()
	case llm.TypeModeration:
		_, err := m.Moderate(ctx, "ping")
		return err
	}
	return fmt.Errorf("unknown model type %q", m.Schema().ModelType)
}

// silence is a quarter of a second of nothing, as 8 kHz mono WAV.
func silence() string {
	const samples = 2000
	le := func(n, size int) string {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(n >> (8 * i))
		}
		return string(b)
	}
	return "RIFF" + le(36+2*samples, 4) + "WAVEfmt " + le(16, 4) + le(1, 2) + le(1, 2) + le(8000, 4) + le(16000, 4) + le(2, 2) + le(16, 2) +
		"data" + le(2*samples, 4) + strings.Repeat("\x00", 2*samples)
}

// CreateModelCredential validates and stores credentials; a model that the
// workspace does not have yet is added with them. Codes: InvalidParam.
func (s *Service) CreateModelCredential(ctx context.Context, tenantID, providerID string, ref ModelRef, in CredentialInput) error {
	def, err := s.definition(providerID)
	if err != nil {
		return err
	}
	have, err := s.store.ModelCredentials(ctx, tenantID, def.ID, &ref)
	if err != nil {
		return err
	}
	name, err := credentialName(in.Name, have)
	if err != nil {
		return err
	}
	creds, err := s.validated(ctx, tenantID, def, ref, in.Credentials, "")
	if err != nil {
		return err
	}
	config, err := s.sealCredentials(ctx, tenantID, def, creds)
	if err != nil {
		return err
	}
	now := s.clock.Now().UTC()
	err = s.store.AddModelCredential(ctx, ModelCredential{ID: ids.New(), TenantID: tenantID, Provider: def.ID, ModelRef: ref,
		Name: name, Config: config, CreatedAt: now, UpdatedAt: now})
	s.forget(tenantID)
	return nameClash(err, name, ref)
}

func nameClash(err error, name string, ref ModelRef) error {
	if errs.Is(err, errs.Conflict) {
		return errs.Newf(errs.InvalidParam, "Model credential with name '%s' already exists for %s.", name, ref.Model)
	}
	return err
}

// credentialName checks a given name or makes the next "API KEY n".
func credentialName(given *string, have []ModelCredential) (string, error) {
	if given != nil && strings.TrimSpace(*given) != "" {
		name := strings.TrimSpace(*given)
		if len([]rune(name)) > maxNameLength {
			return "", errs.Newf(errs.InvalidParam, "The name may have at most %d characters.", maxNameLength)
		}
		return name, nil
	}
	highest := 0
	for _, c := range have {
		if number, ok := strings.CutPrefix(c.Name, "API KEY "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				highest = max(highest, n)
			}
		}
	}
	return "API KEY " + strconv.Itoa(highest+1), nil
}

// UpdateModelCredential validates and replaces stored credentials. Codes:
// InvalidParam, NotFound.
func (s *Service) UpdateModelCredential(ctx context.Context, tenantID, providerID string, ref ModelRef, id string, in CredentialInput) error {
	def, err := s.definition(providerID)
	if err != nil {
		return err
	}
	have, err := s.store.ModelCredentials(ctx, tenantID, def.ID, &ref)
	if err != nil {
		return err
	}
	var old *ModelCredential
	for i := range have {
		if have[i].ID == id {
			old = &have[i]
		}
	}
	if old == nil {
		return errs.New(errs.NotFound, "Credential record not found.")
	}
	next := *old
	if in.Name != nil {
		if next.Name, err = credentialName(in.Name, have); err != nil {
			return err
		}
	}
	creds, err := s.validated(ctx, tenantID, def, ref, in.Credentials, id)
	if err != nil {
		return err
	}
	if next.Config, err = s.sealCredentials(ctx, tenantID, def, creds); err != nil {
		return err
	}
	next.UpdatedAt = s.clock.Now().UTC()
	err = s.store.UpdateModelCredential(ctx, next)
	s.forget(tenantID)
	return nameClash(err, next.Name, ref)
}

// DeleteModelCredential removes credentials. Codes: NotFound.
func (s *Service) DeleteModelCredential(ctx context.Context, tenantID, providerID string, ref ModelRef, id string) error {
	def, err := s.definition(providerID)
	if err != nil {
		return err
	}
	defer s.forget(tenantID)
	return s.store.RemoveModelCredential(ctx, tenantID, def.ID, ref, id)
}

// UseModelCredential makes a model use other stored credentials; it adds the
// model when the workspace has taken it out. Codes: NotFound.
func (s *Service) UseModelCredential(ctx context.Context, tenantID, providerID string, ref ModelRef, id string) error {
	def, err := s.definition(providerID)
	if err != nil {
		return err
	}
	defer s.forget(tenantID)
	return s.store.UseCredential(ctx, tenantID, def.ID, ref, id)
}

// DeleteModel takes a model out of the workspace; its credentials stay. A model
// that is not there is no error.
func (s *Service) DeleteModel(ctx context.Context, tenantID, providerID string, ref ModelRef) error {
	def, err := s.definition(providerID)
	if err != nil {
		return err
	}
	defer s.forget(tenantID)
	if err := s.store.DeleteCustomModel(ctx, tenantID, def.ID, ref); err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	return nil
}

// SetModelEnabled switches a model on or off.
func (s *Service) SetModelEnabled(ctx context.Context, tenantID, providerID string, ref ModelRef, enabled bool) error {
	def, err := s.definition(providerID)
	if err != nil {
		return err
	}
	defer s.forget(tenantID)
	return s.store.SaveModelSetting(ctx, ModelSetting{TenantID: tenantID, Provider: def.ID, ModelRef: ref, Enabled: enabled})
}
