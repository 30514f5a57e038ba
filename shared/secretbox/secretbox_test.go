package secretbox_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/secretbox"
)

//go:embed testdata/vectors.json
var vectorsJSON []byte

type vectors struct {
	PrivatePEM      string `json:"private_pem"`
	PrivatePKCS8    string `json:"private_pem_pkcs8"`
	PublicPEM       string `json:"public_pem"`
	OtherPrivatePEM string `json:"other_private_pem"`
	Hybrid, Plain   []struct{ Text, Sealed string }
}

func load(t *testing.T) vectors {
	t.Helper()
	var v vectors
	require.NoError(t, json.Unmarshal(vectorsJSON, &v))
	require.NotEmpty(t, v.Hybrid)
	return v
}

func boxWith(t *testing.T, pem string, opts *secretbox.Options) (*secretbox.Box, *blob.Bucket) {
	t.Helper()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	if pem != "" {
		require.NoError(t, bucket.WriteAll(context.Background(), secretbox.KeyPath("t1"), []byte(pem), nil))
	}
	return secretbox.Open(bucket, opts), bucket
}

func TestReadsValuesOfAnotherImplementation(t *testing.T) {
	t.Parallel()
	v := load(t)
	for name, pem := range map[string]string{"pkcs1": v.PrivatePEM, "pkcs8": v.PrivatePKCS8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, _ := boxWith(t, pem, nil)
			for _, c := range append(v.Hybrid, v.Plain...) {
				got, err := box.Unseal(context.Background(), "t1", c.Sealed)
				require.NoError(t, err)
				require.Equal(t, c.Text, got)
			}
			public, err := box.GenerateKey(context.Background(), "t1")
			require.NoError(t, err)
			require.Equal(t, strings.TrimSpace(v.PublicPEM), strings.TrimSpace(public), "an existing key is kept")
		})
	}
}

func TestSealAndUnseal(t *testing.T) {
	t.Parallel()
	v, ctx := load(t), context.Background()
	box, _ := boxWith(t, v.PrivatePEM, nil)
	for _, text := range []string{"", "sk-123", "模型 🔑", strings.Repeat("z", 5000)} {
		one, err := box.Seal(ctx, "t1", text)
		require.NoError(t, err)
		two, err := box.Seal(ctx, "t1", text)
		require.NoError(t, err)
		require.NotEqual(t, one, two, "a sealed value must not show that two secrets are equal")
		got, err := box.Unseal(ctx, "t1", one)
		require.NoError(t, err)
		require.Equal(t, text, got)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	v, ctx := load(t), context.Background()
	box, _ := boxWith(t, v.PrivatePEM, nil)
	other, _ := boxWith(t, v.OtherPrivatePEM, nil)
	sealed, err := box.Seal(ctx, "t1", "secret text")
	require.NoError(t, err)

	_, err = other.Unseal(ctx, "t1", sealed)
	require.Error(t, err, "another tenant's key opens nothing")
	_, err = box.Unseal(ctx, "t2", sealed)
	require.True(t, errs.Is(err, errs.NotFound))
	for _, bad := range []string{"", "???", "SFlCUklEOg==", sealed[:len(sealed)-8], "A" + sealed[1:]} {
		_, err = box.Unseal(ctx, "t1", bad)
		require.Error(t, err, bad)
		require.NotContains(t, errs.Public(err).Message, "secret text")
	}
	flipped := []byte(sealed)
	if flipped[len(flipped)-4] == 'A' {
		flipped[len(flipped)-4] = 'B'
	} else {
		flipped[len(flipped)-4] = 'A'
	}
	_, err = box.Unseal(ctx, "t1", string(flipped))
	require.Error(t, err, "a changed value is refused")
}

func TestGenerateKeyWritesTheContractsPath(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	box, bucket := boxWith(t, "", nil)
	public, err := box.GenerateKey(ctx, "t9")
	require.NoError(t, err)
	require.Contains(t, public, "BEGIN PUBLIC KEY")
	data, err := bucket.ReadAll(ctx, "privkeys/t9/private.pem")
	require.NoError(t, err)
	require.Contains(t, string(data), "BEGIN RSA PRIVATE KEY")
	sealed, err := box.Seal(ctx, "t9", "x")
	require.NoError(t, err)
	// A second process has only the bucket.
	got, err := secretbox.Open(bucket, nil).Unseal(ctx, "t9", sealed)
	require.NoError(t, err)
	require.Equal(t, "x", got)
}

func TestKeysAreForgottenAfterTheTTL(t *testing.T) {
	t.Parallel()
	v, ctx := load(t), context.Background()
	fake := clock.NewFake(time.Unix(1000, 0))
	box, bucket := boxWith(t, v.PrivatePEM, &secretbox.Options{Clock: fake, TTL: time.Minute})
	_, err := box.Seal(ctx, "t1", "x")
	require.NoError(t, err)
	require.NoError(t, bucket.Delete(ctx, secretbox.KeyPath("t1")))
	_, err = box.Seal(ctx, "t1", "x")
	require.NoError(t, err, "still cached")
	fake.Advance(time.Minute)
	_, err = box.Seal(ctx, "t1", "x")
	require.True(t, errs.Is(err, errs.NotFound))
}

func TestMask(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                 strings.Repeat("*", 20),
		"12345678":         strings.Repeat("*", 20),
		"123456789":        "123456" + strings.Repeat("*", 12) + "89",
		"sk-abcdefghijklm": "sk-abc" + strings.Repeat("*", 12) + "lm",
	} {
		require.Equal(t, want, secretbox.Mask(in))
	}
}
