// Package infra_test compares infra/template.yaml with the catalogue, so that
// what is deployed is what the table of functions says.
package infra_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/millrace/millrace/local/lambdaemu"
	"github.com/millrace/millrace/shared/catalogue"
	"github.com/millrace/millrace/shared/config"
	"github.com/millrace/millrace/shared/errs"
)

func read(t *testing.T) *lambdaemu.Template {
	t.Helper()
	tpl, err := lambdaemu.ReadTemplate("template.yaml", map[string]string{
		"RedisUrl":     "rediss://redis:6379/0",
		"OtlpEndpoint": "https://otlp.example", "PublicUrl": "https://api.example",
	})
	require.NoError(t, err)
	return tpl
}

// raw is the template as data; tags of intrinsic functions stay in the nodes.
func raw(t *testing.T) map[string]yaml.Node {
	t.Helper()
	b, err := os.ReadFile("template.yaml")
	require.NoError(t, err)
	var doc struct {
		Resources map[string]yaml.Node `yaml:"Resources"`
	}
	require.NoError(t, yaml.Unmarshal(b, &doc))
	return doc.Resources
}

func TestEveryFunctionIsDeployedAsTheCatalogueSays(t *testing.T) {
	t.Parallel()
	tpl := read(t)
	require.Len(t, tpl.Functions, len(catalogue.Functions()))
	for _, f := range catalogue.Functions() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			d, ok := tpl.Find(f.Name)
			require.True(t, ok)
			require.Equal(t, logicalID(f.Name), d.LogicalID, "build-<LogicalId> of build.mk finds the folder by it")
			require.Equal(t, f.Timeout, d.Timeout)
			require.Equal(t, f.MemoryMB, d.MemoryMB)
			require.Equal(t, f.Kind == catalogue.HTTP, len(d.Routes) > 0)

			var queues []string
			for _, q := range d.Queues {
				queues = append(queues, q.Queue)
				require.True(t, q.Partial, "%s: partial failures", q.Queue)
				require.GreaterOrEqual(t, q.Visibility, f.Timeout, "%s: a message must stay hidden while it is worked on", q.Queue)
				require.Positive(t, q.DeadLetterAfter, "%s: dead letters", q.Queue)
			}
			require.ElementsMatch(t, f.Queues, queues)

			if f.Kind == catalogue.Schedule {
				require.Equal(t, []string{expression(f.Every)}, d.Schedules)
			} else {
				require.Empty(t, d.Schedules)
			}
		})
	}
}

func logicalID(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String() + "Function"
}

func expression(every time.Duration) string {
	switch every {
	case time.Minute:
		return "rate(1 minute)"
	case time.Hour:
		return "rate(1 hour)"
	case 24 * time.Hour:
		return "rate(1 day)"
	}
	return "no expression for " + every.String()
}

func TestStreaming(t *testing.T) {
	t.Parallel()
	tpl := read(t)
	for _, f := range catalogue.Functions() {
		d, _ := tpl.Find(f.Name)
		told := d.Env["MILLRACE_STREAM_RESPONSE"] == "true"
		require.True(t, told || !f.Streaming, "%s must stream", f.Name)
		for _, r := range d.Routes {
			require.Equal(t, told, r.Stream, "%s %s: the setting and the integration differ", f.Name, r.Path)
			if r.Stream {
				require.Equal(t, f.Timeout, r.Timeout, "%s %s", f.Name, r.Path)
			} else {
				require.LessOrEqual(t, r.Timeout, 29*time.Second, "%s %s: API Gateway's limit", f.Name, r.Path)
			}
		}
	}
}

