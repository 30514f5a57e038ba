package conformance

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestParsePending(t *testing.T) {
	t.Parallel()
	got, err := ParsePending("# why\n\na-1\tlater\r\nb-2\tnever\n")
	require.NoError(t, err)
	require.Equal(t, []Pending{{"a-1", "later"}, {"b-2", "never"}}, got)
	for _, bad := range []string{"a-1 later", "a-1\t ", "a\tx\na\ty"} {
		_, err := ParsePending(bad)
		require.Error(t, err, bad)
	}
}

func TestParseDifferences(t *testing.T) {
	t.Parallel()
	const head = "# Title\n\ntext\n\n| where | difference | reason | held by |\n|---|---|---|---|\n"
	got, err := ParseDifferences(head + "| here | this | that | `1-a / GET /x?y / $.b*`, `shared/x TestY` |\n")
	require.NoError(t, err)
	require.Equal(t, []Difference{{"here", "this", "that", []Place{{"1-a", "GET /x?y", "$.b*"}}, []string{"shared/x TestY"}}}, got)
	for _, bad := range []string{"| a | b | c |", "| a | b | | `x TestY` |", "| a | b | c | by nothing |"} {
		_, err := ParseDifferences(head + bad)
		require.Error(t, err, bad)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	status := Finding{Step: 2, Name: "run", Path: "$.status", Text: "expected 1, got 2"}
	other := Finding{Step: 1, Name: "first", Path: "$.status", Text: "expected 1, got 2"}
	place := Place{Case: "c", Step: "run", Path: "$.status"}
	list := []Difference{{Shown: []Place{place, {Case: "another", Step: "run", Path: "*"}}}}

	require.Equal(t, Verdict{}, Judge("c", Result{Failures: []Finding{status}}, list), "it is meant to differ")
	require.Equal(t, Verdict{Failures: []Finding{other}}, Judge("c", Result{Failures: []Finding{other, status}}, list))
	require.Equal(t, Verdict{Gone: []Place{place}}, Judge("c", Result{}, list), "it does not differ any more")
	require.Equal(t, Verdict{}, Judge("c", Result{Quirks: []Finding{status}}, list))
	require.Equal(t, Verdict{Unlisted: []Finding{other}}, Judge("c", Result{Quirks: []Finding{status, other}}, list))
	broken := Finding{Text: "no answer"}
	require.Equal(t, Verdict{Failures: []Finding{broken}}, Judge("c", Result{Failures: []Finding{broken}}, list),
		"a case that broke off says nothing about its steps")
}

func TestSelect(t *testing.T) {
	t.Parallel()
	cases := []*Case{{Name: "001-a"}, {Name: "002-b"}, {Name: "010-c"}}
	got, err := Select(cases, "00*, 010-c")
	require.NoError(t, err)
	require.Len(t, got, 3)
	got, err = Select(cases, "*-b")
	require.NoError(t, err)
	require.Equal(t, cases[1:2], got)
	_, err = Select(cases, "[")
	require.Error(t, err)
}

func TestLoadRefusesWhatTheFormatDoesNotHave(t *testing.T) {
	t.Parallel()
	load := func(spec string) error {
		_, err := Load(fstest.MapFS{
			"1-a/case.yml":      {Data: []byte(spec)},
			"1-a/expected.json": {Data: []byte(`{"steps":[]}`)},
		})
		return err
	}
	require.NoError(t, load("title: t\nsteps:\n- request: GET /x\n"))
	for _, bad := range []string{
		"titel: t", "steps:\n- requst: GET /x", "steps:\n- text", "compare: {ignored: []}", "apps: {a: {files: x}}",
		"steps:\n- compare: {loos: []}", "steps:\n- during: [{after: x, step: []}]", "steps: [{during: [{steps: [{nam: x}]}]}]", "- list",
	} {
		require.Error(t, load(bad), bad)
	}
	_, err := Load(fstest.MapFS{"1-a/case.yml": {Data: []byte("title: t")}})
	require.ErrorContains(t, err, "expected.json")
}

func TestExclusive(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]bool{
		"{request: POST /v1/workflows/run}":                                     false,
		"{request: 'GET /v1/parameters?x=1', auth: web}":                        false,
		"{request: 'GET /console/api/apps/${app_id}', auth: console}":           false,
		"{request: GET /console/api/apps, auth: console}":                       true,
		"{request: POST /console/api/apps, auth: console}":                      true,
		"{request: GET /v1/datasets, auth: dataset}":                            true,
		"{request: POST /v1/datasets, auth: dataset}":                           false,
		"{request: 'GET /v1/datasets/${ds}', auth: dataset}":                    false,
		"{request: GET /v1/datasets/tags, auth: dataset}":                       true,
		"{request: POST /console/api/login, auth: none}":                        true,
		"{request: GET /v1/info, auth: 'session:mary'}":                         true,
		"{request: 'POST ${hook}', auth: none}":                                 false,
		"{request: GET /v1/info, during: [{steps: [{request: GET /other}]}]}":   true,
		"{request: GET /v1/info, during: [{steps: [{request: GET /v1/site}]}]}": false,
	} {
		cases, err := Load(fstest.MapFS{
			"1-a/case.yml":      {Data: []byte("steps:\n- " + request)},
			"1-a/expected.json": {Data: []byte(`{"steps":[]}`)},
		})
		require.NoError(t, err, request)
		require.Equal(t, want, cases[0].Exclusive(), request)
	}
}
