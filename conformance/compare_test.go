package conformance

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow/value"
)

func decode(t *testing.T, text string) any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	require.NoError(t, err, text)
	return v
}

func object(t *testing.T, text string) *value.Object {
	t.Helper()
	o, ok := decode(t, text).(*value.Object)
	require.True(t, ok, text)
	return o
}

// TestAgreesWithTheReferenceRunner compares changed answers with recordings.
// What must be found was computed by the runner that made the recordings, which
// is written in another language.
func TestAgreesWithTheReferenceRunner(t *testing.T) {
	t.Parallel()
	cases, err := Load(os.DirFS("cases"))
	require.NoError(t, err)
	raw, err := os.ReadFile("testdata/verdicts.jsonl")
	require.NoError(t, err)
	equal, different := 0, 0
	for line := range bytes.Lines(raw) {
		o := object(t, string(line))
		name := o.String("case")
		i := slices.IndexFunc(cases, func(c *Case) bool { return c.Name == name })
		require.GreaterOrEqual(t, i, 0, name)
		step := int(o.Value("step").(int64))
		recorded := recordedSteps(cases[i].steps)
		want, _ := dig(cases[i].expected[step], "response")
		answer, _ := o.Value("answer").(*value.Object)

		c := newComparer()
		c.options = cases[i].compare.with(recorded[step].compare)
		compareResponse(c, want.(*value.Object), answer)
		got := []string{}
		for _, f := range c.failures {
			got = append(got, f.Path)
		}
		require.ElementsMatch(t, texts(o.Value("failures")), got, "%s step %d: %v", name, step+1, c.failures)
		require.Len(t, c.notes, int(o.Value("notes").(int64)), "%s step %d", name, step+1)
		if len(got) > 0 {
			different++
		} else {
			equal++
		}
	}
	require.Greater(t, equal, 80)
	require.Greater(t, different, 80)
}

// recordedSteps are the steps in the order of their transcript.
func recordedSteps(steps []*step) []*step {
	var out []*step
	for _, s := range steps {
		for _, d := range s.during {
			out = append(out, recordedSteps(d.steps)...)
		}
		if s.String("request") != "" && s.Value("record") != false {
			out = append(out, s)
		}
	}
	return out
}

func TestNormaliseAgreesWithTheReferenceRunner(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/normalised.json")
	require.NoError(t, err)
	n := newNormaliser([]literal{
		{"http://127.0.0.1:8080", "<base>"}, {"127.0.0.1:8080", "<base-host>"}, {"http://127.0.0.1:9322", "<echo>"}, {"aBcDeF123", "<nonce>"},
	})
	for _, x := range decode(t, string(raw)).([]any) {
		row := x.([]any)
		require.Equal(t, row[2], n.value(row[1], row[0].(string)), "%v: %v", row[0], row[1])
	}
	got := n.value(decode(t, `{"node_duration_map": {"k": 1.5}, "a": [{"latency": 1}], "1700000000": 1}`), "")
	require.Equal(t, `{"node_duration_map": {"k": "<num>"}, "a": [{"latency": "<num>"}], "<ts>": 1}`, value.JSON(got))
}

func TestGlobsAgreeWithTheReferenceRunner(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/globs.json")
	require.NoError(t, err)
	paths := []string{"$.a.b", "$.a[0].b", "a[1].data", "$.body.data[0]", "$.events[3].data.error", `$.a\b`}
	for _, x := range decode(t, string(raw)).([]any) {
		row := x.([]any)
		got := []string{}
		for _, p := range paths {
			if globPattern(row[0].(string)).MatchString(p) {
				got = append(got, p)
			}
		}
		require.Equal(t, texts(row[1]), got, row[0])
	}
}

const (
	one = "11111111-2222-4333-8444-555555555555"
	two = "aaaaaaaa-2222-4333-8444-555555555555"
)

