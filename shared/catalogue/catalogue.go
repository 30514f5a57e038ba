// Package catalogue is the table of Millrace's functions: what triggers each
// one, which routes or queue it owns, and its limits. Everything else about
// functions is derived from this table or checked against it by a test: what
// the emulator mounts, infra/template.yaml, docs/functions.md, events/.
//
// It holds facts only. What a function does is built by package assemble.
package catalogue

import "time"

// Kind says what starts a function.
type Kind string

// The kinds of functions.
const (
	HTTP     Kind = "http"     // serves routes
	Queue    Kind = "queue"    // handles messages of its queues
	Schedule Kind = "schedule" // is started at a fixed rate
	Direct   Kind = "direct"   // is called by name: JSON in, JSON out
	OneShot  Kind = "one-shot" // runs to completion when an operator starts it
)

// Queue names. The three run queues separate workspaces by plan so that one
// plan's backlog does not delay another's.
const (
	QueueRunsProfessional = "runs-professional"
	QueueRunsTeam         = "runs-team"
	QueueRunsSandbox      = "runs-sandbox"
)

// Route is a method and a path in net/http.ServeMux syntax. An empty method
// matches every method. The most specific route wins, as in ServeMux.
type Route struct {
	Method string
	Path   string
}

// Pattern returns the route in ServeMux syntax.
func (r Route) Pattern() string {
	if r.Method == "" {
		return r.Path
	}
	return r.Method + " " + r.Path
}

// Function is one deployable.
type Function struct {
	// Name is the folder under functions/ and the deployed name's suffix.
	Name string
	Kind Kind
	// Summary is one sentence for docs/functions.md.
	Summary string
	// Routes are owned by HTTP functions.
	Routes []Route
	// Queues are handled by Queue functions.
	Queues []string
	// Every is the rate of Schedule functions.
	Every time.Duration
	// Timeout is the platform's time limit for one invocation.
	Timeout time.Duration
	// MemoryMB is the memory size in MiB.
	MemoryMB int
	// Streaming functions answer with server-sent events and must stream on
	// every runtime.
	Streaming bool
	// Uses names the platform resources the function needs; least-privilege
	// roles are derived from it.
	Uses []Resource
	// Sample is the file in events/ that starts it in tests.
	Sample string
}

// Resource is something on the platform that a function may touch.
type Resource string

// The resources.
const (
	Postgres  Resource = "postgres"
	Redis     Resource = "redis"
	BlobRead  Resource = "blob-read"
	BlobWrite Resource = "blob-write"
	SendRuns  Resource = "send-runs"  // may send to the run queues
	CallCode  Resource = "call-code"  // may call the code functions
	Egress    Resource = "egress"     // dials out for users
	SecretKey Resource = "secret-key" // reads SECRET_KEY
	SendMail  Resource = "send-mail"  // reads SMTP_PASSWORD and mails people
)

