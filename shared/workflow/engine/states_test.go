package engine

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of node states into docs/runs.md")

const (
	note  = "../../../docs/runs.md"
	begin = "<!-- node states: begin (go test ./shared/workflow/engine -update) -->\n"
	end   = "<!-- node states: end -->"
)

func TestDesignNoteShowsTheMoves(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("| from | to | by |\n|---|---|---|\n")
	for _, m := range moves() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m.from, m.to, m.by)
	}
	raw, err := os.ReadFile(note)
	require.NoError(t, err)
	head, rest, ok := strings.Cut(string(raw), begin)
	require.True(t, ok)
	have, tail, ok := strings.Cut(rest, end)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(note, []byte(head+begin+b.String()+end+tail), 0o600))
		return
	}
	require.Equal(t, b.String(), have, "run go test ./shared/workflow/engine -update")
}

func TestEveryPhaseCanEnd(t *testing.T) {
	t.Parallel()
	next := map[phase][]phase{}
	for _, m := range moves() {
		next[m.from] = append(next[m.from], m.to)
	}
	for p := range phases {
		seen, todo := map[phase]bool{}, []phase{p}
		for len(todo) > 0 {
			at := todo[0]
			todo = todo[1:]
			if !seen[at] {
				seen[at] = true
				todo = append(todo, next[at]...)
			}
		}
		require.True(t, seen[phaseDone] || seen[phaseSkipped], p)
	}
	require.Panics(t, func() { newAllowed().check("n", phaseDone, phaseRunning) })
}
