package mockmodel

import (
	"sync"

	"github.com/millrace/millrace/shared/workflow/value"
)

// maxLogged bounds the list of calls; the counts go on.
const maxLogged = 10000

// Call is one request that the server got.
type Call struct {
	Path string `json:"path"`
	// Model and Prompt are the request's; Prompt is the last user text, the
	// prompt or the first input.
	Model  string `json:"model"`
	Prompt string `json:"prompt"`
	// Key is the Idempotency-Key header.
	Key string `json:"key"`
	// Finished is false while the answer is not sent to its end, and stays so
	// when the client went away.
	Finished bool `json:"finished"`
}

// Calls is what the server was asked so far.
type Calls struct {
	Total    int            `json:"total"`
	Finished int            `json:"finished"`
	ByPath   map[string]int `json:"by_path"`
	// ByKey counts calls by Idempotency-Key, ByPrompt by their text.
	ByKey    map[string]int `json:"by_key"`
	ByPrompt map[string]int `json:"by_prompt"`
	Calls    []Call         `json:"calls"`
}

type logged struct{ *Call }

type callLog struct {
	mu       sync.Mutex
	total    int
	finished int
	byPath   map[string]int
	byKey    map[string]int
	byPrompt map[string]int
	list     []*Call
}

func (l *callLog) start(path string, body *value.Object, key string) *logged {
	c := &Call{Path: path, Model: body.String("model"), Key: key, Prompt: promptOf(body)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byPath == nil {
		l.byPath, l.byKey, l.byPrompt = map[string]int{}, map[string]int{}, map[string]int{}
	}
	l.total++
	l.byPath[path]++
	l.byPrompt[c.Prompt]++
	if key != "" {
		l.byKey[key]++
	}
	if len(l.list) < maxLogged {
		l.list = append(l.list, c)
	}
	return &logged{c}
}

func (l *callLog) finish(c *logged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Finished = true
	l.finished++
}

func (l *callLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total, l.finished, l.list = 0, 0, nil
	l.byPath, l.byKey, l.byPrompt = nil, nil, nil
}

// Calls returns a copy of what was counted so far.
func (s *Server) Calls() Calls {
	l := &s.calls
	l.mu.Lock()
	defer l.mu.Unlock()
	out := Calls{Total: l.total, Finished: l.finished, ByPath: map[string]int{}, ByKey: map[string]int{}, ByPrompt: map[string]int{}, Calls: []Call{}}
	for from, to := range map[*map[string]int]map[string]int{&l.byPath: out.ByPath, &l.byKey: out.ByKey, &l.byPrompt: out.ByPrompt} {
		for k, v := range *from {
			to[k] = v
		}
	}
	for _, c := range l.list {
		out.Calls = append(out.Calls, *c)
	}
	return out
}

func promptOf(body *value.Object) string {
	text := ""
	for _, m := range objects(body.Value("messages")) {
		if m.String("role") == "user" {
			text = contentText(m.Value("content"))
		}
	}
	if text == "" {
		text = promptText(body.Value("prompt"))
	}
	if text == "" {
		text = promptText(body.Value("input"))
	}
	return text
}