// TestRoutes checks both directions: every route of the catalogue is deployed,
// and every deployed path leads to the function the catalogue names for it.
func TestRoutes(t *testing.T) {
	t.Parallel()
	tpl := read(t)
	mux := http.NewServeMux()
	for _, f := range catalogue.Functions() {
		d, _ := tpl.Find(f.Name)
		for _, route := range f.Routes {
			want := strings.ReplaceAll(route.Path, "...}", "+}")
			require.True(t, slices.ContainsFunc(d.Routes, func(r lambdaemu.Route) bool { return r.Path == want }),
				"%s: %s is not deployed", f.Name, want)
			mux.Handle(route.Pattern(), owner(f.Name))
		}
	}
	variable := regexp.MustCompile(`\{[^}]+\}`)
	for _, d := range tpl.Functions {
		f, ok := catalogue.Find(d.Folder)
		require.True(t, ok)
		for _, r := range d.Routes {
			require.Equal(t, "ANY", r.Method, "%s: preflight and wrong methods are the function's to answer", r.Path)
			method := http.MethodGet
			for _, route := range f.Routes {
				if strings.ReplaceAll(route.Path, "...}", "+}") == r.Path && route.Method != "" {
					method = route.Method
				}
			}
			path := variable.ReplaceAllString(r.Path, "x")
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code/100 == 3 { // the path with a slash has an owner
				w = httptest.NewRecorder()
				mux.ServeHTTP(w, httptest.NewRequest(method, path+"/", nil))
			}
			require.Equal(t, d.Folder, w.Header().Get("Owner"), "%s %s", method, r.Path)
		}
	}
}

type owner string

func (o owner) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Owner", string(o)) }

// TestEveryPathReachesAFunction: a REST API answers 403 for a resource that
// exists only as a step to another one, and for what a greedy variable would
// match as empty, so each such step needs a method of its own.
func TestEveryPathReachesAFunction(t *testing.T) {
	t.Parallel()
	paths := map[string]bool{}
	for _, d := range read(t).Functions {
		for _, r := range d.Routes {
			paths[r.Path] = true
		}
	}
	require.True(t, paths["/{rest+}"], "what no function owns")
	require.True(t, paths["/"], "the root, which the greedy route does not match")
	for p := range paths {
		for i := strings.LastIndexByte(p, '/'); i > 0; i = strings.LastIndexByte(p[:i], '/') {
			require.True(t, paths[p[:i]], "%s is a step to %s and has no function", p[:i], p)
		}
	}
}

// TestTheGatewaysOwnAnswers have the shape of the functions' errors and a code
// that clients know.
func TestTheGatewaysOwnAnswers(t *testing.T) {
	t.Parallel()
	tpl := read(t)
	for _, kind := range []string{"REQUEST_TOO_LARGE", "THROTTLED", "INTEGRATION_TIMEOUT", "DEFAULT_4XX", "DEFAULT_5XX"} {
		require.Contains(t, tpl.GatewayResponses, kind)
	}
	for kind, g := range tpl.GatewayResponses {
		var body errs.Body
		text := strings.ReplaceAll(g.Template, "$context.error.messageString", `"message"`)
		dec := json.NewDecoder(strings.NewReader(text))
		dec.DisallowUnknownFields()
		require.NoError(t, dec.Decode(&body), kind)
		require.Equal(t, g.Status, body.Status, kind)
		require.Equal(t, errs.Status(errs.Code(body.Code)), body.Status, "%s: the code %s has another status", kind, body.Code)
	}
}

// TestSettingsAreKnownAndEnough reads each function's environment as the
// function will.
func TestSettingsAreKnownAndEnough(t *testing.T) {
	t.Parallel()
	tpl := read(t)
	for _, f := range catalogue.Functions() {
		d, _ := tpl.Find(f.Name)
		_, err := config.FromMap(d.Env)
		require.NoError(t, err, f.Name)
		for setting, uses := range map[string][]catalogue.Resource{
			"DATABASE_URL":             {catalogue.Postgres},
			"SECRET_KEY":               {catalogue.SecretKey},
			"REDIS_URL":                {catalogue.Redis},
			"BLOB_URL":                 {catalogue.BlobRead, catalogue.BlobWrite},
			"MILLRACE_QUEUE_URL":       {catalogue.SendRuns},
			"MILLRACE_FUNCTION_PREFIX": {catalogue.CallCode},
			"SMTP_SERVER":              {catalogue.SendMail},
		} {
			need := slices.ContainsFunc(uses, func(r catalogue.Resource) bool { return slices.Contains(f.Uses, r) })
			_, have := d.Env[setting]
			require.Equal(t, need, have, "%s: %s", f.Name, setting)
		}
		require.Equal(t, "json", d.Env["LOG_OUTPUT_FORMAT"])
		for k, v := range d.Env {
			if k == "DATABASE_URL" || k == "SECRET_KEY" {
				require.True(t, strings.HasPrefix(v, "awssecretsmanager://"), "%s: %s names a secret, never holds it", f.Name, k)
				_, err := url.Parse(v) // an ARN would not parse, and the driver takes names only
				require.NoError(t, err, f.Name)
			}
		}
	}
}

