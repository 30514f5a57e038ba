package secretbox

import "github.com/millrace/millrace/shared/redact"

// Hidden stands for a stored secret in an update: the stored value is kept.
const Hidden = "[__HIDDEN__]"

// Mask shows a secret the way the contract does: the first six and the last
// two characters around twelve stars, or twenty stars when it is short.
func Mask(secret string) string { return redact.Mask(secret) }
