package questionclassifier

import (
	"regexp"
	"strings"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
	"github.com/millrace/millrace/shared/workflow/value"
)

// fence is a code fence around an answer. Compiled once, never changed.
var fence = regexp.MustCompile("(?s)```[a-zA-Z]*\\s*(.*?)```")

// choice returns the index of the class that an answer names: the first one
// unless there is a known id and a name. An answer without a JSON object is an
// error.
func (n *node) choice(text string) (int, error) {
	o, err := object(modelcall.WithoutReasoning(text))
	if err != nil {
		return 0, err
	}
	if _, ok := o.Get("category_name"); !ok {
		return 0, nil
	}
	id, ok := o.Value("category_id").(string)
	if !ok {
		return 0, nil
	}
	for i, c := range n.classes {
		if c.id == id {
			return i, nil
		}
	}
	return 0, nil
}

// object reads the JSON object in an answer, which may stand in a fence or
// between words.
func object(text string) (*value.Object, error) {
	inside := text
	if m := fence.FindStringSubmatch(text); m != nil {
		inside = m[1]
	}
	first, last := strings.Index(inside, "{"), strings.LastIndex(inside, "}")
	if first < 0 || last < first {
		return nil, &workflow.Failure{Type: typeParser, Message: "The model's answer has no JSON object: " + text}
	}
	v, err := value.Decode([]byte(inside[first : last+1]))
	if err != nil {
		return nil, &workflow.Failure{Type: typeParser, Message: "The JSON object in the model's answer cannot be read: " + text, Cause: err}
	}
	return v.(*value.Object), nil
}

// typeParser is the contract's error type of answers that cannot be read.
const typeParser = "OutputParserError"