type statement struct {
	Sid      string    `yaml:"Sid"`
	Effect   string    `yaml:"Effect"`
	Action   []string  `yaml:"Action"`
	Resource yaml.Node `yaml:"Resource"`
}

type function struct {
	Properties struct {
		FunctionName string `yaml:"FunctionName"`
		Role         string `yaml:"Role"`
		Policies     []struct {
			Statement []statement `yaml:"Statement"`
		} `yaml:"Policies"`
	} `yaml:"Properties"`
}

// TestRolesAllowWhatTheCatalogueSaysOnly derives the statements a function may
// have from what it uses.
func TestRolesAllowWhatTheCatalogueSaysOnly(t *testing.T) {
	t.Parallel()
	resources := raw(t)
	for _, f := range catalogue.Functions() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			node := resources[logicalID(f.Name)]
			var fn function
			require.NoError(t, node.Decode(&fn))
			require.Empty(t, fn.Properties.Role, "a role of its own is made by SAM")
			want := map[string]bool{}
			for _, use := range f.Uses {
				switch use {
				case catalogue.Postgres:
					want["Postgres"] = true
				case catalogue.SecretKey:
					want["SecretKey"], want["DataKey"] = true, true
				case catalogue.BlobRead:
					want["BlobRead"], want["DataKey"] = true, true
				case catalogue.BlobWrite:
					want["BlobWrite"], want["DataKey"] = true, true
				case catalogue.SendRuns:
					want["SendRuns"] = true
				case catalogue.CallCode:
					want["CallCode"] = true
				case catalogue.SendMail:
					want["SmtpPassword"] = true
				case catalogue.Redis, catalogue.Egress: // the network's business, not IAM's
				default:
					t.Fatalf("no policy is known for %s", use)
				}
			}
			if len(f.Queues) > 0 {
				want["ConsumeRuns"] = true
			}
			got := map[string]bool{}
			for _, p := range fn.Properties.Policies {
				for _, s := range p.Statement {
					require.False(t, got[s.Sid], "%s twice", s.Sid)
					got[s.Sid] = true
					require.Equal(t, "Allow", s.Effect)
					require.NotEmpty(t, s.Action)
					for _, a := range s.Action {
						require.NotContains(t, a, "*", s.Sid)
					}
					require.NotEmpty(t, s.Resource.Content, s.Sid)
					for _, r := range s.Resource.Content {
						require.NotEmpty(t, r.Tag, "%s: resources are references", s.Sid)
						require.True(t, strings.HasPrefix(r.Tag, "!Ref") || strings.HasPrefix(r.Tag, "!GetAtt") || strings.HasPrefix(r.Tag, "!Sub"),
							"%s: %s is no reference", s.Sid, r.Value)
					}
				}
			}
			require.Equal(t, want, got)
		})
	}
}

func TestEverySampleExists(t *testing.T) {
	t.Parallel()
	for _, f := range catalogue.Functions() {
		b, err := os.ReadFile("../events/" + f.Sample)
		require.NoError(t, err, f.Name)
		require.True(t, json.Valid(b), f.Sample)
	}
}

// TestQueuesHaveDeadLetters looks at every queue that is not one for dead letters.
func TestQueuesHaveDeadLetters(t *testing.T) {
	t.Parallel()
	resources := raw(t)
	var names []string
	for id := range resources {
		names = append(names, id)
	}
	sort.Strings(names)
	count := 0
	for _, id := range names {
		var q struct {
			Type       string `yaml:"Type"`
			Properties struct {
				Redrive *yaml.Node `yaml:"RedrivePolicy"`
				SSE     bool       `yaml:"SqsManagedSseEnabled"`
			} `yaml:"Properties"`
		}
		node := resources[id]
		_ = node.Decode(&q) // other resources have other shapes
		if q.Type != "AWS::SQS::Queue" {
			continue
		}
		count++
		require.True(t, q.Properties.SSE, id)
		require.Equal(t, !strings.HasSuffix(id, "DeadLetters"), q.Properties.Redrive != nil, id)
	}
	require.Positive(t, count)
}
