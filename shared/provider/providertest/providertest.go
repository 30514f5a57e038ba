// Package providertest is the suite that every provider.Store passes.
package providertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/provider"
)

const prov = "langgenius/openai_api_compatible/openai_api_compatible"

// Run runs the suite. open returns an empty store, or one that is shared:
// every test works in workspaces of its own. newTenant makes a workspace and
// returns its id; nil means that any uuid will do.
func Run(t *testing.T, open func(t *testing.T) provider.Store, newTenant func(t *testing.T) string) {
	t.Helper()
	if newTenant == nil {
		newTenant = func(*testing.T) string { return ids.Random() }
	}
	for name, test := range map[string]func(*testing.T, *bench){
		"AddAndList": testAddAndList, "Names": testNames, "Update": testUpdate, "Remove": testRemove,
		"UseAndDelete": testUseAndDelete, "Settings": testSettings, "Defaults": testDefaults, "Tenants": testTenants,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &bench{Store: open(t), tenant: newTenant(t), other: newTenant(t), at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
		})
	}
}

type bench struct {
	provider.Store
	tenant, other string
	at            time.Time
}

// chat is the model of most tests.
var chat = provider.ModelRef{Model: "chat", Type: llm.TypeLLM}

func (b *bench) credential(ref provider.ModelRef, name string) provider.ModelCredential {
	b.at = b.at.Add(time.Second)
	return provider.ModelCredential{ID: ids.New(), TenantID: b.tenant, Provider: prov, ModelRef: ref, Name: name,
		Config: `{"api_key":"` + name + `"}`, CreatedAt: b.at, UpdatedAt: b.at}
}

func (b *bench) add(t *testing.T, ref provider.ModelRef, name string) provider.ModelCredential {
	t.Helper()
	c := b.credential(ref, name)
	require.NoError(t, b.AddModelCredential(t.Context(), c))
	return c
}

func testAddAndList(t *testing.T, b *bench) {
	t.Helper()
	one := b.add(t, chat, "one")
	two := b.add(t, chat, "two")
	embed := b.add(t, provider.ModelRef{Model: "chat", Type: llm.TypeTextEmbedding}, "one")
	models, err := b.CustomModels(t.Context(), b.tenant)
	require.NoError(t, err)
	require.Len(t, models, 2, "a model has its type in its identity")
	require.Equal(t, one.ID, models[0].CredentialID, "the first credential is the one in use")
	require.Equal(t, "one", models[0].CredentialName)
	require.JSONEq(t, one.Config, models[0].Config)
	require.True(t, models[0].Enabled)
	require.True(t, models[0].Valid)
	require.Equal(t, embed.ModelRef, models[1].ModelRef)
	m, err := b.CustomModel(t.Context(), b.tenant, prov, chat)
	require.NoError(t, err)
	require.Equal(t, models[0], m)
	creds, err := b.ModelCredentials(t.Context(), b.tenant, prov, &chat)
	require.NoError(t, err)
	require.Len(t, creds, 2)
	require.Equal(t, []string{one.ID, two.ID}, []string{creds[0].ID, creds[1].ID})
	require.Equal(t, chat, creds[0].ModelRef)
	require.WithinDuration(t, one.CreatedAt, creds[0].CreatedAt, time.Second)
	creds, err = b.ModelCredentials(t.Context(), b.tenant, prov, nil)
	require.NoError(t, err)
	require.Len(t, creds, 3)
	creds, err = b.ModelCredentials(t.Context(), b.tenant, "other/other/other", nil)
	require.NoError(t, err)
	require.Empty(t, creds)
	_, err = b.CustomModel(t.Context(), b.tenant, prov, provider.ModelRef{Model: "none", Type: llm.TypeLLM})
	require.True(t, errs.Is(err, errs.NotFound))
}

func testNames(t *testing.T, b *bench) {
	t.Helper()
	b.add(t, chat, "one")
	two := b.add(t, chat, "two")
	require.True(t, errs.Is(b.AddModelCredential(t.Context(), b.credential(chat, "one")), errs.Conflict))
	two.Name = "one"
	require.True(t, errs.Is(b.UpdateModelCredential(t.Context(), two), errs.Conflict))
	b.add(t, provider.ModelRef{Model: "other", Type: llm.TypeLLM}, "one")
}

func testUpdate(t *testing.T, b *bench) {
	t.Helper()
	c := b.add(t, chat, "one")
	c.Name, c.Config = "renamed", `{"api_key":"new"}`
	require.NoError(t, b.UpdateModelCredential(t.Context(), c))
	m, err := b.CustomModel(t.Context(), b.tenant, prov, chat)
	require.NoError(t, err)
	require.Equal(t, "renamed", m.CredentialName)
	require.JSONEq(t, c.Config, m.Config)
	c.ID = ids.New()
	require.True(t, errs.Is(b.UpdateModelCredential(t.Context(), c), errs.NotFound))
}

