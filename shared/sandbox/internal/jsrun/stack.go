package jsrun

import (
	"regexp"
	"strconv"
	"strings"
)

const (
	// file is what the user's code is called in stacks, as it is for Python.
	file = "/var/sandbox/main.js"
	// preludeLine is where the prelude begins: the engine gives every program
	// the same name, so its lines are kept away from those of the user's code.
	preludeLine = 100_000
	// maxFrames of a stack are shown.
	maxFrames = 10
)

// frame is a line of a stack: "    at f (<eval>:2:7)" of a call, "    at
// <eval>:2:7" of a place that could not be read.
var frame = regexp.MustCompile(`^ {4}at (?:(.+) \()?<eval>:(\d+):(\d+)\)?$`)

// entered are the prelude's functions that this package calls; what called them
// is this package.
var entered = map[string]bool{"__millraceStart": true, "__millraceFire": true, "__millraceDone": true}

// readable leaves of an error with its stack what the code's author can use.
func readable(text string) string {
	var message, frames []string
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, "    at ") {
			message = append(message, line)
			continue
		}
		if m := frame.FindStringSubmatch(line); m != nil {
			if entered[m[1]] {
				// What the prelude called on the engine's behalf goes with it.
				for len(frames) > 0 && strings.HasSuffix(frames[len(frames)-1], " (native)") {
					frames = frames[:len(frames)-1]
				}
				break
			}
			if n, err := strconv.Atoi(m[2]); err != nil || n > preludeLine {
				continue
			}
			at := file + ":" + m[2] + ":" + m[3]
			switch m[1] {
			case "", "<eval>", "<anonymous>":
				line = "    at " + at
			default:
				line = "    at " + m[1] + " (" + at + ")"
			}
		}
		frames = append(frames, line)
	}
	return strings.Join(append(message, frames[:min(len(frames), maxFrames)]...), "\n")
}
