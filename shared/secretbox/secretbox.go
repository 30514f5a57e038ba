// Package secretbox seals the secrets of a tenant: model credentials, tool
// credentials, secret environment variables. It speaks the contract's scheme,
// so that rows of an attached database stay readable and rows written here can
// be read after detaching.
//
// Each tenant has an RSA key. Its private half is a PEM in the blob store at
// privkeys/<tenant>/private.pem, its public half stands in
// tenants.encrypt_public_key. A sealed value is base64 of
//
//	"HYBRID:" + RSA-OAEP-SHA1(16-byte AES key) + 16-byte nonce + 16-byte tag + AES-EAX ciphertext
//
// and a value without the prefix is plain RSA-OAEP of the text.
//
// It is not a key management system: a KMS can hold the bucket's objects
// encrypted. The seam that callers in the domain use is provider.Secrets.
package secretbox

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the contract's OAEP hash; OAEP does not rest on collision resistance
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/eax"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
)

const (
	prefix    = "HYBRID:"
	keyBits   = 2048
	aesBytes  = 16
	nonceSize = 16
	tagSize   = 16
)

// Options tunes a Box. The zero value works.
type Options struct {
	// Clock dates the cached keys; nil means the machine's.
	Clock clock.Clock
	// TTL is how long a private key stays in memory; 0 means two minutes,
	// negative means that keys are not kept at all.
	TTL time.Duration
	// MaxKeys bounds the cache; 0 means 256.
	MaxKeys int
}

// Box seals and opens secrets with the tenants' keys. It is safe for
// concurrent use.
type Box struct {
	bucket  *blob.Bucket
	clock   clock.Clock
	ttl     time.Duration
	maxKeys int

	mu   sync.Mutex
	keys map[string]cached
}

type cached struct {
	key   *rsa.PrivateKey
	until time.Time
}

// Open returns a Box over the bucket that holds the tenants' private keys. The
// bucket stays the caller's to close.
func Open(bucket *blob.Bucket, opts *Options) *Box {
	if opts == nil {
		opts = &Options{}
	}
	b := &Box{bucket: bucket, clock: opts.Clock, ttl: opts.TTL, maxKeys: opts.MaxKeys, keys: map[string]cached{}}
	if b.clock == nil {
		b.clock = clock.System{}
	}
	if b.ttl == 0 {
		b.ttl = 2 * time.Minute
	}
	if b.maxKeys <= 0 {
		b.maxKeys = 256
	}
	return b
}

// KeyPath is where the private key of a tenant lies in the bucket.
func KeyPath(tenantID string) string { return "privkeys/" + tenantID + "/private.pem" }

// GenerateKey makes the key of a new tenant, stores its private half and
// returns the public PEM for tenants.encrypt_public_key. A tenant that has a
// key already gets the public half of that key: replacing it would make every
// sealed value of the tenant unreadable.
func (b *Box) GenerateKey(ctx context.Context, tenantID string) (string, error) {
	key, err := b.privateKey(ctx, tenantID)
	if errs.Is(err, errs.NotFound) {
		key, err = b.newKey(ctx, tenantID)
	}
	if err != nil {
		return "", err
	}
	return publicPEM(&key.PublicKey)
}

func (b *Box) newKey(ctx context.Context, tenantID string) (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "")
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	// IfNotExist keeps two first calls from leaving one of them with a key that
	// is not the stored one.
	err = b.bucket.WriteAll(ctx, KeyPath(tenantID), data, &blob.WriterOptions{
		ContentType: "application/x-pem-file", IfNotExist: true})
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return b.privateKey(ctx, tenantID)
	}
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "")
	}
	b.keep(tenantID, key)
	return key, nil
}

// Seal encrypts text with the tenant's key. It answers NotFound when the
// tenant has no key.
func (b *Box) Seal(ctx context.Context, tenantID, text string) (string, error) {
	key, err := b.privateKey(ctx, tenantID)
	if err != nil {
		return "", err
	}
	return seal(&key.PublicKey, text)
}

