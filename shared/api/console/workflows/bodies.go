package workflows

import (
	"encoding/json"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/workflow/value"
)

// member reads a member of a body as an object.
func member(p *edge.Problems, field string, raw json.RawMessage, required bool) *value.Object {
	if len(raw) == 0 {
		p.Require(field, !required)
		return nil
	}
	v, err := value.Decode(raw)
	o, ok := v.(*value.Object)
	if err != nil || !ok {
		p.Add(field, "should be an object")
		return nil
	}
	return o
}

// items reads a member of a body as a list; nil when it is absent.
func items(p *edge.Problems, field string, raw json.RawMessage, required bool) []any {
	if len(raw) == 0 || string(raw) == "null" {
		p.Require(field, !required)
		return nil
	}
	v, err := value.Decode(raw)
	list, ok := v.([]any)
	if err != nil || !ok {
		p.Add(field, "should be a list")
		return nil
	}
	return list
}

// syncBody is decoded by hand, so that a graph keeps its text's order and
// numbers.
type syncBody struct {
	Graph         json.RawMessage `json:"graph"`
	Features      json.RawMessage `json:"features"`
	Hash          *string         `json:"hash"`
	Collaborative bool            `json:"_is_collaborative"`
	Patch         *struct {
		Variables json.RawMessage `json:"environment_variables"`
		Deleted   []string        `json:"deleted_environment_variable_ids"`
	} `json:"environment_variable_patch"`
	Conversation json.RawMessage `json:"conversation_variables"`
	// Environment is refused: it would replace variables that the sender may not
	// have seen. They have a route of their own.
	Environment json.RawMessage `json:"environment_variables"`

	graph, features     *value.Object
	conversation, patch []any
	deleted             []string
	hash                string
	collaborative       bool
}

// Validate checks and decodes the parts.
func (b *syncBody) Validate() error {
	var p edge.Problems
	b.graph = member(&p, "graph", b.Graph, true)
	b.features = member(&p, "features", b.Features, true)
	b.conversation = items(&p, "conversation_variables", b.Conversation, false)
	if b.Patch != nil {
		b.patch = items(&p, "environment_variable_patch.environment_variables", b.Patch.Variables, false)
		b.deleted = b.Patch.Deleted
	}
	if b.Environment != nil {
		p.Add("environment_variables", "Extra inputs are not permitted")
	}
	if b.Hash != nil {
		b.hash = *b.Hash
	}
	// Collaborating editors merge their changes before they send them.
	b.collaborative = b.Collaborative
	return p.Err()
}

type environmentBody struct {
	Variables json.RawMessage `json:"environment_variables"`
	Patch     bool            `json:"patch"`
	Deleted   []string        `json:"deleted_environment_variable_ids"`

	list    []any
	patch   bool
	deleted []string
}

// Validate checks and decodes the list.
func (b *environmentBody) Validate() error {
	var p edge.Problems
	b.list = items(&p, "environment_variables", b.Variables, true)
	b.patch, b.deleted = b.Patch, b.Deleted
	return p.Err()
}

type conversationBody struct {
	Variables json.RawMessage `json:"conversation_variables"`

	list []any
}

// Validate checks and decodes the list.
func (b *conversationBody) Validate() error {
	var p edge.Problems
	b.list = items(&p, "conversation_variables", b.Variables, true)
	return p.Err()
}

type featuresBody struct {
	Features json.RawMessage `json:"features"`

	features *value.Object
}

// Validate checks and decodes the features.
func (b *featuresBody) Validate() error {
	var p edge.Problems
	b.features = member(&p, "features", b.Features, true)
	return p.Err()
}

// The longest name and comment of a version in characters.
const (
	maxMark    = 20
	maxComment = 100
)

type markBody struct {
	Name    *string `json:"marked_name"`
	Comment *string `json:"marked_comment"`
}

// Validate checks lengths.
func (b *markBody) Validate() error {
	var p edge.Problems
	if b.Name != nil {
		p.Length("marked_name", *b.Name, 0, maxMark)
	}
	if b.Comment != nil {
		p.Length("marked_comment", *b.Comment, 0, maxComment)
	}
	return p.Err()
}
