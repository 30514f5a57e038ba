// Package ids makes and checks the identifiers that the contract uses:
// 36-character uuids, version 7 for rows that are sorted by age and version 4
// where the contract shows random ones, plus the random tokens of API keys
// and site codes.
//
// It knows nothing of what an id stands for.
package ids

import (
	"crypto/rand"
	"math/big"

	"github.com/google/uuid"
)

// Nil is the nil uuid, which the contract uses as "no parent message".
const Nil = "00000000-0000-0000-0000-000000000000"

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// New returns a time-ordered uuid (version 7).
func New() string { return uuid.Must(uuid.NewV7()).String() }

// Random returns a random uuid (version 4).
func Random() string { return uuid.NewString() }

// Valid reports whether s is a uuid in any of the forms that the contract's
// path converters accept: 36 characters with dashes.
func Valid(s string) bool {
	return len(s) == 36 && uuid.Validate(s) == nil
}

// Token returns n random letters and digits from a cryptographic source.
func Token(n int) string {
	out := make([]byte, n)
	limit := big.NewInt(int64(len(alphanumeric)))
	for i := range out {
		k, err := rand.Int(rand.Reader, limit)
		if err != nil {
			panic(err) // the operating system has no randomness: nothing may go on
		}
		out[i] = alphanumeric[k.Int64()]
	}
	return string(out)
}
