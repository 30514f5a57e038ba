// Package provider is the domain of model providers: which providers there
// are, which models a workspace has added with which credentials, and which
// models are its defaults. Service answers the console and opens models for
// runs.
//
// It does not call models itself (package llm and its drivers), keeps no rows
// (Store) and holds no keys (Secrets, that is package secretbox). A provider is
// a value of Definition; the OpenAI-compatible one is in provider/openaicompat.
//
// START HERE: Service in service.go.
package provider

import (
	"context"
	"time"

	"github.com/millrace/millrace/shared/llm"
)

// ModelRef names a model of a provider.
type ModelRef struct {
	Model string
	Type  llm.ModelType
}

// ModelCredential is one set of credentials for one custom model
// (provider_model_credentials).
type ModelCredential struct {
	ID       string
	TenantID string
	Provider string
	ModelRef
	Name string
	// Config is a JSON object; its secret fields are sealed.
	Config    string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// CustomModel is a model that a workspace has added (provider_models), together
// with the credentials it uses and its settings.
type CustomModel struct {
	ID       string
	TenantID string
	Provider string
	ModelRef
	Valid bool
	// CredentialID is "" when the credentials were removed; Config is "" then.
	CredentialID   string
	CredentialName string
	Config         string
	// Enabled and LoadBalancing come from provider_model_settings; without a row
	// a model is enabled and not balanced.
	Enabled       bool
	LoadBalancing bool
	CreatedAt     time.Time
}

// ModelSetting switches a model on and off (provider_model_settings).
type ModelSetting struct {
	TenantID string
	Provider string
	ModelRef
	Enabled       bool
	LoadBalancing bool
}

// DefaultModel is a workspace's default for a type of model
// (tenant_default_models).
type DefaultModel struct {
	TenantID string
	Provider string
	ModelRef
}

// Store keeps the rows of this package. Every method works inside one
// workspace: what belongs to another is NotFound. Methods that change more
// than one row do it in one transaction. The suite is provider/providertest.
type Store interface {
	// CustomModels lists the workspace's models of every provider, oldest first.
	CustomModels(ctx context.Context, tenantID string) ([]CustomModel, error)
	// CustomModel returns one model. Codes: NotFound.
	CustomModel(ctx context.Context, tenantID, provider string, ref ModelRef) (CustomModel, error)
	// DeleteCustomModel takes a model and its settings out of the workspace; its
	// credentials stay. Codes: NotFound.
	DeleteCustomModel(ctx context.Context, tenantID, provider string, ref ModelRef) error
	// UseCredential makes a model use a credential and adds the model when the
	// workspace does not have it. Codes: NotFound (no such credential for this model).
	UseCredential(ctx context.Context, tenantID, provider string, ref ModelRef, credentialID string) error

	// ModelCredentials lists credentials, oldest first; a nil ref means those of
	// all models of the provider.
	ModelCredentials(ctx context.Context, tenantID, provider string, ref *ModelRef) ([]ModelCredential, error)
	// AddModelCredential stores a new credential and, when the workspace does not
	// have the model, adds the model with it. Codes: Conflict (same name).
	AddModelCredential(ctx context.Context, c ModelCredential) error
	// UpdateModelCredential replaces name and config by id. Codes: NotFound, Conflict.
	UpdateModelCredential(ctx context.Context, c ModelCredential) error
	// RemoveModelCredential deletes a credential. A model that used it loses it,
	// and goes too when it was the model's last. Codes: NotFound.
	RemoveModelCredential(ctx context.Context, tenantID, provider string, ref ModelRef, id string) error

	// SaveModelSetting inserts or replaces a model's settings.
	SaveModelSetting(ctx context.Context, s ModelSetting) error

	// DefaultModels lists the workspace's defaults, at most one for each type.
	DefaultModels(ctx context.Context, tenantID string) ([]DefaultModel, error)
	// SaveDefaultModels inserts or replaces the defaults of the given types.
	SaveDefaultModels(ctx context.Context, tenantID string, models []DefaultModel) error
}

// Secrets seals and opens values with the workspace's key. *secretbox.Box is
// one.
type Secrets interface {
	Seal(ctx context.Context, tenantID, text string) (string, error)
	Unseal(ctx context.Context, tenantID, sealed string) (string, error)
}

// Definition is a provider that the product knows: what the console shows of
// it, and how its models are described, opened and tried.
type Definition struct {
	// ID is organisation/plugin/provider.
	ID             string
	Label          llm.Text
	Description    llm.Text
	Background     string
	Help           *Help
	ModelTypes     []llm.ModelType
	Methods        []string
	ProviderSchema *ProviderCredentialSchema
	ModelSchema    *ModelCredentialSchema
	// Icon is an SVG.
	Icon []byte

	// Describe derives a custom model's schema from its credentials.
	Describe func(ref ModelRef, credentials Credentials) *llm.Schema
	// Open returns the driver that calls the model.
	Open func(ref ModelRef, credentials Credentials) (llm.Driver, error)
}

// Credentials are the fields of a credential form in plain text. They are made
// where they are used and never logged.
type Credentials map[string]any

// Text returns a field as text, "" when it is not set.
func (c Credentials) Text(name string) string {
	s, _ := c[name].(string)
	return s
}

// String hides the values, so that printing credentials by mistake shows none.
func (c Credentials) String() string { return "credentials hidden" }

// GoString hides the values from %#v too.
func (c Credentials) GoString() string { return c.String() }
