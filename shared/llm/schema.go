package llm

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Text is a text by language; en_US is always there.
type Text map[string]string

// T makes a Text in English and Chinese.
func T(en, zh string) Text { return Text{"en_US": en, "zh_Hans": zh} }

// Same is a Text that reads alike in every language, such as a name.
func Same(s string) Text { return T(s, s) }

// ParameterRule says which values a completion parameter may have.
type ParameterRule struct {
	Name        string   `json:"name"`
	UseTemplate *string  `json:"use_template"`
	Label       Text     `json:"label"`
	Type        string   `json:"type"`
	Help        Text     `json:"help"`
	Required    bool     `json:"required"`
	Default     any      `json:"default"`
	Min         *float64 `json:"min"`
	Max         *float64 `json:"max"`
	Precision   *int     `json:"precision"`
	Options     []string `json:"options"`
}

// Schema describes a model: what it is called, can do and accepts.
type Schema struct {
	Model          string          `json:"model"`
	Label          Text            `json:"label"`
	ModelType      ModelType       `json:"model_type"`
	Features       []Feature       `json:"features"`
	FetchFrom      string          `json:"fetch_from"`
	Properties     map[string]any  `json:"model_properties"`
	Deprecated     bool            `json:"deprecated"`
	ParameterRules []ParameterRule `json:"parameter_rules"`
	Pricing        *Pricing        `json:"pricing"`
}

// Has reports whether the model has a feature.
func (s *Schema) Has(f Feature) bool { return slices.Contains(s.Features, f) }

// Mode returns the model's mode; chat when it names none.
func (s *Schema) Mode() Mode {
	if m, ok := s.Properties["mode"].(string); ok && m == string(ModeCompletion) {
		return ModeCompletion
	}
	return ModeChat
}

// ContextSize returns how many tokens the model takes, 0 when unknown.
func (s *Schema) ContextSize() int {
	n, _ := s.Properties["context_size"].(int)
	return n
}

// Rule returns the rule of a parameter, nil when there is none.
func (s *Schema) Rule(name string) *ParameterRule {
	for i := range s.ParameterRules {
		if s.ParameterRules[i].Name == name {
			return &s.ParameterRules[i]
		}
	}
	return nil
}

// Fit drops the parts that the model has no feature for and turns a message
// with nothing but one text into a plain one.
func (s *Schema) Fit(msg Message) Message {
	if msg.Parts == nil {
		return msg
	}
	need := map[PartType]Feature{PartImage: FeatureVision, PartAudio: FeatureAudio, PartVideo: FeatureVideo, PartDocument: FeatureDocument}
	var kept []Part
	for _, p := range msg.Parts {
		if f, media := need[p.Type]; !media || s.Has(f) {
			kept = append(kept, p)
		}
	}
	switch {
	case len(kept) == 0:
		msg.Parts, msg.Text = nil, ""
	case len(kept) == 1 && kept[0].Type == PartText:
		msg.Parts, msg.Text = nil, kept[0].Text
	default:
		msg.Parts = kept
	}
	return msg
}

// CheckParameters returns the parameters that the model accepts, in the types
// of its rules. Parameters without a rule are left out, as the contract does:
// an app's settings survive a change of its model. A value outside its rule is
// a KindBadRequest error.
func (s *Schema) CheckParameters(in map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for _, rule := range s.ParameterRules {
		value, given := in[rule.Name]
		if !given && rule.UseTemplate != nil {
			value, given = in[*rule.UseTemplate]
		}
		if !given || value == nil {
			if !rule.Required {
				continue
			}
			if value = rule.Default; value == nil {
				return nil, rule.bad("is required")
			}
		}
		checked, err := rule.check(value)
		if err != nil {
			return nil, err
		}
		out[rule.Name] = checked
	}
	return out, nil
}

func (r *ParameterRule) bad(format string, args ...any) error {
	return &Error{Kind: KindBadRequest, Message: fmt.Sprintf("Model Parameter %s %s.", r.Name, fmt.Sprintf(format, args...))}
}

func (r *ParameterRule) check(value any) (any, error) {
	switch r.Type {
	case "int", "float":
		return r.checkNumber(value)
	case "boolean":
		b, ok := value.(bool)
		if !ok {
			return nil, r.bad("should be bool")
		}
		return b, nil
	case "string", "text":
		text, ok := value.(string)
		if !ok {
			return nil, r.bad("should be string")
		}
		if len(r.Options) > 0 && !slices.Contains(r.Options, text) {
			return nil, r.bad("should be one of %s", strings.Join(r.Options, ", "))
		}
		return text, nil
	}
	return nil, r.bad("has the unknown type %s", r.Type)
}

func (r *ParameterRule) checkNumber(value any) (any, error) {
	n, ok := number(value)
	if !ok {
		return nil, r.bad("should be %s", r.Type)
	}
	if r.Min != nil && n < *r.Min {
		return nil, r.bad("should be greater than or equal to %v", *r.Min)
	}
	if r.Max != nil && n > *r.Max {
		return nil, r.bad("should be less than or equal to %v", *r.Max)
	}
	if r.Type == "int" {
		if n != math.Trunc(n) {
			return nil, r.bad("should be int")
		}
		return int64(n), nil
	}
	return n, nil
}

// number accepts what JSON, YAML and form fields make of a number.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	case float32:
		return float64(n), true
	case float64:
		return n, true
	case interface{ Float64() (float64, error) }:
		f, err := n.Float64()
		return f, err == nil
	case string:
		f, err := strconv.ParseFloat(n, 64)
		return f, err == nil
	}
	return 0, false
}
