package file

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strconv"
	"time"

	"github.com/millrace/millrace/shared/clock"
)

// Kinds of signed URLs.
const (
	kindFile  = "file-preview"
	kindImage = "image-preview"
)

// Signer makes the URLs under which files are fetched and checks them. A URL
// is good for some minutes and for one file.
type Signer struct {
	key   []byte
	base  string
	life  time.Duration
	clock clock.Clock
}

// NewSigner returns a signer. Base is put before the paths (FILES_URL); life 0
// means five minutes.
func NewSigner(secretKey, base string, life time.Duration, c clock.Clock) *Signer {
	if life <= 0 {
		life = 300 * time.Second
	}
	if c == nil {
		c = clock.System{}
	}
	return &Signer{key: []byte(secretKey), base: base, life: life, clock: c}
}

// Signature is the query of a signed URL.
type Signature struct{ Timestamp, Nonce, Sign string }

// Preview returns the URL of an uploaded file.
func (s *Signer) Preview(id string) string { return s.url("/files/"+id+"/file-preview", kindFile, id) }

// Image returns the URL of an uploaded image.
func (s *Signer) Image(id string) string { return s.url("/files/"+id+"/image-preview", kindImage, id) }

// Tool returns the URL of a tool file; extension has its dot.
func (s *Signer) Tool(id, extension string) string {
	if extension == "" {
		extension = ".bin"
	}
	return s.url("/files/tools/"+id+extension, kindFile, id)
}

func (s *Signer) url(path, kind, id string) string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails: the runtime ends the process instead
	sig := Signature{Timestamp: strconv.FormatInt(s.clock.Now().Unix(), 10), Nonce: hex.EncodeToString(raw[:])}
	sig.Sign = s.sign(kind, id, sig)
	return s.base + path + "?timestamp=" + sig.Timestamp + "&nonce=" + sig.Nonce + "&sign=" + url.QueryEscape(sig.Sign)
}

func (s *Signer) sign(kind, id string, sig Signature) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(kind + "|" + id + "|" + sig.Timestamp + "|" + sig.Nonce))
	return base64.URLEncoding.EncodeToString(mac.Sum(nil))
}

// verify compares in constant time and looks at the age.
func (s *Signer) verify(kind, id string, sig Signature) bool {
	if !hmac.Equal([]byte(s.sign(kind, id, sig)), []byte(sig.Sign)) {
		return false
	}
	at, err := strconv.ParseInt(sig.Timestamp, 10, 64)
	if err != nil {
		return false
	}
	age := s.clock.Now().Sub(time.Unix(at, 0))
	return age <= s.life && age >= -s.life
}
