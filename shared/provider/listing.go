package provider

import (
	"context"
	"slices"
	"strings"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
)

// The statuses of models and of a provider's custom configuration.
const (
	StatusActive            = "active"
	StatusNoConfigure       = "no-configure"
	StatusDisabled          = "disabled"
	StatusCredentialRemoved = "credential-removed"
)

// ModelView is a model in lists.
type ModelView struct {
	Model                          string         `json:"model"`
	Label                          llm.Text       `json:"label"`
	ModelType                      llm.ModelType  `json:"model_type"`
	Features                       []llm.Feature  `json:"features"`
	FetchFrom                      string         `json:"fetch_from"`
	ModelProperties                map[string]any `json:"model_properties"`
	Deprecated                     bool           `json:"deprecated"`
	Status                         string         `json:"status"`
	LoadBalancingEnabled           bool           `json:"load_balancing_enabled"`
	HasInvalidLoadBalancingConfigs bool           `json:"has_invalid_load_balancing_configs"`
}

// ProviderModelsView is a provider with its models of one type.
type ProviderModelsView struct {
	TenantID  string      `json:"tenant_id"`
	Provider  string      `json:"provider"`
	Label     llm.Text    `json:"label"`
	IconSmall llm.Text    `json:"icon_small"`
	Status    string      `json:"status"`
	Models    []ModelView `json:"models"`
}

// SimpleProviderView is a provider inside another answer.
type SimpleProviderView struct {
	TenantID            string          `json:"tenant_id"`
	Provider            string          `json:"provider"`
	ProviderName        string          `json:"provider_name"`
	Label               llm.Text        `json:"label"`
	IconSmall           llm.Text        `json:"icon_small"`
	SupportedModelTypes []llm.ModelType `json:"supported_model_types"`
	Models              []any           `json:"models"`
}

// ModelWithProviderView is a model with its provider.
type ModelWithProviderView struct {
	ModelView
	Provider SimpleProviderView `json:"provider"`
}

// DefaultModelView is a workspace's default model.
type DefaultModelView struct {
	Model     string             `json:"model"`
	ModelType llm.ModelType      `json:"model_type"`
	Provider  SimpleProviderView `json:"provider"`
}

// CustomModelView is a custom model in a provider's entry.
type CustomModelView struct {
	Model                     string           `json:"model"`
	ModelType                 llm.ModelType    `json:"model_type"`
	Credentials               any              `json:"credentials"`
	CurrentCredentialID       *string          `json:"current_credential_id"`
	CurrentCredentialName     *string          `json:"current_credential_name"`
	AvailableModelCredentials []CredentialName `json:"available_model_credentials"`
	UnaddedToModelList        bool             `json:"unadded_to_model_list"`
}

// CustomConfigurationView says what a workspace configured of a provider.
type CustomConfigurationView struct {
	Status                string            `json:"status"`
	CurrentCredentialID   *string           `json:"current_credential_id"`
	CurrentCredentialName *string           `json:"current_credential_name"`
	AvailableCredentials  []CredentialName  `json:"available_credentials"`
	CustomModels          []CustomModelView `json:"custom_models"`
	CanAddedModels        []map[string]any  `json:"can_added_models"`
}

// SystemConfigurationView is the hosted offer of a provider; there is none.
type SystemConfigurationView struct {
	Enabled             bool    `json:"enabled"`
	CurrentQuotaType    *string `json:"current_quota_type"`
	QuotaConfigurations []any   `json:"quota_configurations"`
}

// ProviderView is a provider in the console's list.
type ProviderView struct {
	TenantID                 string                    `json:"tenant_id"`
	Provider                 string                    `json:"provider"`
	Label                    llm.Text                  `json:"label"`
	Description              llm.Text                  `json:"description"`
	IconSmall                llm.Text                  `json:"icon_small"`
	IconSmallDark            llm.Text                  `json:"icon_small_dark"`
	Background               *string                   `json:"background"`
	Help                     *Help                     `json:"help"`
	SupportedModelTypes      []llm.ModelType           `json:"supported_model_types"`
	ConfigurateMethods       []string                  `json:"configurate_methods"`
	ProviderCredentialSchema *ProviderCredentialSchema `json:"provider_credential_schema"`
	ModelCredentialSchema    *ModelCredentialSchema    `json:"model_credential_schema"`
	PreferredProviderType    string                    `json:"preferred_provider_type"`
	CustomConfiguration      CustomConfigurationView   `json:"custom_configuration"`
	SystemConfiguration      SystemConfigurationView   `json:"system_configuration"`
}

func (s *Service) icon(tenantID string, d *Definition) llm.Text {
	if len(d.Icon) == 0 {
		return nil
	}
	base := s.console + "/console/api/workspaces/" + tenantID + "/model-providers/" + d.ID + "/icon_small/"
	return llm.T(base+"en_US", base+"zh_Hans")
}

