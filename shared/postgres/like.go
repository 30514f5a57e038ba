package postgres

import "strings"

// Like makes an ILIKE pattern that finds the text anywhere; "" stays "", for
// statements that do not filter then.
func Like(text string) string {
	if text == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(text) + "%"
}
