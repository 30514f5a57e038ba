package assigner_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/assigner"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/value"
)

// world is a pool with a conversation variable of every type.
func world(t *testing.T) *workflow.Pool {
	t.Helper()
	p := workflow.NewPool()
	types := map[[2]string]string{}
	for name, v := range map[string][2]string{
		"s": {"string", `"old"`}, "n": {"number", `5`}, "f": {"number", `1.5`}, "o": {"object", `{"k": 1}`}, "b": {"boolean", `false`},
		"ls": {"array[string]", `["a", "b"]`}, "ln": {"array[number]", `[]`}, "lo": {"array[object]", `[]`}, "lb": {"array[boolean]", `[true]`},
		"wrong": {"number", `"x"`},
	} {
		p.Set("conversation", name, nodetest.Value(t, v[1]))
		types[[2]string{"conversation", name}] = v[0]
	}
	p.Declare(types)
	for name, v := range map[string]string{
		"q": `"hi"`, "n": `7`, "l": `["y", "z"]`, "o": `{"a": 1}`, "nil": `null`, "mixed": `["x", 1]`, "empty": `[]`, "t": `true`,
	} {
		p.Set("mk", name, nodetest.Value(t, v))
	}
	p.Set("mk", "long", strings.Repeat("x", 204800))
	p.Set("mk", "file", &value.File{Filename: "f.txt"})
	return p
}

// items is the data of a node from items as "target operation input value".
func items(lines ...string) string {
	out := make([]string, len(lines))
	for i, l := range lines {
		f := strings.SplitN(l, " ", 4)
		scope, name, ok := strings.Cut(f[0], ".")
		if !ok {
			scope, name = "conversation", f[0]
		}
		if f[2] == "variable" && len(f) == 4 {
			f[3] = `["` + strings.ReplaceAll(f[3], ".", `","`) + `"]`
		}
		if len(f) < 4 {
			f = append(f, "null")
		}
		out[i] = fmt.Sprintf(`{"variable_selector":[%q,%q],"operation":%q,"input_type":%q,"value":%s,"write_mode":"x"}`, scope, name, f[1], f[2], f[3])
	}
	return `{"type":"assigner","title":"as","version":"2","items":[` + strings.Join(out, ",") + `]}`
}