// Unseal decrypts what Seal, or an attached installation, has written. It
// answers NotFound when the tenant has no key and Internal when the value was
// not sealed with it.
func (b *Box) Unseal(ctx context.Context, tenantID, sealed string) (string, error) {
	key, err := b.privateKey(ctx, tenantID)
	if err != nil {
		return "", err
	}
	return unseal(key, sealed)
}

func (b *Box) privateKey(ctx context.Context, tenantID string) (*rsa.PrivateKey, error) {
	b.mu.Lock()
	have, ok := b.keys[tenantID]
	b.mu.Unlock()
	if ok && b.clock.Now().Before(have.until) {
		return have.key, nil
	}
	data, err := b.bucket.ReadAll(ctx, KeyPath(tenantID))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, &errs.Error{Code: errs.NotFound, Message: "The workspace has no encryption key.", Cause: err}
	}
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "")
	}
	key, err := parsePrivate(data)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "")
	}
	b.keep(tenantID, key)
	return key, nil
}

func (b *Box) keep(tenantID string, key *rsa.PrivateKey) {
	if b.ttl < 0 {
		return
	}
	now := b.clock.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, c := range b.keys {
		if len(b.keys) < b.maxKeys && now.Before(c.until) {
			continue
		}
		delete(b.keys, id)
	}
	b.keys[tenantID] = cached{key: key, until: now.Add(b.ttl)}
}

func seal(key *rsa.PublicKey, text string) (string, error) {
	aesKey, nonce := make([]byte, aesBytes), make([]byte, nonceSize)
	for _, buf := range [][]byte{aesKey, nonce} {
		if _, err := rand.Read(buf); err != nil {
			return "", errs.Wrap(errs.Internal, err, "")
		}
	}
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, aesKey, nil) //nolint:gosec // see the import
	if err != nil {
		return "", errs.Wrap(errs.Internal, err, "")
	}
	aead, err := newEAX(aesKey)
	if err != nil {
		return "", errs.Wrap(errs.Internal, err, "")
	}
	body := aead.Seal(nil, nonce, []byte(text), nil)
	tag := body[len(body)-tagSize:]
	out := bytes.Join([][]byte{[]byte(prefix), wrapped, nonce, tag, body[:len(body)-tagSize]}, nil)
	return base64.StdEncoding.EncodeToString(out), nil
}

func unseal(key *rsa.PrivateKey, sealed string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", errs.Wrap(errs.Internal, errors.New("sealed value is not base64"), "")
	}
	rest, hybrid := bytes.CutPrefix(data, []byte(prefix))
	if !hybrid {
		text, err := rsa.DecryptOAEP(sha1.New(), nil, key, data, nil) //nolint:gosec // see the import
		return string(text), errs.Wrap(errs.Internal, err, "")
	}
	if len(rest) < key.Size()+nonceSize+tagSize {
		return "", errs.Wrap(errs.Internal, errors.New("sealed value is too short"), "")
	}
	wrapped, rest := rest[:key.Size()], rest[key.Size():]
	nonce, tag, body := rest[:nonceSize], rest[nonceSize:nonceSize+tagSize], rest[nonceSize+tagSize:]
	aesKey, err := rsa.DecryptOAEP(sha1.New(), nil, key, wrapped, nil) //nolint:gosec // see the import
	if err != nil {
		return "", errs.Wrap(errs.Internal, err, "")
	}
	aead, err := newEAX(aesKey)
	if err != nil {
		return "", errs.Wrap(errs.Internal, err, "")
	}
	text, err := aead.Open(nil, nonce, bytes.Join([][]byte{body, tag}, nil), nil)
	return string(text), errs.Wrap(errs.Internal, err, "")
}

type aead interface {
	Seal(dst, nonce, plaintext, additionalData []byte) []byte
	Open(dst, nonce, ciphertext, additionalData []byte) ([]byte, error)
}

func newEAX(key []byte) (aead, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return eax.NewEAXWithNonceAndTagSize(block, nonceSize, tagSize)
}

func parsePrivate(data []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("private key is not PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	any8, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := any8.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("private key is not RSA")
	}
	return key, nil
}

func publicPEM(key *rsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", errs.Wrap(errs.Internal, err, "")
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}
