package engine

import (
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// streams decides which text clients see and in which order. Of all response
// nodes only one session streams at a time; it goes through its template
// segment by segment. Text of a node that still runs is live: shown at once,
// journalled when the node's try ends. At any moment all live text belongs to
// one variable, the one at the current segment, so it is always the tail of
// the response.
type streams struct {
	run    *Run
	state  []sessionState
	queue  []int
	active int // session, -1 when none
	byKey  map[key]*stream
	// reasoning by node id; owner is the one that may show it, "" when none.
	reasoning map[string]*reasoning
	owner     string
	waiting   []string // nodes with reasoning that wait for the owner to finish
	answer    []byte   // everything journalled so far
	// folding is true while a journal is replayed: the text is in it already.
	folding bool
}

type sessionState struct {
	opened bool
	seg    int
}

// stream is what a running node has streamed of one output.
type stream struct {
	buf    string // not shown yet
	live   string // shown, not journalled yet
	closed bool
}

type reasoning struct {
	buf, live, all string
}

func newStreams(r *Run) *streams {
	return &streams{run: r, active: -1, state: make([]sessionState, len(r.plan.sessions)), byKey: map[key]*stream{}, reasoning: map[string]*reasoning{}}
}

// open lets sessions stream whose blocking edges are all taken on some path
// from the root.
func (s *streams) open() {
	for i := range s.state {
		if !s.state[i].opened && s.reachable(i) {
			s.state[i].opened = true
			s.queue = append(s.queue, i)
		}
	}
}

func (s *streams) reachable(i int) bool {
	plan := s.run.plan
	target := plan.sessions[i].node
	seen := make([]bool, len(plan.nodes))
	todo := []int{plan.root}
	seen[plan.root] = true
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n == target {
			return true
		}
		for _, e := range plan.nodes[n].out {
			if plan.sessions[i].blocking[e] && s.run.root.edges[e] != edgeTaken {
				continue
			}
			if t := plan.edges[e].target; !seen[t] {
				seen[t] = true
				todo = append(todo, t)
			}
		}
	}
	return false
}

// chunk takes a piece of a streamed output of a running node. Pieces that no
// response node shows are dropped.
func (s *streams) chunk(node string, c workflow.Chunk) {
	if c.Name == nameReasoning {
		s.reasoningChunk(node, c.Text)
		return
	}
	k := key{node, c.Name}
	if !s.run.plan.shown[k] {
		return
	}
	st := s.byKey[k]
	if st == nil || st.closed {
		st = &stream{}
		s.byKey[k] = st
	}
	st.buf += c.Text
	s.pump()
}

func (s *streams) reasoningChunk(node string, text string) {
	visible := false
	for _, i := range s.run.plan.reasoning[node] {
		visible = visible || s.state[i].opened
	}
	if !visible || text == "" {
		return
	}
	r := s.reasoning[node]
	if r == nil {
		r = &reasoning{}
		s.reasoning[node] = r
	}
	r.buf += text
	switch s.owner {
	case "":
		s.owner = node
	case node:
	default:
		if r.buf == text && r.live == "" {
			s.waiting = append(s.waiting, node)
		}
	}
	s.pump()
}

// pump shows what may be shown live: the tail of the current segment and the
// owner's reasoning.
func (s *streams) pump() {
	if r := s.reasoning[s.owner]; r != nil && r.buf != "" {
		s.run.live(Live{Kind: workflow.EventReasoning, NodeID: s.owner, Text: r.buf, Offset: utf8.RuneCountInString(r.live)})
		r.live += r.buf
		r.buf = ""
	}
	st, sel := s.current()
	if st == nil || st.closed || st.buf == "" {
		return
	}
	s.run.live(Live{Kind: workflow.EventText, Selector: sel, Text: st.buf, Offset: utf8.RuneCountInString(st.live)})
	st.live += st.buf
	st.buf = ""
}