// Functions returns the table, in the order of the documentation. The caller
// may not modify the slices inside.
func Functions() []Function {
	run := []Resource{Postgres, Redis, BlobRead, BlobWrite, SendRuns, CallCode, Egress, SecretKey, SendMail}
	console := []Resource{Postgres, Redis, BlobRead, BlobWrite, SecretKey}
	served := []Function{
		{
			Name: "chat-messages", Kind: HTTP, Streaming: true, Timeout: 15 * time.Minute, MemoryMB: 512, Uses: run,
			Summary: "Runs a chatflow for a client and streams the answer; stops it.",
			Routes: []Route{
				{"POST", "/v1/chat-messages"},
				{"POST", "/v1/chat-messages/{task_id}/stop"},
				{"POST", "/v1/completion-messages"},
				{"POST", "/v1/completion-messages/{task_id}/stop"},
			},
			Sample: "function-url.chat-messages.json",
		},
		{
			Name: "workflow-run", Kind: HTTP, Streaming: true, Timeout: 15 * time.Minute, MemoryMB: 512, Uses: run,
			Summary: "Runs a workflow for a client or a page and streams its events; stops and re-joins runs; takes answers to forms.",
			Routes: []Route{
				{"POST", "/v1/workflows/run"},
				{"POST", "/v1/workflows/{workflow_id}/run"},
				{"POST", "/v1/workflows/tasks/{task_id}/stop"},
				{"GET", "/v1/workflow/{task_id}/events"},
				{"GET", "/v1/workflows/run/{workflow_run_id}/events"},
				{"", "/v1/form/human_input/{form_token}"},
				{"", "/api/workflows/run"},
				{"", "/api/workflows/tasks/{task_id}/stop"},
				{"", "/api/workflow/{task_id}/events"},
				{"", "/api/form/human_input/{form_token}"},
				{"", "/api/form/human_input/{form_token}/upload-token"},
				{"", "/api/human-input-forms/files"},
			},
			Sample: "function-url.workflow-run.json",
		},
		{
			Name: "service-api", Kind: HTTP, Timeout: 30 * time.Second, MemoryMB: 256,
			Uses:    []Resource{Postgres, Redis, BlobRead, BlobWrite, SecretKey},
			Summary: "The rest of the service API: conversations, messages, files, info, parameters, logs; answers for paths that nobody has.",
			Routes:  []Route{{"", "/v1/{rest...}"}, {"", "/{rest...}"}},
			Sample:  "apigateway-v1.service-api.json",
		},
		{
			Name: "web-app", Kind: HTTP, Timeout: 30 * time.Second, MemoryMB: 256,
			Uses:    []Resource{Postgres, Redis, BlobRead, SecretKey},
			Summary: "The API behind apps' pages: passports, site, parameters.",
			Routes:  []Route{{"", "/api/{rest...}"}},
			Sample:  "apigateway-v1.web-app.json",
		},
		{
			Name: "console-identity", Kind: HTTP, Timeout: 30 * time.Second, MemoryMB: 256, Uses: console,
			Summary: "First-time setup, login, tokens, account, workspaces, features.",
			Routes: []Route{
				{"", "/console/api/setup"},
				{"", "/console/api/init"},
				{"", "/console/api/ping"},
				{"", "/console/api/version"},
				{"", "/console/api/login"},
				{"", "/console/api/logout"},
				{"", "/console/api/refresh-token"},
				{"", "/console/api/account/{rest...}"},
				{"", "/console/api/features"},
				{"", "/console/api/system-features"},
				{"", "/console/api/workspaces"},
				{"", "/console/api/workspaces/{rest...}"},
			},
			Sample: "apigateway-v1.console-identity.json",
		},
		{
			Name: "console-apps", Kind: HTTP, Timeout: 60 * time.Second, MemoryMB: 256, Uses: append([]Resource{Egress}, console...),
			Summary: "Apps, DSL import and export, site, API keys; the rest of the console API.",
			Routes: []Route{
				{"", "/console/api/{rest...}"},
				{"", "/console/api/workspaces/current/usage"},
				{"", "/console/api/workspaces/current/budgets"}, {"", "/console/api/workspaces/current/budgets/{budget_id}"},
			},
			Sample: "apigateway-v1.console-apps.json",
		},
		{
			Name: "console-workflows", Kind: HTTP, Streaming: true, Timeout: 15 * time.Minute, MemoryMB: 512, Uses: run,
			Summary: "Workflow drafts, publishing and versions; runs drafts and streams their events; forms that runs ask people; tools.",
			Routes: []Route{
				{"", "/console/api/apps/{app_id}/workflows/{rest...}"},
				{"", "/console/api/apps/{app_id}/workflows"},
				{"", "/console/api/apps/{app_id}/advanced-chat/workflows/{rest...}"},
				{"", "/console/api/apps/{app_id}/advanced-chat/workflows"},
				{"", "/console/api/apps/{app_id}/workflow-runs/{run_id}/replay"},
				{"", "/console/api/apps/{app_id}/workflow-runs/replay-batch"},
				{"", "/console/api/apps/{app_id}/replay-batches"},
				{"", "/console/api/apps/{app_id}/replay-batches/{batch_id}"},
				{"", "/console/api/runs/{rest...}"},
				{"", "/console/api/form/{rest...}"},
				{"", "/console/api/workflow/{rest...}"},
				{"", "/console/api/workspaces/current/tool-labels"},
				{"", "/console/api/workspaces/current/tool-provider/{rest...}"},
				{"", "/console/api/workspaces/current/tool-providers"},
				{"", "/console/api/workspaces/current/tools/{rest...}"},
			},
			Sample: "apigateway-v1.console-workflows.json",
		},
		{
			Name: "console-providers", Kind: HTTP, Timeout: 60 * time.Second, MemoryMB: 256, Uses: append([]Resource{Egress}, console...),
			Summary: "Model providers, their credentials and the default models.",
			Routes: []Route{
				{"", "/console/api/workspaces/current/model-providers"},
				{"", "/console/api/workspaces/current/model-providers/{rest...}"},
				{"", "/console/api/workspaces/current/models/{rest...}"},
				{"", "/console/api/workspaces/current/default-model"},
			},
			Sample: "apigateway-v1.console-providers.json",
		},
		{
			Name: "files", Kind: HTTP, Timeout: 30 * time.Second, MemoryMB: 256,
			Uses:    []Resource{Postgres, BlobRead, SecretKey},
			Summary: "File previews by signed URL.",
			Routes:  []Route{{"", "/files/{rest...}"}},
			Sample:  "apigateway-v2.files.json",
		},
	}
	return append(served, behind(run)...)
}

