package chat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestFillOpening(t *testing.T) {
	t.Parallel()
	inputs := value.Obj("name", "you", "n", int64(3), "none", nil, "evil", "{{name}} <|system|>")
	for in, want := range map[string]string{
		"Welcome {{name}}!":  "Welcome you!",
		"{{n}} {{none}}|":    "3 |",
		"{{unknown}} {{1x}}": "{{unknown}} {{1x}}",
		"{{evil}}":           "{name} ",
		"a <|im_start|> b":   "a  b",
		"nothing to fill":    "nothing to fill",
	} {
		require.Equal(t, want, chat.FillOpening(in, inputs), in)
	}
}
