package debug

import (
	"strings"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Reference is a variable that a node reads.
type Reference struct {
	// Key is what a client calls it in the inputs of a single run, without the
	// node's id before it: the name that the node gives it, or the selector
	// between two #.
	Key      string
	Selector workflow.Selector
	// Optional references may be missing; the node says what happens then.
	Optional bool
}

// References lists what a node reads, in the order of its configuration and
// each key once. Types that the contract runs with whatever is there have none.
func References(cfg *workflow.NodeConfig) []Reference {
	c := collector{data: cfg.Data, seen: map[string]bool{}}
	switch cfg.Type {
	case "template-transform", "code":
		c.named("variables")
	case "llm":
		c.llm()
	case "if-else":
		c.conditions()
	case "http-request":
		c.http()
	case "question-classifier":
		c.selector("query", "query_variable_selector")
		c.templates("instruction")
		c.vision()
	case "parameter-extractor":
		c.selector("query", "query")
		c.templates("instruction")
		c.vision()
	case "iteration":
		c.selector("input_selector", "iterator_selector")
	case "loop":
		c.loop()
	case "document-extractor":
		c.selector("files", "variable_selector")
	case "list-operator":
		c.optional("variable", workflow.SelectorFrom(c.data.Value("variable")))
	case "answer":
		c.templates("answer")
	case "variable-aggregator", "variable-assigner":
		c.aggregator()
	case "assigner":
		c.assigner()
	case "tool":
		c.tool()
	case "human-input":
		c.humanInput()
	case "knowledge-retrieval":
		c.selector("query", "query_variable_selector")
	}
	return c.out
}

// ChildReferences lists what a container and the nodes in it read from outside.
func ChildReferences(g *workflow.Graph, container *workflow.NodeConfig) []Reference {
	inside := map[string]bool{container.ID: true}
	out := References(container)
	for more := true; more; {
		more = false
		for _, n := range g.Nodes {
			if inside[n.ParentID] && !inside[n.ID] {
				inside[n.ID], more = true, true
			}
		}
	}
	for _, n := range g.Nodes {
		if n.ID == container.ID || !inside[n.ID] {
			continue
		}
		for _, r := range References(n) {
			if !inside[r.Selector[0]] {
				// The keys of children carry their own id.
				out = append(out, Reference{Key: n.ID + "." + r.Key, Selector: r.Selector, Optional: r.Optional})
			}
		}
	}
	return out
}

type collector struct {
	data *value.Object
	out  []Reference
	seen map[string]bool
}

func (c *collector) add(key string, s workflow.Selector, optional bool) {
	if len(s) < 2 || key == "" || c.seen[key] {
		return
	}
	c.seen[key] = true
	c.out = append(c.out, Reference{Key: key, Selector: s, Optional: optional})
}

func (c *collector) hashed(s workflow.Selector) { c.add("#"+s.String()+"#", s, false) }

func (c *collector) optional(key string, s workflow.Selector) { c.add(key, s, true) }

func (c *collector) selector(key, field string) {
	c.add(key, workflow.SelectorFrom(c.data.Value(field)), false)
}

func (c *collector) template(v any) {
	text, ok := v.(string)
	if !ok {
		return
	}
	for _, seg := range workflow.ParseTemplate(text) {
		if seg.Selector != nil {
			c.hashed(seg.Selector)
		}
	}
}

func (c *collector) templates(fields ...string) {
	for _, f := range fields {
		c.template(c.data.Value(f))
	}
}

// named is a list of {variable, value_selector}.
func (c *collector) named(field string) {
	for _, o := range objects(c.data.Value(field)) {
		c.add(o.String("variable"), workflow.SelectorFrom(o.Value("value_selector")), false)
	}
}

func (c *collector) vision() {
	vision, _ := c.data.Value("vision").(*value.Object)
	if on, _ := vision.Value("enabled").(bool); !on {
		return
	}
	configs, _ := vision.Value("configs").(*value.Object)
	s := workflow.SelectorFrom(configs.Value("variable_selector"))
	if len(s) == 0 {
		s = workflow.Selector{workflow.ScopeSystem, "files"}
	}
	c.optional("#files#", s)
}

func (c *collector) llm() {
	for _, m := range append(objects(c.data.Value("prompt_template")), objectOf(c.data.Value("prompt_template"))...) {
		if m.String("edition_type") == "jinja2" {
			continue
		}
		c.template(m.Value("text"))
	}
	if memory, ok := c.data.Value("memory").(*value.Object); ok {
		query := memory.Value("query_prompt_template")
		if query == nil || query == "" {
			c.hashed(workflow.Selector{workflow.ScopeSystem, "query"})
		}
		c.template(query)
	}
	context, _ := c.data.Value("context").(*value.Object)
	if on, _ := context.Value("enabled").(bool); on {
		c.add("#context#", workflow.SelectorFrom(context.Value("variable_selector")), false)
	}
	c.vision()
	prompt, _ := c.data.Value("prompt_config").(*value.Object)
	for _, o := range objects(prompt.Value("jinja2_variables")) {
		c.add(o.String("variable"), workflow.SelectorFrom(o.Value("value_selector")), false)
	}
}

func (c *collector) conditions() {
	groups := objects(c.data.Value("cases"))
	if len(groups) == 0 {
		groups = []*value.Object{c.data}
	}
	for _, g := range groups {
		c.conditionList(g.Value("conditions"))
	}
}

func (c *collector) conditionList(list any) {
	for _, o := range objects(list) {
		if s := workflow.SelectorFrom(o.Value("variable_selector")); len(s) > 1 {
			c.hashed(s)
		}
		c.template(o.Value("value"))
		sub, _ := o.Value("sub_variable_condition").(*value.Object)
		for _, x := range objects(sub.Value("conditions")) {
			c.template(x.Value("value"))
		}
	}
}

func (c *collector) http() {
	c.templates("url", "headers", "params")
	auth, _ := c.data.Value("authorization").(*value.Object)
	config, _ := auth.Value("config").(*value.Object)
	c.template(config.Value("api_key"))
	c.template(config.Value("header"))
	body, _ := c.data.Value("body").(*value.Object)
	c.template(body.Value("data"))
	for _, o := range objects(body.Value("data")) {
		c.template(o.Value("key"))
		c.template(o.Value("value"))
		if s := workflow.SelectorFrom(o.Value("file")); len(s) > 1 {
			c.hashed(s)
		}
	}
}

func (c *collector) loop() {
	c.conditionList(c.data.Value("break_conditions"))
	own := c.out
	c.out = nil
	for _, r := range own {
		// The loop's own variables come from the loop.
		if !isLoopVariable(c.data, r.Selector) {
			c.out = append(c.out, r)
		}
	}
	for _, o := range objects(c.data.Value("loop_variables")) {
		if o.String("value_type") == "variable" {
			if s := workflow.SelectorFrom(o.Value("value")); len(s) > 1 {
				c.add(o.String("label"), s, false)
			}
		}
	}
}

func isLoopVariable(data *value.Object, s workflow.Selector) bool {
	for _, o := range objects(data.Value("loop_variables")) {
		if o.String("label") == s[1] {
			return true
		}
	}
	return false
}

func (c *collector) aggregator() {
	lists := []any{c.data.Value("variables")}
	settings, _ := c.data.Value("advanced_settings").(*value.Object)
	if on, _ := settings.Value("group_enabled").(bool); on {
		lists = nil
		for _, g := range objects(settings.Value("groups")) {
			lists = append(lists, g.Value("variables"))
		}
	}
	for _, l := range lists {
		items, _ := l.([]any)
		for _, x := range items {
			if s := workflow.SelectorFrom(x); len(s) > 1 {
				c.optional("#"+s.String()+"#", s)
			}
		}
	}
}

func (c *collector) assigner() {
	for _, field := range []string{"assigned_variable_selector", "input_variable_selector"} {
		if s := workflow.SelectorFrom(c.data.Value(field)); len(s) > 1 {
			c.hashed(s)
		}
	}
	for _, o := range objects(c.data.Value("items")) {
		if s := workflow.SelectorFrom(o.Value("variable_selector")); len(s) > 1 {
			c.hashed(s)
		}
		if o.String("input_type") == "variable" {
			if s := workflow.SelectorFrom(o.Value("value")); len(s) > 1 {
				c.hashed(s)
			}
		}
	}
}

func (c *collector) tool() {
	for _, field := range []string{"tool_parameters", "tool_configurations"} {
		params, _ := c.data.Value(field).(*value.Object)
		for name, v := range params.All() {
			p, ok := v.(*value.Object)
			if !ok {
				continue
			}
			switch p.String("type") {
			case "variable":
				c.add(name, workflow.SelectorFrom(p.Value("value")), false)
			case "mixed":
				c.template(p.Value("value"))
			}
		}
	}
}

func (c *collector) humanInput() {
	c.templates("form_content")
	kept := c.out[:0]
	for _, r := range c.out {
		if !strings.HasPrefix(r.Selector[0], "$") {
			kept = append(kept, r)
		}
	}
	c.out = kept
	for _, o := range objects(c.data.Value("inputs")) {
		def, _ := o.Value("default").(*value.Object)
		if def.String("type") == "variable" {
			if s := workflow.SelectorFrom(def.Value("selector")); len(s) > 1 {
				c.hashed(s)
			}
		}
	}
}

func objects(v any) []*value.Object {
	list, _ := v.([]any)
	out := make([]*value.Object, 0, len(list))
	for _, x := range list {
		if o, ok := x.(*value.Object); ok {
			out = append(out, o)
		}
	}
	return out
}

func objectOf(v any) []*value.Object {
	if o, ok := v.(*value.Object); ok {
		return []*value.Object{o}
	}
	return nil
}
