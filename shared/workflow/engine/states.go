package engine

import "fmt"

// phase is the state of a node in one frame.
type phase int

const (
	phaseIdle    phase = iota
	phaseReady         // in line to start
	phaseRunning       // started; maybe by an earlier process
	phaseWaiting       // for its next try
	phasePaused        // for something outside
	phaseOpen          // a container with passes
	phaseDone
	phaseSkipped
	phases
)

// move is one way from a phase to another, and what causes it.
type move struct {
	from, to phase
	by       string
}

// moves are all there are. frame.set enforces them, docs/runs.md shows them.
func moves() []move {
	return []move{
		{phaseIdle, phaseReady, "every incoming edge is settled and one is taken; or it is the root"},
		{phaseIdle, phaseSkipped, "every incoming edge is skipped; or it is a root that the run does not start from"},
		{phaseIdle, phaseDone, "it only marks where a pass begins"},
		{phaseReady, phaseReady, "it is put in line"},
		{phaseReady, phaseRunning, "node_started"},
		{phaseRunning, phaseDone, "node_finished (succeeded, exception or failed)"},
		{phaseRunning, phaseWaiting, "node_retry"},
		{phaseRunning, phasePaused, "node_paused; or it was looked at and still waits"},
		{phaseRunning, phaseOpen, "node_started of a container whose passes can begin"},
		{phaseWaiting, phaseRunning, "its time has come"},
		{phaseWaiting, phaseDone, "node_finished of a later try, when a journal is folded"},
		{phaseWaiting, phaseWaiting, "node_retry of a later try, when a journal is folded"},
		{phaseWaiting, phasePaused, "node_paused of a later try, when a journal is folded"},
		{phasePaused, phaseRunning, "a signal, or its time, and the node is looked at again"},
		{phaseOpen, phaseDone, "node_finished of the container"},
	}
}

// String is the phase's name in docs.
func (p phase) String() string {
	return [...]string{"idle", "ready", "running", "waiting", "paused", "open", "done", "skipped"}[p]
}

// active reports whether a pass with a node in this phase is not over.
func (p phase) active() bool { return p >= phaseReady && p <= phaseOpen }

// allowed holds moves() by from and to.
type allowed [phases][phases]bool

func newAllowed() *allowed {
	var a allowed
	for _, m := range moves() {
		a[m.from][m.to] = true
	}
	return &a
}

func (a *allowed) check(node string, from, to phase) {
	if !a[from][to] {
		panic(fmt.Sprintf("node %s cannot go from %s to %s", node, from, to))
	}
}
