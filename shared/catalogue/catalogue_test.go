package catalogue_test

import (
	"flag"
	"net/http"
	"os"
	"testing"

	"github.com/millrace/millrace/shared/catalogue"
	"github.com/stretchr/testify/require"
)

func TestTableIsConsistent(t *testing.T) {
	t.Parallel()
	names, queues := map[string]bool{}, map[string]bool{}
	mux := http.NewServeMux() // panics when two routes conflict
	for _, f := range catalogue.Functions() {
		require.False(t, names[f.Name], f.Name)
		names[f.Name] = true
		require.NotEmpty(t, f.Summary, f.Name)
		require.NotEmpty(t, f.Sample, f.Name)
		require.Positive(t, f.Timeout, f.Name)
		require.Positive(t, f.MemoryMB, f.Name)
		require.Equal(t, f.Kind == catalogue.HTTP, len(f.Routes) > 0, f.Name)
		require.Equal(t, f.Kind == catalogue.Queue, len(f.Queues) > 0, f.Name)
		require.Equal(t, f.Kind == catalogue.Schedule, f.Every > 0, f.Name)
		for _, r := range f.Routes {
			mux.Handle(r.Pattern(), http.NotFoundHandler())
		}
		for _, q := range f.Queues {
			require.False(t, queues[q], q)
			queues[q] = true
		}
	}
	require.True(t, queues[catalogue.RunQueue("team")])
	require.True(t, queues[catalogue.RunQueue("anything else")])
}

var update = flag.Bool("update", false, "write docs/functions.md")

func TestDocumentationIsDerived(t *testing.T) {
	t.Parallel()
	const path = "../../docs/functions.md"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(catalogue.Markdown()), 0o644))
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, catalogue.Markdown(), string(have), "run: go test ./shared/catalogue -update")
}

func TestEveryFunctionHasAFolderAndASample(t *testing.T) {
	t.Parallel()
	for _, f := range catalogue.Functions() {
		require.FileExists(t, "../../functions/"+f.Name+"/main.go")
		require.FileExists(t, "../../events/"+f.Sample)
	}
}
