package lambdaemu

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Template is what the emulator takes from a SAM template.
type Template struct {
	// Dir is the folder that CodeUri points to.
	Dir       string
	Functions []Function
	// GatewayResponses replace what the gateway answers by itself, by API
	// Gateway's names for them.
	GatewayResponses map[string]GatewayResponse
}

// GatewayResponse is one such answer.
type GatewayResponse struct {
	// Status replaces the usual status; 0 keeps it.
	Status int
	// Template is the body for JSON, in which API Gateway puts values for
	// $context variables.
	Template string
}

// Function is one function of the template.
type Function struct {
	LogicalID string
	// Name is the deployed name, Folder the one under functions/.
	Name, Folder string
	Timeout      time.Duration
	MemoryMB     int
	// Env is the Environment of the function and of Globals, resolved.
	Env       map[string]string
	Routes    []Route
	Queues    []QueueSource
	Schedules []string
}

// Route is an API event of a function.
type Route struct {
	// Method is ANY or an HTTP method; Path is in API Gateway's syntax.
	Method, Path string
	// Stream says that the integration streams answers.
	Stream bool
	// Timeout is the integration's.
	Timeout time.Duration
}

// QueueSource is an event source mapping.
type QueueSource struct {
	// Queue is the name without the deployment's prefix.
	Queue     string
	BatchSize int
	// Partial says that the answer names the failed messages.
	Partial bool
	// Visibility is the queue's visibility timeout.
	Visibility time.Duration
	// DeadLetterAfter is the queue's maxReceiveCount; 0 is no dead-letter queue.
	DeadLetterAfter int
}

const (
	stackName = "millrace"
	region    = "us-east-1"
	account   = "000000000000"
)

// integrationTimeout is what a REST API waits for a buffered answer by default.
const integrationTimeout = 29 * time.Second

// ReadTemplate reads the SAM template at path. Parameters replace the defaults
// of the template's parameters.
func ReadTemplate(path string, parameters map[string]string) (*Template, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s: the template is empty", path)
	}
	r := &resolver{root: doc.Content[0], params: parameters}
	t := &Template{GatewayResponses: map[string]GatewayResponse{}}
	globals := child(r.root, "Globals", "Function")
	if uri := r.str(child(globals, "CodeUri")); uri != "" {
		t.Dir = filepath.Join(filepath.Dir(path), uri)
	}
	byID := map[string]*Function{}
	each(child(r.root, "Resources"), func(id string, res *yaml.Node) {
		switch p := child(res, "Properties"); r.str(child(res, "Type")) {
		case "AWS::Serverless::Function":
			byID[id] = r.function(id, p, globals)
		case "AWS::Serverless::Api":
			each(child(p, "GatewayResponses"), func(kind string, g *yaml.Node) { t.GatewayResponses[kind] = r.gatewayResponse(g) })
		}
	})
	each(child(r.root, "Resources"), func(_ string, res *yaml.Node) {
		if r.str(child(res, "Type")) == "AWS::Lambda::EventSourceMapping" {
			p := child(res, "Properties")
			if f := byID[refTarget(child(p, "FunctionName"))]; f != nil {
				f.Queues = append(f.Queues, r.queueSource(p))
			}
		}
	})
	for _, f := range byID {
		t.Functions = append(t.Functions, *f)
	}
	sort.Slice(t.Functions, func(i, j int) bool { return t.Functions[i].LogicalID < t.Functions[j].LogicalID })
	return t, r.err
}

// Find returns the function with that name, folder or logical id.
func (t *Template) Find(name string) (Function, bool) {
	for _, f := range t.Functions {
		if f.Name == name || f.Folder == name || f.LogicalID == name {
			return f, true
		}
	}
	return Function{}, false
}

func (r *resolver) function(id string, p, globals *yaml.Node) *Function {
	f := &Function{LogicalID: id, Name: r.str(child(p, "FunctionName")), Env: map[string]string{}}
	if f.Name == "" {
		f.Name = stackName + "-" + id
	}
	f.Folder = strings.TrimPrefix(f.Name, stackName+"-")
	f.Timeout = time.Duration(r.num(child(p, "Timeout"), 3)) * time.Second
	f.MemoryMB = r.num(child(p, "MemorySize"), 128)
	for _, n := range []*yaml.Node{globals, p} {
		each(child(n, "Environment", "Variables"), func(k string, v *yaml.Node) {
			if s, ok := r.value(v); ok {
				f.Env[k] = s
			}
		})
	}
	each(child(p, "Events"), func(_ string, ev *yaml.Node) {
		ep := child(ev, "Properties")
		switch r.str(child(ev, "Type")) {
		case "Api":
			route := Route{
				Method: strings.ToUpper(r.str(child(ep, "Method"))), Path: r.str(child(ep, "Path")),
				Stream:  r.str(child(ep, "ResponseTransferMode")) == "RESPONSE_STREAM",
				Timeout: time.Duration(r.num(child(ep, "TimeoutInMillis"), int(integrationTimeout/time.Millisecond))) * time.Millisecond,
			}
			f.Routes = append(f.Routes, route)
		case "Schedule":
			f.Schedules = append(f.Schedules, r.str(child(ep, "Schedule")))
		}
	})
	return f
}

