package assemble_test

import (
	"go/parser"
	"go/token"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/catalogue"
)

const drivers = "github.com/millrace/millrace/shared/assemble/drivers/"

// wanted are the drivers that a function needs, by what the catalogue says it uses.
func wanted(f catalogue.Function) []string {
	out := []string{}
	for name, resources := range map[string][]catalogue.Resource{
		"blobs":   {catalogue.BlobRead, catalogue.BlobWrite},
		"calls":   {catalogue.CallCode},
		"queues":  {catalogue.SendRuns},
		"secrets": {catalogue.Postgres, catalogue.SecretKey},
	} {
		if slices.ContainsFunc(resources, func(r catalogue.Resource) bool { return slices.Contains(f.Uses, r) }) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func TestFunctionsLinkWhatTheCatalogueSays(t *testing.T) {
	t.Parallel()
	for _, f := range catalogue.Functions() {
		file, err := parser.ParseFile(token.NewFileSet(), "../../functions/"+f.Name+"/main.go", nil, parser.ImportsOnly)
		require.NoError(t, err)
		have := []string{}
		for _, spec := range file.Imports {
			if name, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), drivers); ok {
				have = append(have, name)
			}
		}
		slices.Sort(have)
		require.Equal(t, wanted(f), have, f.Name)
	}
}

// What a function links decides its size, its cold start and what code that
// breaks out of a jail finds.
func TestFunctionsLinkNothingElse(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("lists the dependencies of every function")
	}
	never := []string{
		"github.com/santhosh-tekuri/jsonschema", // compiles every draft's schema at start
		"html/template",                         // makes the linker keep every exported method
	}
	with := map[string][]string{
		"blobs":   {"gocloud.dev/blob/s3blob"},
		"calls":   {"github.com/aws/aws-sdk-go-v2/service/lambda"},
		"queues":  {"gocloud.dev/pubsub/awssnssqs"},
		"secrets": {"gocloud.dev/runtimevar/awssecretsmanager"},
		"":        {"github.com/aws/aws-sdk-go-v2/", "gocloud.dev/", "github.com/millrace/millrace/shared/postgres"},
	}
	seen := map[string]bool{}
	for _, f := range catalogue.Functions() {
		kind := strings.Join(wanted(f), " ")
		if seen[kind] {
			continue // built from the same parts
		}
		seen[kind] = true
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "lambda.norpc,aws,grpcnotrace", "../../functions/"+f.Name).Output()
		require.NoError(t, err, f.Name)
		refused := slices.Clone(never)
		names := wanted(f)
		for name, packages := range with {
			if !slices.Contains(names, name) && (name != "" || len(names) == 0) {
				refused = append(refused, packages...)
			}
		}
		for dep := range strings.Lines(string(out)) {
			dep = strings.TrimSpace(dep)
			for _, r := range refused {
				require.False(t, dep == r || strings.HasPrefix(dep, strings.TrimSuffix(r, "/")+"/"), "%s links %s", f.Name, dep)
			}
		}
	}
}
