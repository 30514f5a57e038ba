package answer_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/answer"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestFilesAndText(t *testing.T) {
	t.Parallel()
	png := &value.File{Type: "image", Filename: "p.png", URL: "http://x/p"}
	txt := &value.File{Type: "document", Filename: "b.txt", URL: "http://x/b"}
	pool := workflow.NewPool()
	pool.Set("sys", "query", "look")
	pool.Set("sys", "files", []any{png, txt})
	pool.Set("lo", "first", png)
	res, err := nodetest.Run(t.Context(), t, answer.New(),
		`{"answer":"{{#sys.query#}} first={{#lo.first#}} all={{#sys.files#}} {{#no.where#}}"}`, pool)
	require.NoError(t, err)
	require.Equal(t, "look first=![p.png](http://x/p) all=![p.png](http://x/p)\n[b.txt](http://x/b) no.where", res.Outputs.Value("answer"))
	require.Equal(t, []any{png, png, txt}, res.Outputs.Value("files"))
	require.Nil(t, res.Inputs)
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	n, err := answer.New().New(nodetest.Config(t, "a", `{"answer":"pre {{#b.c#}} post"}`))
	require.NoError(t, err)
	require.Equal(t, []workflow.Segment{{Text: "pre "}, {Selector: workflow.Selector{"b", "c"}}, {Text: " post"}}, n.(workflow.Responder).Template())
}
