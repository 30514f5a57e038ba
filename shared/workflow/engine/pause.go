package engine

import (
	"slices"
	"time"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// lookInterval is the least time between two looks at a node that is still
// paused though its time has come.
const lookInterval = time.Second

// pauseNode takes the *workflow.Pause of a node. A node that was looked at and
// still waits leaves no trace in the journal.
func (r *Run) pauseNode(at ref, p *workflow.Pause) {
	info := &workflow.PauseInfo{Kind: p.Kind, Until: p.Until, Reason: p.Reason}
	if at.node().resumed {
		if soon := r.now().Add(lookInterval); !info.Until.IsZero() && info.Until.Before(soon) {
			info.Until = soon
		}
		r.applyPause(at, info)
		return
	}
	e := r.nodeEvent(at)
	e.Status = workflow.StatusPaused
	r.emit(workflow.Event{Type: workflow.EventNodePaused, Frame: at.f.path, Node: e, Pause: info})
	r.applyPause(at, info)
}

func (r *Run) applyPause(at ref, p *workflow.PauseInfo) {
	n := at.node()
	at.f.set(at.i, phasePaused)
	n.notBefore, n.pause, n.recovered = p.Until, p, false
	r.paused = append(r.paused, at)
}

// resumeNode journals that a paused node goes on. The first one after a pause
// of the whole run begins a new segment of it.
func (r *Run) resumeNode(at ref, how *workflow.Resumption) {
	if r.halted != nil {
		now := r.now()
		r.emit(workflow.Event{Type: workflow.EventRunStarted, At: now, Started: &workflow.RunStarted{Inputs: r.setup.Inputs, Reason: workflow.ReasonResumption}})
		r.applyResumption(now)
	}
	if how != nil {
		r.emit(workflow.Event{Type: workflow.EventNodeResumed, Frame: at.f.path, Node: r.nodeEvent(at), Resumed: how})
	}
	at.f.steps++
	n := at.node()
	n.resumed, n.pause = false, nil
	r.emitNode(at, workflow.EventNodeStarted, r.nodeEvent(at))
}

func (r *Run) applyResumption(now time.Time) {
	if r.halted == nil {
		return
	}
	r.idleTime += now.Sub(r.haltedAt)
	r.halted, r.haltedAt = nil, time.Time{}
}

// lookAgain runs paused nodes to see whether their wait is over: all of them,
// or those whose time has come.
func (r *Run) lookAgain(all bool) {
	keep := r.paused[:0]
	for _, at := range r.paused {
		n := at.node()
		if at.f.closed {
			continue
		}
		if due := !n.notBefore.IsZero() && !n.notBefore.After(r.now()); !all && !due {
			keep = append(keep, at)
			continue
		}
		n.resumed = true
		at.f.set(at.i, phaseRunning)
		r.launching = append(r.launching, at)
	}
	r.paused = keep
}

// onlyPaused is true when everything that is left waits for something outside.
func (r *Run) onlyPaused() bool {
	if len(r.paused) == 0 || len(r.ready) > 0 || len(r.launching) > 0 || r.running > 0 || len(r.fans) > 0 {
		return false
	}
	for _, at := range r.waiting {
		if !at.f.closed {
			return false
		}
	}
	return true
}

// halt journals that the run is paused, unless that is its last word already.
func (r *Run) halt() {
	if r.halted != nil {
		r.halted.Until = r.pausedUntil()
		return
	}
	p := &workflow.RunPaused{
		Outputs: value.NewObject(0), StartedAt: r.startedAt, Tokens: r.root.tokens, Steps: r.root.steps,
		Elapsed: (r.now().Sub(r.startedAt) - r.idleTime).Seconds(), Until: r.pausedUntil(), Answer: string(r.streams.answer),
	}
	slices.SortFunc(r.paused, func(a, b ref) int { return a.node().index - b.node().index })
	for _, at := range r.paused {
		p.Nodes = append(p.Nodes, at.plan().cfg.ID)
		reason := at.node().pause.Reason
		if reason == nil {
			reason = value.NewObject(0)
		}
		p.Reasons = append(p.Reasons, reason)
	}
	now := r.now()
	r.emit(workflow.Event{Type: workflow.EventRunPaused, At: now, Paused: p})
	r.halted, r.haltedAt = p, now
}

// pausedUntil is the first moment at which a paused node has to be looked at.
func (r *Run) pausedUntil() time.Time {
	var until time.Time
	for _, at := range r.paused {
		if t := at.node().notBefore; !t.IsZero() && (until.IsZero() || t.Before(until)) {
			until = t
		}
	}
	return until
}