// TestCompare shows for every rule an answer that is equal and one that is not.
func TestCompare(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		recorded, same, different string
		options                   string
	}{
		"value":            {recorded: `{"a":"x"}`, same: `{"a":"x"}`, different: `{"a":"y"}`},
		"extra field":      {recorded: `{"a":1}`, same: `{"a":1,"b":2}`, different: `{"b":1}`},
		"type of number":   {recorded: `1`, same: `1.0`, different: `"1"`},
		"true is not 1":    {recorded: `1`, same: `1`, different: `true`},
		"false is not 0":   {recorded: `false`, same: `false`, different: `0`},
		"null":             {recorded: `null`, same: `null`, different: `""`},
		"null and nothing": {recorded: `{"a":null}`, same: `{"a":null}`, different: `{}`},
		"empty list":       {recorded: `[]`, same: `[]`, different: `null`},
		"rounding":         {recorded: `0.3`, same: `0.30000000000000004`, different: `0.3001`},
		"length":           {recorded: `[1,2]`, same: `[1,2]`, different: `[1,2,3]`},
		"order":            {recorded: `[1,2]`, same: `[1,2]`, different: `[2,1]`},
		"unordered":        {recorded: `[1,2]`, same: `[2,1]`, different: `[2,2]`, options: `{"unordered":["$"]}`},
		"ignored":          {recorded: `{"a":1,"b":1}`, same: `{"b":1}`, different: `{"b":2}`, options: `{"ignore":["*.a"]}`},
		"loose":            {recorded: `{"a":"x"}`, same: `{"a":"y"}`, different: `{"a":1}`, options: `{"loose":["$.a"]}`},
		"tolerance":        {recorded: `0.5`, same: `0.54`, different: `0.56`, options: `{"tolerance":{"$":0.05}}`},
		"any text":         {recorded: `"a <any> z"`, same: `"a b\nc z"`, different: `"a b c"`},
		"validation":       {recorded: `"<validation-detail>"`, same: `"whatever"`, different: `""`},
		"placeholder":      {recorded: `"<ts>"`, same: `"<ts>"`, different: `"soon"`},
		"uuid":             {recorded: `"<uuid:1>"`, same: `"` + one + `"`, different: `"no uuid"`},
		"uuid in text":     {recorded: `"id <uuid:1>."`, same: `"id ` + one + `."`, different: `"id ` + one + `!"`},
		"identity": {
			recorded: `["<uuid:1>","<uuid:1>"]`, same: `["` + one + `","` + one + `"]`, different: `["` + one + `","` + two + `"]`,
		},
		"no identity": {
			recorded: `["<uuid:1>","<uuid:2>"]`, same: `["` + one + `","` + two + `"]`, different: `["` + one + `","` + one + `"]`,
		},
		"uuid as key": {
			recorded: `{"<uuid:1>":{"a":1}}`, same: `{"` + one + `":{"a":1}}`, different: `{"` + one + `":{"a":2}}`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for text, want := range map[string]bool{c.same: true, c.different: false} {
				cmp := newComparer()
				if c.options != "" {
					cmp.options = readOptions(object(t, c.options))
				}
				cmp.compare("$", decode(t, c.recorded), decode(t, text))
				require.Equal(t, want, len(cmp.failures) == 0, "%s: %v", text, cmp.failures)
			}
		})
	}
}

func TestExtraFieldsAreNoted(t *testing.T) {
	t.Parallel()
	c := newComparer()
	c.compare("$", decode(t, `{"a":{}}`), decode(t, `{"z":1,"a":{"k":1,"b":2}}`))
	require.Empty(t, c.failures)
	require.Equal(t, []Finding{{Path: "$.a", Text: "extra fields b, k"}, {Path: "$", Text: "extra fields z"}}, c.notes)
}

func TestErrorPagesCountByTheirStatus(t *testing.T) {
	t.Parallel()
	page := object(t, `{"status":404,"type":"text/html","text":"<html>"}`)
	for status, want := range map[string]int{"404": 0, "405": 1} {
		c := newComparer()
		compareResponse(c, page, object(t, `{"status":`+status+`,"type":"application/json","body":{}}`))
		require.Len(t, c.failures, want)
	}
}

func events(t *testing.T, text string) []*value.Object {
	t.Helper()
	var out []*value.Object
	for _, x := range decode(t, text).([]any) {
		out = append(out, x.(*value.Object))
	}
	return out
}