func TestOperations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ item, want string }{
		{`s over-write constant "new"`, `"new"`},
		{`s set constant "new"`, `"new"`},
		{`s over-write variable mk.q`, `"hi"`},
		{`s clear variable`, `""`},
		{`n over-write constant 1.5`, `1.5`},
		{`n over-write constant true`, `1`},
		{`n += constant 2`, `7`},
		{`n -= constant 7`, `-2`},
		{`n *= constant 3`, `15`},
		{`n /= constant 2`, `2.5`},
		{`n /= constant 5`, `1.0`},
		{`n += constant 0.5`, `5.5`},
		{`n *= constant 9223372036854775807`, `46116860184273879035`},
		{`f -= constant 0.5`, `1.0`},
		{`n clear variable`, `0`},
		{`o set constant {"k": 2}`, `{"k": 2}`},
		{`o set constant "{\"k\": [3]}"`, `{"k": [3]}`},
		{`o over-write variable mk.o`, `{"a": 1}`},
		{`o clear variable`, `{}`},
		{`b over-write constant true`, `true`},
		{`b set constant true`, `true`},
		{`b clear variable`, `false`},
		{`ls append variable mk.q`, `["a", "b", "hi"]`},
		{`ls extend variable mk.l`, `["a", "b", "y", "z"]`},
		{`ls over-write variable mk.l`, `["y", "z"]`},
		{`ls over-write variable mk.empty`, `[]`},
		{`ls remove-first variable`, `["b"]`},
		{`ls remove-last variable`, `["a"]`},
		{`ln remove-first variable`, `[]`},
		{`ln remove-last variable`, `[]`},
		{`ls clear variable`, `[]`},
		{`ln append variable mk.n`, `[7]`},
		{`lo append variable mk.o`, `[{"a": 1}]`},
		{`lb append variable mk.t`, `[true, true]`},
		{`wrong over-write variable mk.n`, `7`},
		{`mk.empty append variable mk.n`, `[7]`},
		{`mk.mixed append variable mk.o`, `["x", 1, {"a": 1}]`},
		{`mk.q over-write variable conversation.s`, `"old"`},
	} {
		pool := world(t)
		res, err := nodetest.Run(t.Context(), t, assigner.New(), items(c.item), pool)
		require.NoError(t, err, c.item)
		require.Len(t, res.Updates, 1)
		require.Equal(t, c.want, value.JSON(res.Updates[0].Value), c.item)
		require.Equal(t, `{}`, value.JSON(res.Outputs))
		require.Equal(t, c.want, value.JSON(res.ProcessData.Value(res.Updates[0].Selector[1])))
		require.Equal(t, value.JSON(world(t).Scope("conversation")["ls"]), value.JSON(pool.Scope("conversation")["ls"]), "the pool is the engine's")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ item, want string }{
		{`ghost over-write constant "x"`, `Variable ['conversation', 'ghost'] not found`},
		{`s over-write variable ghost.x`, `Variable ['ghost', 'x'] not found`},
		{`s append constant "x"`, `Operation append is not supported for type string`},
		{`s += constant 1`, `Operation += is not supported for type string`},
		{`o remove-first variable`, `Operation remove-first is not supported for type object`},
		{`ls set constant ["x"]`, `Operation set is not supported for type array[string]`},
		{`s set variable mk.q`, `Input type variable is not supported for operation set`},
		{`n += variable mk.n`, `Input type variable is not supported for operation +=`},
		{`ls append constant "x"`, `Input type constant is not supported for operation append`},
		{`ls over-write constant ["x"]`, `Input type constant is not supported for operation over-write`},
		{`s clear constant`, `Input type constant is not supported for operation clear`},
		{`n over-write constant "text"`, `Invalid input value text`},
		{`n /= constant 0`, `Invalid input value 0`},
		{`n /= constant 0.0`, `Invalid input value 0.0`},
		{`s over-write constant 5`, `Invalid input value 5`},
		{`s over-write variable`, `Invalid input value None`},
		{`o set constant "no json"`, `Invalid input value no json`},
		{`o set constant "[1]"`, `Invalid input value [1]`},
		{`ls append variable mk.n`, `Invalid input value 7`},
		{`ln extend variable mk.l`, `Invalid input value ['y', 'z']`},
		{`ls extend variable mk.mixed`, `Invalid input value ['x', 1]`},
		{`lo append variable mk.q`, `Invalid input value hi`},
		{`wrong += constant 1`, `Invalid input value x`},
		{`mk.nil over-write variable mk.q`, `Invalid input value hi`},
		{`mk.file clear variable`, `a variable of type file cannot be cleared`},
		{`s over-write variable mk.long`, `variable size 204841 exceeds limit 204800`},
	} {
		res, err := nodetest.Run(t.Context(), t, assigner.New(), items(`b over-write constant true`, c.item), world(t))
		require.EqualError(t, err, c.want, c.item)
		var f *workflow.Failure
		require.ErrorAs(t, err, &f)
		require.Empty(t, f.Type)
		require.Empty(t, res.Updates, "all or nothing")
		require.Equal(t, `{}`, value.JSON(res.ProcessData))
		require.Equal(t, "as", res.Inputs.String("title"))
	}
}

func TestNumbersHaveAnEnd(t *testing.T) {
	t.Parallel()
	pool := world(t)
	pool.Set("conversation", "n", new(big.Int).Lsh(big.NewInt(1), 13990))
	_, err := nodetest.Run(t.Context(), t, assigner.New(), items(`n *= constant 1000000`), pool)
	require.EqualError(t, err, "the result is too large a number")
	_, err = nodetest.Run(t.Context(), t, assigner.New(), items(`n /= constant 3`), pool)
	require.EqualError(t, err, "the result is too large a number")
	res, err := nodetest.Run(t.Context(), t, assigner.New(), items(`n -= constant 1`, `n clear variable`), pool)
	require.NoError(t, err)
	require.Equal(t, int64(0), res.Updates[0].Value)
	pool.Set("conversation", "n", 1e308)
	_, err = nodetest.Run(t.Context(), t, assigner.New(), items(`n *= constant 10`), pool)
	require.EqualError(t, err, "the result is too large a number")
}