func (r *resolver) gatewayResponse(g *yaml.Node) GatewayResponse {
	out := GatewayResponse{Status: r.num(child(g, "StatusCode"), 0), Template: r.str(child(g, "ResponseTemplates", jsonType))}
	if strings.Contains(strings.ReplaceAll(out.Template, messageVariable, ""), "$") {
		r.fail("line %d: of the variables, the emulator knows %s only", g.Line, messageVariable)
	}
	return out
}

func (r *resolver) queueSource(p *yaml.Node) QueueSource {
	q := child(r.root, "Resources", refTarget(child(p, "EventSourceArn")), "Properties")
	src := QueueSource{
		Queue:           strings.TrimPrefix(r.str(child(q, "QueueName")), stackName+"-"),
		BatchSize:       r.num(child(p, "BatchSize"), 10),
		Visibility:      time.Duration(r.num(child(q, "VisibilityTimeout"), 30)) * time.Second,
		DeadLetterAfter: r.num(child(q, "RedrivePolicy", "maxReceiveCount"), 0),
	}
	if types := child(p, "FunctionResponseTypes"); types != nil {
		for _, n := range types.Content {
			src.Partial = src.Partial || n.Value == "ReportBatchItemFailures"
		}
	}
	return src
}

// resolver evaluates the intrinsic functions the template uses.
type resolver struct {
	root   *yaml.Node
	params map[string]string
	err    error
}

func (r *resolver) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("template: "+format, args...)
	}
}

// value returns n as a string; ok is false for AWS::NoValue.
func (r *resolver) value(n *yaml.Node) (s string, ok bool) {
	if n == nil {
		return "", false
	}
	switch n.Tag {
	case "!Ref":
		return r.ref(n.Value)
	case "!GetAtt":
		id, attr, _ := strings.Cut(n.Value, ".")
		return r.attribute(id, attr), true
	case "!Sub":
		return r.sub(n.Value), true
	case "!If":
		if len(n.Content) == 3 && r.condition(child(r.root, "Conditions", n.Content[0].Value)) {
			return r.value(n.Content[1])
		} else if len(n.Content) == 3 {
			return r.value(n.Content[2])
		}
	case "!Join":
		if len(n.Content) == 2 {
			s, _ := r.value(n.Content[1])
			return s, true
		}
	}
	if n.Kind != yaml.ScalarNode {
		r.fail("line %d: a plain value is expected", n.Line)
		return "", false
	}
	return n.Value, true
}

func (r *resolver) str(n *yaml.Node) string {
	s, _ := r.value(n)
	return s
}

func (r *resolver) num(n *yaml.Node, def int) int {
	s, ok := r.value(n)
	if !ok || s == "" {
		return def
	}
	v, err := strconv.Atoi(s)
	if err != nil {
		r.fail("line %d: %q is not a number", n.Line, s)
	}
	return v
}

func (r *resolver) condition(n *yaml.Node) bool {
	if n == nil {
		return false
	}
	switch {
	case n.Tag == "!Not" && len(n.Content) == 1:
		return !r.condition(n.Content[0])
	case n.Tag == "!Equals" && len(n.Content) == 2:
		return r.str(n.Content[0]) == r.str(n.Content[1])
	}
	r.fail("line %d: the condition %s is not known to the emulator", n.Line, n.Tag)
	return false
}

func (r *resolver) ref(name string) (string, bool) {
	pseudo := map[string]string{
		"AWS::StackName": stackName, "AWS::Region": region, "AWS::AccountId": account,
		"AWS::URLSuffix": "amazonaws.com", "AWS::Partition": "aws",
	}
	if name == "AWS::NoValue" {
		return "", false
	}
	if v, ok := pseudo[name]; ok {
		return v, true
	}
	if v, ok := r.params[name]; ok {
		return v, true
	}
	if p := child(r.root, "Parameters", name); p != nil {
		return r.str(child(p, "Default")), true
	}
	if p := child(r.root, "Resources", name, "Properties"); p != nil {
		for _, key := range []string{"FunctionName", "QueueName", "LogGroupName", "StageName"} {
			if n := child(p, key); n != nil {
				return r.value(n)
			}
		}
		return name, true
	}
	r.fail("%s is neither a parameter nor a resource", name)
	return "", false
}

func (r *resolver) attribute(id, attr string) string {
	if attr != "Arn" {
		return id + "." + attr
	}
	name, _ := r.ref(id)
	service := "resource"
	switch r.str(child(r.root, "Resources", id, "Type")) {
	case "AWS::Serverless::Function":
		service, name = "lambda", "function:"+name
	case "AWS::SQS::Queue":
		service = "sqs"
	}
	return "arn:aws:" + service + ":" + region + ":" + account + ":" + name
}

func (r *resolver) sub(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(before)
		if id, attr, dotted := strings.Cut(name, "."); dotted {
			b.WriteString(r.attribute(id, attr))
		} else {
			v, _ := r.ref(name)
			b.WriteString(v)
		}
		s = after
	}
}

// refTarget is the resource a !Ref or !GetAtt points to.
func refTarget(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	id, _, _ := strings.Cut(n.Value, ".")
	return id
}

func child(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		var next *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				next = n.Content[i+1]
			}
		}
		n = next
	}
	return n
}

func each(n *yaml.Node, f func(key string, value *yaml.Node)) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		f(n.Content[i].Value, n.Content[i+1])
	}
}
