package dsl

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// MaxSize bounds a document in bytes.
const MaxSize = 10 << 20

const (
	maxNodes = 1 << 20 // after aliases are written out
	maxDepth = 200
)

// Parse reads a YAML document whose top is a mapping. Its errors are
// InvalidParam and carry the contract's texts.
func Parse(text string) (*value.Object, error) {
	if len(text) > MaxSize {
		return nil, errs.New(errs.InvalidParam, "File size exceeds the limit of 10MB")
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, errs.New(errs.InvalidParam, "Invalid YAML format: "+strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil, notMapping()
	}
	p := parser{left: maxNodes}
	v, err := p.node(doc.Content[0], 0)
	if err != nil {
		return nil, errs.New(errs.InvalidParam, "Invalid YAML format: "+err.Error())
	}
	o, ok := v.(*value.Object)
	if !ok {
		return nil, notMapping()
	}
	return o, nil
}

func notMapping() error {
	return errs.New(errs.InvalidParam, "Invalid YAML format: content must be a mapping")
}

type parser struct{ left int }

func (p *parser) node(n *yaml.Node, depth int) (any, error) {
	if p.left--; p.left < 0 {
		return nil, errors.New("the document is too large")
	}
	if depth > maxDepth {
		return nil, errors.New("the document is nested too deeply")
	}
	if tag := n.ShortTag(); n.Style&yaml.TaggedStyle != 0 && n.Kind != yaml.ScalarNode && tag != "!!map" && tag != "!!seq" {
		return nil, fmt.Errorf("line %d: the tag %s is not allowed", n.Line, n.Tag)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return p.node(n.Alias, depth+1)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := p.node(c, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		o := value.NewObject(len(n.Content) / 2)
		return o, p.mapping(o, n, depth)
	case yaml.ScalarNode:
		return scalar(n)
	default:
		return nil, fmt.Errorf("line %d: unexpected content", n.Line)
	}
}

func (p *parser) mapping(o *value.Object, n *yaml.Node, depth int) error {
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Style == 0 {
			merges = append(merges, c)
			continue
		}
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: a key must be a scalar", k.Line)
		}
		v, err := p.node(c, depth+1)
		if err != nil {
			return err
		}
		o.Set(k.Value, v)
	}
	for _, m := range merges {
		v, err := p.node(m, depth+1)
		if err != nil {
			return err
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, x := range list {
			from, ok := x.(*value.Object)
			if !ok {
				return fmt.Errorf("line %d: only mappings can be merged", m.Line)
			}
			for key, v := range from.All() {
				if _, has := o.Get(key); !has {
					o.Set(key, v)
				}
			}
		}
	}
	return nil
}

func scalar(n *yaml.Node) (any, error) {
	if n.Style&yaml.TaggedStyle != 0 {
		switch n.ShortTag() {
		case "!!str", "!!binary", "!!timestamp":
			return n.Value, nil
		case "!!int", "!!float", "!!bool", "!!null":
			return resolve(n.Value), nil
		}
		return nil, fmt.Errorf("line %d: the tag %s is not allowed", n.Line, n.Tag)
	}
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return n.Value, nil
	}
	return resolve(n.Value), nil
}
