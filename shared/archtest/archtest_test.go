package archtest

import (
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

var repository = sync.OnceValues(func() (*Repo, error) { return Load(os.DirFS("../..")) })

func TestHouseRules(t *testing.T) {
	t.Parallel()
	repo, err := repository()
	require.NoError(t, err)
	used := map[exception]bool{}
	for _, rule := range Rules() {
		var broken []string
		for _, v := range rule.Check(repo) {
			if e, ok := allowed(rule.Name, v.Path); ok {
				used[e] = true
				continue
			}
			broken = append(broken, v.String())
		}
		if len(broken) > 0 {
			t.Errorf("rule %q: %s\n  %s", rule.Name, rule.Says, strings.Join(broken, "\n  "))
		}
	}
	for _, e := range exceptions() {
		require.NotEmpty(t, e.reason, "%s %s", e.rule, e.path)
		if !used[e] {
			t.Errorf("the exception from %q for %s is no longer needed: remove it from allow.go", e.rule, e.path)
		}
	}
}

func allowed(rule, path string) (exception, bool) {
	for _, e := range exceptions() {
		if e.rule == rule && (path == e.path || under(path, e.path)) {
			return e, true
		}
	}
	return exception{}, false
}

// TestRulesFindBreaches shows each rule a file that breaks it and one that does
// not.
func TestRulesFindBreaches(t *testing.T) {
	t.Parallel()
	const doc = "// Package x is here to be looked at by rules.\n"
	cases := map[string]struct{ rule, path, bad, good string }{
		"shared imports local": {
			"imports", "shared/x/x.go", doc + "package x\nimport _ \"" + Module + "/local/embedded\"\n",
			doc + "package x\nimport _ \"" + Module + "/shared/clock\"\n",
		},
		"domain imports an adapter": {
			"imports", "shared/app/x.go", doc + "package app\nimport _ \"" + Module + "/shared/postgres/apps\"\n",
			doc + "package app\nimport _ \"" + Module + "/shared/postgresql\"\n",
		},
		"domain imports a driver": {
			"domain", "shared/workflow/x.go", doc + "package x\nimport _ \"github.com/jackc/pgx/v5/pgxpool\"\n",
			doc + "package x\nimport _ \"strings\"\n",
		},
		"a node may speak HTTP": {
			"domain", "shared/workflow/node/x/x.go", doc + "package x\nimport _ \"database/sql\"\n",
			doc + "package x\nimport _ \"net/http\"\n",
		},
		"init": {
			"init", "shared/x/x.go", doc + "package x\nfunc init() {}\n", doc + "package x\ntype T int\nfunc (T) init() {}\n",
		},
		"package doc": {"doc", "shared/x/x.go", "// TODO\npackage x\n", doc + "package x\n"},
		"exported doc": {
			"exported", "shared/x/x.go", doc + "package x\ntype T int\n", doc + "package x\n// T is a thing.\ntype T int\n",
		},
		"environment": {
			"environment", "shared/x/x.go", doc + "package x\nimport \"os\"\nvar X = os.Getenv(\"X\")\n",
			doc + "package x\nimport \"os\"\nvar X = os.Args\n",
		},
		"environment under another name": {
			"environment", "functions/x/x.go", doc + "package x\nimport env \"os\"\nvar X, Y = env.LookupEnv(\"X\")\n",
			doc + "package x\nvar env struct{ LookupEnv int }\nvar X = env.LookupEnv\n",
		},
		"dial": {
			"dial", "shared/x/x.go", doc + "package x\nimport \"net/http\"\nvar C = &http.Client{}\n",
			doc + "package x\nimport \"net/http\"\nvar S = &http.Server{}\n",
		},
		"a client that is given": {
			"dial", "shared/x/x.go", doc + "package x\nimport \"net/http\"\nvar c http.Client\n",
			doc + "package x\nimport \"net/http\"\ntype t struct{ c *http.Client }\nfunc f(*http.Client) {}\n",
		},
		"default client": {
			"dial", "functions/x/main.go", doc + "package x\nimport \"net/http\"\nvar c = http.DefaultClient\n",
			doc + "package x\nimport \"net/http\"\nvar c = http.StatusOK\n",
		},
		"an adapter below a domain package": {
			"domain", "shared/provider/x.go", doc + "package x\nimport _ \"net/http\"\n", doc + "package x\n",
		},
		"time": {
			"time", "shared/x/x.go", doc + "package x\nimport \"time\"\nvar T = time.Now()\n",
			doc + "package x\nimport \"time\"\nvar T = time.Second\n",
		},
		"sleep in a test": {
			"sleep", "shared/x/x_test.go", doc + "package x\nimport \"time\"\nfunc f() { time.Sleep(1) }\n",
			doc + "package x\nimport \"time\"\nfunc f() { <-time.After(1) }\n",
		},
		"long file": {
			"length", "shared/x/x.go", doc + "package x\n" + strings.Repeat("\n", maxFile), doc + "package x\n" + strings.Repeat("\n", maxFile-10),
		},
		"long function": {
			"length", "shared/x/x.go", doc + "package x\nfunc f() {" + strings.Repeat("\n", maxFunction) + "}\n",
			doc + "package x\nfunc f() {" + strings.Repeat("\n", maxFunction-10) + "}\n",
		},
		"words": {
			"words", "docs/x.md", "see /work" + "/main\n", "see /workflows/main\n",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NotEmpty(t, check(t, c.rule, c.path, c.bad))
			require.Empty(t, check(t, c.rule, c.path, c.good))
		})
	}
}

func check(t *testing.T, name, path, source string) []Violation {
	t.Helper()
	repo, err := Load(fstest.MapFS{path: {Data: []byte(source)}})
	require.NoError(t, err)
	for _, rule := range Rules() {
		if rule.Name == name {
			return rule.Check(repo)
		}
	}
	t.Fatalf("no rule %q", name)
	return nil
}