// Icon returns a provider's icon and its media type. It needs no workspace:
// browsers load it without signing in. Codes: NotFound, InvalidParam.
func (s *Service) Icon(providerID, iconType string) (data []byte, mediaType string, err error) {
	d, err := s.definition(providerID)
	switch {
	case err != nil:
		return nil, "", err
	case iconType != "icon_small" && iconType != "icon_small_dark":
		return nil, "", errs.Newf(errs.InvalidParam, "Unsupported icon type: %s.", iconType)
	case iconType == "icon_small_dark":
		return nil, "", errs.Newf(errs.NotFound, "Provider %s does not have small dark icon.", d.ID)
	case len(d.Icon) == 0:
		return nil, "", errs.Newf(errs.NotFound, "Provider %s does not have small icon.", d.ID)
	}
	return d.Icon, "image/svg+xml", nil
}

func (m *workspaceModel) view() ModelView {
	return ModelView{Model: m.row.Model, Label: m.schema.Label, ModelType: m.row.Type, Features: m.schema.Features,
		FetchFrom: m.schema.FetchFrom, ModelProperties: m.schema.Properties, Deprecated: m.schema.Deprecated,
		Status: m.status(), LoadBalancingEnabled: m.row.LoadBalancing}
}

func (s *Service) simple(tenantID string, d *Definition) SimpleProviderView {
	return SimpleProviderView{TenantID: tenantID, Provider: d.ID, Label: d.Label, IconSmall: s.icon(tenantID, d),
		SupportedModelTypes: d.ModelTypes, Models: []any{}}
}

