package providers

import (
	"fmt"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/provider"
)

// modelBody names a model; it is part of most bodies.
type modelBody struct {
	Model     *string `json:"model"`
	ModelType *string `json:"model_type"`
}

func (b *modelBody) check(p *edge.Problems) {
	p.Require("model", b.Model != nil)
	if p.Require("model_type", b.ModelType != nil); b.ModelType != nil {
		checkType(p, "model_type", *b.ModelType)
	}
}

// ref returns the model that a valid body names.
func (b *modelBody) ref() provider.ModelRef {
	return provider.ModelRef{Model: *b.Model, Type: llm.ModelType(*b.ModelType)}
}

// Validate checks the fields.
func (b *modelBody) Validate() error {
	var p edge.Problems
	b.check(&p)
	return p.Err()
}

type validateBody struct {
	modelBody
	Credentials *provider.Credentials `json:"credentials"`
}

func (b *validateBody) check(p *edge.Problems) {
	b.modelBody.check(p)
	p.Require("credentials", b.Credentials != nil)
}

// Validate checks the fields.
func (b *validateBody) Validate() error {
	var p edge.Problems
	b.check(&p)
	return p.Err()
}

// maxName is the longest name of a credential.
const maxName = 30

type credentialBody struct {
	validateBody
	Name *string `json:"name"`
}

func (b *credentialBody) check(p *edge.Problems) {
	b.validateBody.check(p)
	if b.Name != nil {
		p.Length("name", *b.Name, 0, maxName)
	}
}

// Validate checks the fields.
func (b *credentialBody) Validate() error {
	var p edge.Problems
	b.check(&p)
	return p.Err()
}

func (b *credentialBody) input() provider.CredentialInput {
	return provider.CredentialInput{Name: b.Name, Credentials: *b.Credentials}
}

type updateBody struct {
	credentialBody
	CredentialID *string `json:"credential_id"`
}

// Validate checks the fields.
func (b *updateBody) Validate() error {
	var p edge.Problems
	b.check(&p)
	p.Require("credential_id", b.CredentialID != nil)
	return p.Err()
}

type credentialRefBody struct {
	modelBody
	CredentialID *string `json:"credential_id"`
}

// Validate checks the fields.
func (b *credentialRefBody) Validate() error {
	var p edge.Problems
	b.check(&p)
	p.Require("credential_id", b.CredentialID != nil)
	return p.Err()
}

type addModelBody struct {
	modelBody
	LoadBalancing *struct {
		Enabled *bool            `json:"enabled"`
		Configs []map[string]any `json:"configs"`
	} `json:"load_balancing"`
	ConfigFrom   string `json:"config_from"`
	CredentialID string `json:"credential_id"`
}

// balances reports whether the body asks for load balancing.
func (b *addModelBody) balances() bool {
	return b.LoadBalancing != nil && (len(b.LoadBalancing.Configs) > 0 || b.LoadBalancing.Enabled != nil && *b.LoadBalancing.Enabled)
}

type defaultsBody struct {
	Settings *[]provider.DefaultSetting `json:"model_settings"`
}

// Validate checks the fields.
func (b *defaultsBody) Validate() error {
	var p edge.Problems
	if p.Require("model_settings", b.Settings != nil); b.Settings != nil {
		for i, s := range *b.Settings {
			checkType(&p, fmt.Sprintf("model_settings.%d.model_type", i), s.ModelType)
		}
	}
	return p.Err()
}
