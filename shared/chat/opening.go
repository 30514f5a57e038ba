package chat

import (
	"regexp"

	"github.com/millrace/millrace/shared/workflow/value"
)

var (
	reVariable  = regexp.MustCompile(`\{\{([a-zA-Z_][a-zA-Z0-9_]{0,29})\}\}`)
	reMarker    = regexp.MustCompile(`<\|.*?\|>`)
	reNestedVar = regexp.MustCompile(`\{\{(.*?)\}\}`)
)

// FillOpening puts inputs into an app's opening statement. Names that are no
// input stay as they are; inserted text cannot insert more, and special marks
// of models are taken out.
func FillOpening(opening string, inputs *value.Object) string {
	filled := reVariable.ReplaceAllStringFunc(opening, func(m string) string {
		v, ok := inputs.Get(m[2 : len(m)-2])
		if !ok {
			return m
		}
		if v == nil {
			return ""
		}
		return reNestedVar.ReplaceAllString(value.Text(v), "{$1}")
	})
	return reMarker.ReplaceAllString(filled, "")
}
