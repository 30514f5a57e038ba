package secretbox

import "strings"

// Hidden stands for a stored secret in an update: the stored value is kept.
const Hidden = "[__HIDDEN__]"

// Mask shows a secret the way the contract does: the first six and the last
// two characters around twelve stars, or twenty stars when it is short.
func Mask(secret string) string {
	r := []rune(secret)
	if len(r) <= 8 {
		return strings.Repeat("*", 20)
	}
	return string(r[:6]) + strings.Repeat("*", 12) + string(r[len(r)-2:])
}