// behind are the functions that no client calls.
func behind(run []Resource) []Function {
	return []Function{
		{
			Name: "run-workflow", Kind: Queue, Timeout: 15 * time.Minute, MemoryMB: 512, Uses: run,
			Summary: "Advances a run that was handed over, recovered or started without a waiting client.",
			Queues:  []string{QueueRunsProfessional, QueueRunsTeam, QueueRunsSandbox},
			Sample:  "sqs.run-workflow.json",
		},
		{
			Name: "tick", Kind: Schedule, Every: time.Minute, Timeout: 50 * time.Second, MemoryMB: 256,
			Uses:    []Resource{Postgres, Redis, SendRuns, SendMail},
			Summary: "Finds expired leases and due timers and relays what is left in the outbox.",
			Sample:  "schedule.tick.json",
		},
		{
			Name: "code-python", Kind: Direct, Timeout: 60 * time.Second, MemoryMB: 512,
			Summary: "Runs untrusted Python of code nodes with no secrets and no network.",
			Sample:  "direct.code-python.json",
		},
		{
			Name: "code-javascript", Kind: Direct, Timeout: 60 * time.Second, MemoryMB: 512,
			Summary: "Runs untrusted JavaScript of code nodes with no secrets and no network.",
			Sample:  "direct.code-javascript.json",
		},
		{
			Name: "migrate", Kind: OneShot, Timeout: 15 * time.Minute, MemoryMB: 256,
			Uses:    []Resource{Postgres},
			Summary: "Brings the database schema up to date; safe to run twice.",
			Sample:  "direct.migrate.json",
		},
	}
}

// Find returns the function called name.
func Find(name string) (Function, bool) {
	for _, f := range Functions() {
		if f.Name == name {
			return f, true
		}
	}
	return Function{}, false
}

// RunQueue returns the queue of a workspace's plan.
func RunQueue(plan string) string {
	switch plan {
	case "professional":
		return QueueRunsProfessional
	case "team":
		return QueueRunsTeam
	default:
		return QueueRunsSandbox
	}
}