func TestMergeEvents(t *testing.T) {
	t.Parallel()
	cases := map[string][2]string{
		"pings go": {`[{"event":"ping"},{"event":"a"},{"event":"ping"}]`, `[{"event":"a"}]`},
		"chunks join, whenever they came": {
			`[{"event":"message","answer":"a","created_at":1},{"event":"ping"},{"event":"message","answer":"b","created_at":2}]`,
			`[{"event":"message","answer":"ab","created_at":1}]`,
		},
		"not those of another message": {
			`[{"event":"message","id":1,"answer":"a"},{"event":"message","id":2,"answer":"b"}]`,
			`[{"event":"message","id":1,"answer":"a"},{"event":"message","id":2,"answer":"b"}]`,
		},
		"not across another event": {
			`[{"event":"message","answer":"a"},{"event":"x"},{"event":"message","answer":"b"}]`,
			`[{"event":"message","answer":"a"},{"event":"x"},{"event":"message","answer":"b"}]`,
		},
		"text in data": {
			`[{"event":"text_chunk","data":{"text":"a","from":"n"}},{"event":"text_chunk","data":{"text":"b","from":"n"}},{"event":"text_chunk","data":{"text":"c","from":"m"}}]`,
			`[{"event":"text_chunk","data":{"text":"ab","from":"n"}},{"event":"text_chunk","data":{"text":"c","from":"m"}}]`,
		},
		"empty chunks go, and what they parted joins": {
			`[{"event":"message","id":1,"answer":"a"},{"event":"message","id":2,"answer":""},{"event":"message","id":1,"answer":"b"}]`,
			`[{"event":"message","id":1,"answer":"ab"}]`,
		},
		"the last thought stays": {
			`[{"event":"agent_thought","id":1,"thought":"a"},{"event":"agent_thought","id":1,"thought":"ab"},{"event":"agent_thought","id":2,"thought":"c"}]`,
			`[{"event":"agent_thought","id":1,"thought":"ab"},{"event":"agent_thought","id":2,"thought":"c"}]`,
		},
	}
	for name, c := range cases {
		before := events(t, c[0])
		got, err := json.Marshal(mergeEvents(before))
		require.NoError(t, err)
		require.JSONEq(t, c[1], string(got), name)
		again, err := json.Marshal(before)
		require.NoError(t, err)
		require.JSONEq(t, c[0], string(again), "%s: the stream itself stays as it came", name)
	}
}

func TestGroupEventsForgetsHowBranchesInterleave(t *testing.T) {
	t.Parallel()
	const a, b = `{"event":"node_started","data":{"node_id":"a","index":2}}`, `{"event":"node_started","data":{"node_id":"b","index":3}}`
	const end = `{"event":"workflow_finished","data":{}}`
	first := groupEvents(decode(t, "["+strings.Join([]string{a, b, end}, ",")+"]").([]any))
	second := groupEvents(decode(t, "["+strings.Join([]string{b, a, end}, ",")+"]").([]any))
	require.Equal(t, canonical(first), canonical(second))
	missing := groupEvents(decode(t, "["+strings.Join([]string{b, end}, ",")+"]").([]any))
	require.NotEqual(t, canonical(first), canonical(missing))

	rounds := `[{"event":"node_finished","data":{"node_id":"a","v":1,"execution_metadata":{"iteration_index":1}}},
		{"event":"node_finished","data":{"node_id":"a","v":0,"iteration_index":0}}]`
	got, ok := dig(groupEvents(decode(t, rounds).([]any)), "nodes.a.node_finished[0].data.v")
	require.True(t, ok)
	require.EqualValues(t, 0, got, "rounds are in the order of their index")
}

func TestDig(t *testing.T) {
	t.Parallel()
	v := decode(t, `{"a":[{"k":"x","n":1},{"k":"y","n":2},{"k":"y","n":3,"b":true}],"s":"t"}`)
	for path, want := range map[string]string{
		"$.a[0].n": "1", "$.a[-1].n": "3", "$.a[?k=y].n": "2", "$.a[?k=y][-1].n": "3", "a[?n=2].k": `"y"`, "$.s": `"t"`,
		"$.a[?b=True].n": "3", "$.a[?b=None].n": "1",
	} {
		got, ok := dig(v, path)
		require.True(t, ok, path)
		require.Equal(t, want, value.JSON(got), path)
	}
	for _, path := range []string{"$.b", "$.a[3]", "$.a[-4]", "$.a.k", "$.s.t", "$.a[?k=z].n", "$.a[?k=x][1]", "$[0]"} {
		_, ok := dig(v, path)
		require.False(t, ok, path)
	}
	_, err := mustDig(v, "$.b")
	require.ErrorContains(t, err, "$.b not found")
}