// ModelsOfType lists the usable models of a type by provider. Codes:
// InvalidParam (no such type).
func (s *Service) ModelsOfType(ctx context.Context, tenantID, modelType string) ([]ProviderModelsView, error) {
	t, err := modelTypeOf(modelType)
	if err != nil {
		return nil, err
	}
	models, err := s.models(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	out := []ProviderModelsView{}
	for _, m := range models {
		if m.row.Type != t || m.status() != StatusActive {
			continue
		}
		if n := len(out); n == 0 || out[n-1].Provider != m.def.ID {
			out = append(out, ProviderModelsView{TenantID: tenantID, Provider: m.def.ID, Label: m.def.Label,
				IconSmall: s.icon(tenantID, m.def), Status: StatusActive})
		}
		last := &out[len(out)-1]
		last.Models = append(last.Models, m.view())
	}
	return out, nil
}

func modelTypeOf(name string) (llm.ModelType, error) {
	t, ok := llm.ParseModelType(name)
	if !ok {
		return "", errs.Newf(errs.InvalidParam, "'%s' is not a valid ModelType", name)
	}
	return t, nil
}

// ProviderModels lists all models of a provider. Codes: NotFound.
func (s *Service) ProviderModels(ctx context.Context, tenantID, providerID string) ([]ModelWithProviderView, error) {
	d, err := s.definition(providerID)
	if err != nil {
		return nil, err
	}
	models, err := s.models(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	out := []ModelWithProviderView{}
	for _, m := range models {
		if m.def == d {
			out = append(out, ModelWithProviderView{ModelView: m.view(), Provider: s.simple(tenantID, d)})
		}
	}
	return out, nil
}

// DefaultModel returns the workspace's default of a type, nil when there is
// none. Codes: InvalidParam.
func (s *Service) DefaultModel(ctx context.Context, tenantID, modelType string) (*DefaultModelView, error) {
	t, err := modelTypeOf(modelType)
	if err != nil {
		return nil, err
	}
	ref, ok, err := s.defaultRef(ctx, tenantID, t)
	if err != nil || !ok {
		return nil, err
	}
	d, err := s.definition(ref.Provider)
	if err != nil {
		return nil, nil //nolint:nilerr // a plugin's model, in an attached database: as good as none
	}
	return &DefaultModelView{Model: ref.Model, ModelType: t, Provider: s.simple(tenantID, d)}, nil
}

// DefaultSetting names the new default model of a type; without provider or
// model the type is left alone.
type DefaultSetting struct {
	ModelType string `json:"model_type"`
	Provider  string `json:"provider"`
	Model     string `json:"model"`
}

// SetDefaultModels saves defaults. Codes: InvalidParam (no such type, provider
// or model).
func (s *Service) SetDefaultModels(ctx context.Context, tenantID string, settings []DefaultSetting) error {
	var save []DefaultModel
	models, err := s.models(ctx, tenantID)
	if err != nil {
		return err
	}
	for _, set := range settings {
		t, err := modelTypeOf(set.ModelType)
		if err != nil {
			return err
		}
		if set.Provider == "" || set.Model == "" {
			continue
		}
		d, err := s.definition(set.Provider)
		if err != nil {
			return errs.Newf(errs.InvalidParam, "Provider %s does not exist.", set.Provider)
		}
		ref := ModelRef{Model: set.Model, Type: t}
		if !slices.ContainsFunc(models, func(m workspaceModel) bool { return m.def == d && m.row.ModelRef == ref }) {
			return errs.Newf(errs.InvalidParam, "Model %s does not exist.", set.Model)
		}
		save = append(save, DefaultModel{TenantID: tenantID, Provider: d.ID, ModelRef: ref})
	}
	if len(save) == 0 {
		return nil
	}
	return s.store.SaveDefaultModels(ctx, tenantID, save)
}

// ParameterRules lists what an llm accepts; nothing for an unknown model.
// Codes: NotFound (provider).
func (s *Service) ParameterRules(ctx context.Context, tenantID, providerID, model string) ([]llm.ParameterRule, error) {
	d, err := s.definition(providerID)
	if err != nil {
		return nil, err
	}
	ref := ModelRef{Model: model, Type: llm.TypeLLM}
	row, err := s.store.CustomModel(ctx, tenantID, d.ID, ref)
	if errs.Is(err, errs.NotFound) {
		return []llm.ParameterRule{}, nil
	}
	if err != nil {
		return nil, err
	}
	creds, err := parseConfig(row.Config)
	if err != nil {
		return nil, err
	}
	return d.Describe(ref, creds).ParameterRules, nil
}

// Providers lists the providers, those of one type when modelType is not "".
// Codes: InvalidParam.
func (s *Service) Providers(ctx context.Context, tenantID, modelType string) ([]ProviderView, error) {
	var only llm.ModelType
	if modelType != "" {
		t, err := modelTypeOf(modelType)
		if err != nil {
			return nil, err
		}
		only = t
	}
	models, err := s.models(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	out := []ProviderView{}
	for _, d := range s.defs {
		if only != "" && !slices.Contains(d.ModelTypes, only) {
			continue
		}
		creds, err := s.store.ModelCredentials(ctx, tenantID, d.ID, nil)
		if err != nil {
			return nil, err
		}
		view := ProviderView{TenantID: tenantID, Provider: d.ID, Label: d.Label, Description: d.Description, IconSmall: s.icon(tenantID, d),
			Help: d.Help, SupportedModelTypes: d.ModelTypes, ConfigurateMethods: d.Methods,
			ProviderCredentialSchema: d.ProviderSchema, ModelCredentialSchema: d.ModelSchema, PreferredProviderType: "custom",
			CustomConfiguration: custom(d, models, creds), SystemConfiguration: SystemConfigurationView{QuotaConfigurations: []any{}}}
		if d.Background != "" {
			view.Background = &d.Background
		}
		out = append(out, view)
	}
	return out, nil
}

// custom puts together a provider's models and the credentials of models that
// are not in the list.
func custom(d *Definition, models []workspaceModel, creds []ModelCredential) CustomConfigurationView {
	out := CustomConfigurationView{Status: StatusNoConfigure, AvailableCredentials: []CredentialName{},
		CustomModels: []CustomModelView{}, CanAddedModels: []map[string]any{}}
	added := map[ModelRef]bool{}
	for _, m := range models {
		if m.def != d {
			continue
		}
		out.Status = StatusActive
		added[m.row.ModelRef] = true
		v := CustomModelView{Model: m.row.Model, ModelType: m.row.Type, AvailableModelCredentials: namesFor(creds, m.row.ModelRef)}
		if m.row.CredentialID != "" {
			id, name := m.row.CredentialID, m.row.CredentialName
			v.CurrentCredentialID, v.CurrentCredentialName = &id, &name
		}
		out.CustomModels = append(out.CustomModels, v)
	}
	for _, c := range creds {
		if added[c.ModelRef] {
			continue
		}
		added[c.ModelRef] = true
		out.CanAddedModels = append(out.CanAddedModels, map[string]any{"model": c.Model, "model_type": c.Type})
		out.CustomModels = append(out.CustomModels, CustomModelView{Model: c.Model, ModelType: c.Type,
			AvailableModelCredentials: namesFor(creds, c.ModelRef), UnaddedToModelList: true})
	}
	slices.SortStableFunc(out.CustomModels, func(a, b CustomModelView) int { return strings.Compare(a.Model, b.Model) })
	return out
}

func namesFor(creds []ModelCredential, ref ModelRef) []CredentialName {
	out := []CredentialName{}
	for _, c := range creds {
		if c.ModelRef == ref {
			out = append(out, CredentialName{c.ID, c.Name})
		}
	}
	return out
}
