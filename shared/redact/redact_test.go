package redact_test

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/redact"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestMask(t *testing.T) {
	t.Parallel()
	require.Equal(t, "********************", redact.Mask("short"))
	require.Equal(t, "********************", redact.Mask("12345678"))
	require.Equal(t, "123456************89", redact.Mask("123456789"))
}

func TestEveryFormIsMasked(t *testing.T) {
	t.Parallel()
	const secret = "p/r é+<s3cret>&\"it's\"\n?end"
	html, err := json.Marshal(secret)
	require.NoError(t, err)
	for _, text := range []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), (&url.URL{Scheme: "http", Host: "h", Path: "/" + secret}).String(),
		value.JSON(secret), value.JSONASCII(secret), string(html), value.Repr(secret), value.JSON(value.Obj("k", []any{secret})),
	} {
		got := redact.Text("before "+text+" after", []string{"", secret})
		require.NotContains(t, got, "s3cret", text)
		require.Contains(t, got, "************")
		require.Contains(t, got, "before ")
		require.Contains(t, got, " after")
	}
	require.Equal(t, "nothing here", redact.Text("nothing here", []string{secret}))
	require.Equal(t, secret, redact.Text(secret, nil))
}

func TestSecretsInSecrets(t *testing.T) {
	t.Parallel()
	require.Equal(t, "abcdef************op and ********************", redact.Text("abcdefghijklmnop and ghij", []string{"ghij", "abcdefghijklmnop"}))
}

func TestSecretsOfAContext(t *testing.T) {
	t.Parallel()
	ctx := redact.WithSecrets(t.Context(), []string{"123456789"})
	require.Equal(t, "/a/123456************89", redact.For(ctx, "/a/123456789"))
	require.Equal(t, "/a/123456789", redact.For(t.Context(), "/a/123456789"))
	require.Equal(t, t.Context(), redact.WithSecrets(t.Context(), nil))
}
