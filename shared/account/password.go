package account

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"unicode"

	"github.com/millrace/millrace/shared/errs"
)

// The contract's parameters: rows of attached databases carry no others.
const (
	hashRounds = 10000
	saltBytes  = 16
	hashBytes  = 32
)

// CheckPassword refuses passwords that are too weak. Codes: InvalidParam.
func CheckPassword(password string) error {
	var letter, digit bool
	for _, r := range password {
		letter = letter || r < unicode.MaxASCII && unicode.IsLetter(r)
		digit = digit || r >= '0' && r <= '9'
	}
	if !letter || !digit || len([]rune(password)) < 8 {
		return errs.New(errs.InvalidParam, "Password must contain letters and numbers, and the length must be greater than 8.")
	}
	return nil
}

// HashPassword returns what is stored of a password: hash and salt.
func HashPassword(password string) (hash, salt string, err error) {
	raw := make([]byte, saltBytes)
	if _, err := rand.Read(raw); err != nil {
		return "", "", err
	}
	hash, err = derive(password, raw)
	return hash, base64.StdEncoding.EncodeToString(raw), err
}

func derive(password string, salt []byte) (string, error) {
	key, err := pbkdf2.Key(sha256.New, password, salt, hashRounds, hashBytes)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(key))), nil
}

// hasPassword reports whether the password is the account's. It takes as long
// for an account without one.
func (a Account) hasPassword(password string) bool {
	salt, err := base64.StdEncoding.DecodeString(a.PasswordSalt)
	if err != nil {
		return false
	}
	if len(salt) == 0 {
		salt = make([]byte, saltBytes)
	}
	got, err := derive(password, salt)
	return err == nil && a.PasswordHash != "" && subtle.ConstantTimeCompare([]byte(got), []byte(a.PasswordHash)) == 1
}
