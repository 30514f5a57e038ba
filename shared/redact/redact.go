// Package redact hides secrets in text that users and operators get to see:
// logged requests and the messages of errors.
//
// It knows texts, not where secrets come from: a workflow.Pool lists those of a
// run, and a context carries them to where calls are described. START HERE: Text.
package redact

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace/shared/workflow/value"
)

// Mask shows a secret the way the contract does: the first six and the last
// two characters around twelve stars, or twenty stars when it is short.
func Mask(secret string) string {
	r := []rune(secret)
	if len(r) <= 8 {
		return strings.Repeat("*", 20)
	}
	return string(r[:6]) + strings.Repeat("*", 12) + string(r[len(r)-2:])
}

// Text masks secrets in every form in which texts quote values: as they are,
// escaped for URLs, JSON or Python.
func Text(text string, secrets []string) string {
	if text == "" || len(secrets) == 0 {
		return text
	}
	// The longest first: one secret may be part of another.
	secrets = slices.SortedStableFunc(slices.Values(secrets), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, s := range secrets {
		if s == "" {
			continue
		}
		masked := Mask(s)
		for _, form := range forms(s) {
			text = strings.ReplaceAll(text, form, masked)
		}
	}
	return text
}

func forms(s string) []string {
	html, _ := json.Marshal(s)
	out := []string{
		s, url.QueryEscape(s), url.PathEscape(s), strings.TrimPrefix((&url.URL{Path: "/" + s}).EscapedPath(), "/"),
		inner(value.JSON(s)), inner(value.JSONASCII(s)), inner(string(html)), inner(value.Repr(s)),
	}
	// A form may be part of another one.
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return slices.Compact(out)
}

// inner takes the quotes off.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

type secretsKey struct{}

// WithSecrets tells whoever describes what happens under ctx, a tracer for
// example, which texts not to show.
func WithSecrets(ctx context.Context, secrets []string) context.Context {
	if len(secrets) == 0 {
		return ctx
	}
	return context.WithValue(ctx, secretsKey{}, secrets)
}

// For masks the secrets of ctx in a text.
func For(ctx context.Context, text string) string {
	secrets, _ := ctx.Value(secretsKey{}).([]string)
	return Text(text, secrets)
}