// current returns the stream at the active session's current segment.
func (s *streams) current() (*stream, workflow.Selector) {
	if s.active < 0 {
		return nil, nil
	}
	segs := s.run.plan.sessions[s.active].segments
	if i := s.state[s.active].seg; i < len(segs) && len(segs[i].Selector) == 2 {
		return s.byKey[key{segs[i].Selector[0], segs[i].Selector[1]}], segs[i].Selector
	}
	return nil, nil
}

// settle journals what was shown live of a node whose try ended without
// success or which will not go on, and forgets what was not shown.
func (s *streams) settle(node string) {
	s.settleReasoning(node)
	for k, st := range s.byKey {
		if k.node != node || st.closed {
			continue
		}
		if st.live != "" {
			s.text(workflow.Selector{k.node, k.name}, st.live)
		}
		delete(s.byKey, k)
	}
}

func (s *streams) settleReasoning(node string) {
	r := s.reasoning[node]
	if r == nil {
		return
	}
	if text := r.live + r.buf; text != "" && !s.folding {
		s.run.emit(workflow.Event{Type: workflow.EventReasoning, Reasoning: &workflow.Reasoning{NodeID: node, Text: text, Final: true}})
		r.all += text
	}
	r.live, r.buf = "", ""
	if s.owner == node {
		s.owner = ""
		if len(s.waiting) > 0 {
			s.owner, s.waiting = s.waiting[0], s.waiting[1:]
		}
		return
	}
	for i, w := range s.waiting {
		if w == node {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			break
		}
	}
}

// finish closes the streams of a node that is done and returns what of them
// is not shown yet, for the journal.
func (s *streams) finish(node string) map[string]string {
	s.settleReasoning(node)
	var rest map[string]string
	for k, st := range s.byKey {
		if k.node == node && !st.closed {
			st.closed = true
			if rest == nil {
				rest = map[string]string{}
			}
			rest[k.name] = st.buf
		}
	}
	return rest
}

// restore is finish when a journal is folded.
func (s *streams) restore(node string, rest map[string]string) {
	for name, buf := range rest {
		s.byKey[key{node, name}] = &stream{buf: buf, closed: true}
	}
}

// drain journals all text whose turn has come.
func (s *streams) drain() {
	s.open()
	for {
		if s.active < 0 {
			if len(s.queue) == 0 {
				return
			}
			s.active, s.queue = s.queue[0], s.queue[1:]
		}
		st := &s.state[s.active]
		sess := &s.run.plan.sessions[s.active]
		for ; st.seg < len(sess.segments); st.seg++ {
			if s.segment(sess, sess.segments[st.seg]) {
				continue
			}
			if s.run.root.nodes[sess.node].phase != phaseDone {
				return
			}
			// The response node has been rendered and the variable is still not there:
			// it never comes, and like the contract's server neither does the rest.
			st.seg = len(sess.segments)
			break
		}
		s.active = -1
	}
}

// segment journals one segment; false when it has to wait.
func (s *streams) segment(sess *session, seg workflow.Segment) bool {
	plan := s.run.plan
	if seg.Selector == nil {
		s.text(workflow.Selector{plan.nodes[sess.node].cfg.ID, "answer"}, seg.Text)
		return true
	}
	node, name, ok := seg.Selector.Key()
	if !ok {
		return true
	}
	if st := s.byKey[key{node, name}]; st != nil && len(seg.Selector) == 2 {
		if !st.closed {
			return false
		}
		s.text(seg.Selector, st.live+st.buf)
		st.live, st.buf = "", ""
		return true
	}
	i, inGraph := plan.byID[node]
	if inGraph && s.run.root.nodes[i].phase == phaseSkipped {
		return true
	}
	if v, ok := s.run.root.pool.Get(seg.Selector); ok {
		s.text(seg.Selector, value.Markdown(v))
		return true
	}
	return false
}

func (s *streams) text(sel workflow.Selector, text string) {
	if text == "" {
		return
	}
	if s.folding {
		return
	}
	s.answer = append(s.answer, text...)
	s.run.emit(workflow.Event{Type: workflow.EventText, Text: &workflow.TextPiece{Selector: sel, Text: text}})
}
