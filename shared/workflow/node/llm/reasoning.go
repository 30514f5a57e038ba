package llm

import (
	"regexp"
	"strings"

	"github.com/millrace/millrace/shared/workflow"
)

// Tags around reasoning in a model's text. Compiled once, never changed.
var (
	thinkBlock = regexp.MustCompile(`(?is)<think[^>]*>(.*?)</think>`)
	blankLines = regexp.MustCompile(`\n\s*\n`)
)

// separate takes the reasoning out of a text: its blocks joined by newlines,
// and the text without them, blank lines collapsed.
func separate(text string) (clean, reasoning string) {
	var blocks []string
	for _, m := range thinkBlock.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, strings.TrimSpace(m[1]))
	}
	clean = thinkBlock.ReplaceAllString(text, "")
	clean = strings.TrimSpace(blankLines.ReplaceAllString(clean, "\n\n"))
	return clean, strings.TrimSpace(strings.Join(blocks, "\n"))
}

// emitter streams a text, and apart from it the reasoning when it is to be
// split off. Tags may come in pieces: what could be the start of one is held
// back until it is known.
type emitter struct {
	emit  func(workflow.Chunk)
	split bool

	held     string
	thinking bool
	thought  bool // reasoning was streamed
	said     bool // text was streamed
}

func (e *emitter) text(s string) {
	if e.emit == nil || s == "" {
		return
	}
	if !e.split {
		e.emit(workflow.Chunk{Name: outputText, Text: s})
		return
	}
	e.held += s
	for e.step() {
	}
}

// step consumes what is certain of the held text and reports whether a tag was
// passed, after which there may be more.
func (e *emitter) step() bool {
	tag := "<think"
	if e.thinking {
		tag = "</think>"
	}
	lower := strings.ToLower(e.held)
	i := strings.Index(lower, tag)
	if i < 0 {
		keep := partial(lower, tag)
		e.send(e.held[:len(e.held)-keep])
		e.held = e.held[len(e.held)-keep:]
		return false
	}
	end := i + len(tag)
	if !e.thinking {
		n := strings.IndexByte(e.held[i:], '>')
		if n < 0 {
			e.send(e.held[:i])
			e.held = e.held[i:]
			return false
		}
		end = i + n + 1
	}
	e.send(e.held[:i])
	e.held = e.held[end:]
	e.thinking = !e.thinking
	return true
}

// partial returns how many bytes at the end of s may be the start of tag.
func partial(s, tag string) int {
	for n := min(len(tag)-1, len(s)); n > 0; n-- {
		if strings.HasSuffix(s, tag[:n]) {
			return n
		}
	}
	return 0
}

func (e *emitter) send(s string) {
	if e.thinking {
		if s != "" {
			e.thought = true
			e.emit(workflow.Chunk{Name: outputReasoning, Text: s})
		}
		return
	}
	if !e.said {
		s = strings.TrimLeft(s, " \t\r\n") // as in the stored text
	}
	if s != "" {
		e.said = true
		e.emit(workflow.Chunk{Name: outputText, Text: s})
	}
}

// end sends what was held back and marks the ends.
func (e *emitter) end() {
	if e.emit == nil {
		return
	}
	if e.held != "" {
		e.send(e.held)
		e.held = ""
	}
	if e.thought {
		e.emit(workflow.Chunk{Name: outputReasoning, Final: true})
	}
	e.emit(workflow.Chunk{Name: outputText, Final: true})
}