func testRemove(t *testing.T, b *bench) {
	t.Helper()
	one, two := b.add(t, chat, "one"), b.add(t, chat, "two")
	require.NoError(t, b.RemoveModelCredential(t.Context(), b.tenant, prov, chat, one.ID))
	m, err := b.CustomModel(t.Context(), b.tenant, prov, chat)
	require.NoError(t, err, "the model stays while it has credentials")
	require.Empty(t, m.CredentialID)
	require.Empty(t, m.Config)
	require.NoError(t, b.UseCredential(t.Context(), b.tenant, prov, chat, two.ID))
	require.NoError(t, b.RemoveModelCredential(t.Context(), b.tenant, prov, chat, two.ID))
	_, err = b.CustomModel(t.Context(), b.tenant, prov, chat)
	require.True(t, errs.Is(err, errs.NotFound), "the last one takes the model along")
	require.True(t, errs.Is(b.RemoveModelCredential(t.Context(), b.tenant, prov, chat, two.ID), errs.NotFound))
}

func testUseAndDelete(t *testing.T, b *bench) {
	t.Helper()
	c := b.add(t, chat, "one")
	require.NoError(t, b.DeleteCustomModel(t.Context(), b.tenant, prov, chat))
	require.True(t, errs.Is(b.DeleteCustomModel(t.Context(), b.tenant, prov, chat), errs.NotFound))
	models, err := b.CustomModels(t.Context(), b.tenant)
	require.NoError(t, err)
	require.Empty(t, models)
	creds, err := b.ModelCredentials(t.Context(), b.tenant, prov, &chat)
	require.NoError(t, err)
	require.Len(t, creds, 1, "credentials outlive their model")
	require.NoError(t, b.UseCredential(t.Context(), b.tenant, prov, chat, c.ID))
	m, err := b.CustomModel(t.Context(), b.tenant, prov, chat)
	require.NoError(t, err)
	require.Equal(t, c.ID, m.CredentialID)
	other := provider.ModelRef{Model: "other", Type: llm.TypeLLM}
	require.True(t, errs.Is(b.UseCredential(t.Context(), b.tenant, prov, other, c.ID), errs.NotFound))
}

func testSettings(t *testing.T, b *bench) {
	t.Helper()
	c := b.add(t, chat, "one")
	set := provider.ModelSetting{TenantID: b.tenant, Provider: prov, ModelRef: chat}
	for _, enabled := range []bool{false, true, false} {
		set.Enabled = enabled
		require.NoError(t, b.SaveModelSetting(t.Context(), set))
		m, err := b.CustomModel(t.Context(), b.tenant, prov, chat)
		require.NoError(t, err)
		require.Equal(t, enabled, m.Enabled)
	}
	require.NoError(t, b.DeleteCustomModel(t.Context(), b.tenant, prov, chat))
	require.NoError(t, b.UseCredential(t.Context(), b.tenant, prov, chat, c.ID))
	m, err := b.CustomModel(t.Context(), b.tenant, prov, chat)
	require.NoError(t, err)
	require.True(t, m.Enabled, "settings go with the model")
}

func testDefaults(t *testing.T, b *bench) {
	t.Helper()
	save := func(model string, kind llm.ModelType) provider.DefaultModel {
		return provider.DefaultModel{TenantID: b.tenant, Provider: prov, ModelRef: provider.ModelRef{Model: model, Type: kind}}
	}
	require.NoError(t, b.SaveDefaultModels(t.Context(), b.tenant, []provider.DefaultModel{save("a", llm.TypeLLM), save("e", llm.TypeTextEmbedding)}))
	require.NoError(t, b.SaveDefaultModels(t.Context(), b.tenant, []provider.DefaultModel{save("b", llm.TypeLLM)}))
	got, err := b.DefaultModels(t.Context(), b.tenant)
	require.NoError(t, err)
	require.ElementsMatch(t, []provider.DefaultModel{save("b", llm.TypeLLM), save("e", llm.TypeTextEmbedding)}, got)
}

func testTenants(t *testing.T, b *bench) {
	t.Helper()
	c := b.add(t, chat, "one")
	require.NoError(t, b.SaveDefaultModels(t.Context(), b.tenant, []provider.DefaultModel{{TenantID: b.tenant, Provider: prov, ModelRef: chat}}))
	models, err := b.CustomModels(t.Context(), b.other)
	require.NoError(t, err)
	require.Empty(t, models)
	creds, err := b.ModelCredentials(t.Context(), b.other, prov, nil)
	require.NoError(t, err)
	require.Empty(t, creds)
	defaults, err := b.DefaultModels(t.Context(), b.other)
	require.NoError(t, err)
	require.Empty(t, defaults)
	_, err = b.CustomModel(t.Context(), b.other, prov, chat)
	require.True(t, errs.Is(err, errs.NotFound))
	foreign := c
	foreign.TenantID = b.other
	require.True(t, errs.Is(b.UpdateModelCredential(t.Context(), foreign), errs.NotFound))
	require.True(t, errs.Is(b.UseCredential(t.Context(), b.other, prov, chat, c.ID), errs.NotFound))
	require.True(t, errs.Is(b.DeleteCustomModel(t.Context(), b.other, prov, chat), errs.NotFound))
	require.True(t, errs.Is(b.RemoveModelCredential(t.Context(), b.other, prov, chat, c.ID), errs.NotFound))
	_, err = b.CustomModel(t.Context(), b.tenant, prov, chat)
	require.NoError(t, err)
}