func TestItemsWorkOnOneAnother(t *testing.T) {
	t.Parallel()
	data := items(`ls append variable mk.q`, `n += constant 2`, `ls remove-first variable`, `s over-write variable mk.nil`, `n /= constant 2`,
		`mk.l over-write variable conversation.ls`)
	res, err := nodetest.Run(t.Context(), t, assigner.New(), data, world(t))
	require.NoError(t, err)
	require.Equal(t, `{"ls": ["b", "hi"], "n": 3.5, "l": ["b", "hi"], "__updated_variables": [`+
		`{"name": "ls", "selector": ["conversation", "ls"], "value_type": "array[string]", "new_value": ["b", "hi"]}, `+
		`{"name": "n", "selector": ["conversation", "n"], "value_type": "float", "new_value": 3.5}, `+
		`{"name": "l", "selector": ["mk", "l"], "value_type": "array[string]", "new_value": ["b", "hi"]}]}`, value.JSON(res.ProcessData))
	require.True(t, strings.HasPrefix(value.JSON(res.Inputs), `{"type": "assigner", "title": "as", "version": "2", "items": [{"variable_selector": ["conversation", "ls"], `))
	require.NotContains(t, value.JSON(res.Inputs), "write_mode")
	require.Contains(t, value.JSON(res.Inputs), `"desc": null, "error_strategy": null, "default_value": null, `+
		`"retry_config": {"max_retries": 0, "retry_interval": 0, "retry_enabled": false}`)
}

func TestWritesItsTargets(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		items(`s clear variable`, `n clear variable`): "[conversation.s conversation.n]",
		firstData("over-write", "s", "q"):             "[conversation.s]",
	} {
		n, err := assigner.New().New(nodetest.Config(t, "as", data))
		require.NoError(t, err)
		w, ok := n.(workflow.Writer)
		require.True(t, ok)
		require.Equal(t, want, fmt.Sprint(w.Writes()))
	}
}

func firstData(mode, target, source string) string {
	return fmt.Sprintf(`{"type":"assigner","assigned_variable_selector":["conversation",%q],"write_mode":%q,"input_variable_selector":["mk",%q]}`, target, mode, source)
}

func TestFirstVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mode, target, source, inputs, want, fails string }{
		{"over-write", "s", "q", `{"value": "hi"}`, `"hi"`, ""},
		{"over-write", "s", "n", `{"value": 7}`, `7`, ""},
		{"append", "ls", "q", `{"value": "hi"}`, `["a", "b", "hi"]`, ""},
		{"clear", "ls", "ghost", `{"value": []}`, `[]`, ""},
		{"over-write", "ghost", "q", "", "", "assigned variable not found"},
		{"over-write", "s", "ghost", "", "", "input value not found"},
		{"append", "s", "q", "", "", "a variable of type string cannot be appended to"},
		{"over-write", "s", "long", "", "", "variable size 204841 exceeds limit 204800"},
	} {
		res, err := nodetest.Run(t.Context(), t, assigner.New(), firstData(c.mode, c.target, c.source), world(t))
		if c.fails != "" {
			require.EqualError(t, err, c.fails)
			require.Empty(t, res.Updates)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.inputs, value.JSON(res.Inputs))
		require.Equal(t, []string{"__updated_variables"}, res.ProcessData.Keys())
		require.Equal(t, c.want, value.JSON(res.Updates[0].Value))
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"type":"assigner"}`,
		`{"type":"assigner","assigned_variable_selector":["conversation","s"],"write_mode":"over-write"}`,
		firstData("invent", "s", "q"),
		`{"type":"assigner","version":"2","items":{}}`,
		`{"type":"assigner","version":"2","items":["x"]}`,
		items(`s invent constant 1`), items(`s set guess 1`),
		`{"type":"assigner","version":"2","items":[{"variable_selector":["c","s"],"operation":"append","input_type":"variable","value":5}]}`,
	} {
		_, err := assigner.New().New(nodetest.Config(t, "as", data))
		require.Error(t, err, data)
	}
	_, err := assigner.New().New(nodetest.Config(t, "as", `{"type":"assigner","version":"2"}`))
	require.NoError(t, err, "nothing to do is no error")
}
