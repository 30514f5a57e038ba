// Package history reads runs that were stored: their detail, the app's log of
// runs and the executions of nodes. It is what "logs" show.
//
// It changes nothing and knows nothing of running: package run starts and
// stops runs, the run store writes the rows that are read here. The events of a
// run are read through package run as well.
package history

import (
	"context"
	"encoding/json"
	"time"

	"github.com/millrace/millrace/shared/errs"
)

// Person is who caused something: exactly one of the two is set, or none when
// the person is gone.
type Person struct {
	Account *Account
	EndUser *EndUser
}

// Account is the short form of an account.
type Account struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// EndUser is the short form of an end user.
type EndUser struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	IsAnonymous bool   `json:"is_anonymous"`
	SessionID   string `json:"session_id"`
}

// Run is a row of workflow_runs.
type Run struct {
	ID              string
	WorkflowID      string
	AppID           string
	Type            string
	TriggeredFrom   string
	Version         string
	Graph           json.RawMessage
	Inputs          json.RawMessage
	Outputs         json.RawMessage
	Status          string
	Error           string // "" shows as null
	ElapsedTime     float64
	TotalTokens     int64
	TotalSteps      int
	ExceptionsCount int
	CreatedByRole   string // account or end_user
	CreatedAt       time.Time
	FinishedAt      *time.Time
	CreatedBy       Person
	// ConversationID and MessageID are set for runs of chatflows in lists.
	ConversationID string
	MessageID      string
}

// Log is a row of workflow_app_logs with its run.
type Log struct {
	ID            string
	CreatedFrom   string
	CreatedByRole string
	CreatedAt     time.Time
	CreatedBy     Person
	Run           Run
}

// LogQuery filters an app's log. Zero fields do not filter.
type LogQuery struct {
	Page, Limit int
	Status      string
	Keyword     string
	Before      *time.Time
	After       *time.Time
	SessionID   string // of the end user
	Account     string // e-mail of the account
}

// RunQuery pages an app's runs, newest first.
type RunQuery struct {
	TriggeredFrom []string
	Status        string
	LastID        string
	Limit         int
}

// CountQuery filters the runs that are counted. Zero fields do not filter.
type CountQuery struct {
	TriggeredFrom string
	Status        string
	Since         *time.Time
}

// FromSingleStep is NodeExecution.TriggeredFrom of nodes that ran alone.
const FromSingleStep = "single-step"

// NodeExecution is a row of workflow_node_executions.
type NodeExecution struct {
	ID            string
	WorkflowID    string
	TriggeredFrom string
	Index         int
	NodeID        string
	NodeType      string
	Title         string
	Predecessor   string // "" shows as null
	Inputs        json.RawMessage
	ProcessData   json.RawMessage
	Outputs       json.RawMessage
	Status        string
	Error         string // "" shows as null
	ElapsedTime   float64
	Metadata      json.RawMessage
	CreatedByRole string
	CreatedAt     time.Time
	FinishedAt    *time.Time
	CreatedBy     Person
}

// Store reads the rows. Every method restricts to the tenant's app; what is
// not there is errs.NotFound.
type Store interface {
	Run(ctx context.Context, tenantID, appID, runID string) (Run, error)
	Runs(ctx context.Context, tenantID, appID string, q RunQuery) (list []Run, more bool, err error)
	Logs(ctx context.Context, tenantID, appID string, q LogQuery) (list []Log, total int, err error)
	NodeExecutions(ctx context.Context, tenantID, appID, runID string) ([]NodeExecution, error)
	// NodeExecution returns one by its id.
	NodeExecution(ctx context.Context, tenantID, appID, id string) (NodeExecution, error)
	// LastNodeExecution returns the latest of a node in runs of one version, alone
	// or within a run of the graph.
	LastNodeExecution(ctx context.Context, tenantID, appID, workflowID, nodeID string) (NodeExecution, error)
	// CountRuns counts runs by status.
	CountRuns(ctx context.Context, tenantID, appID string, q CountQuery) (map[string]int, error)
}

// Service answers questions about runs.
type Service struct{ store Store }

// NewService returns the service.
func NewService(store Store) *Service { return &Service{store} }

// Run returns one run of the app.
func (s *Service) Run(ctx context.Context, tenantID, appID, runID string) (Run, error) {
	r, err := s.store.Run(ctx, tenantID, appID, runID)
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "Workflow run not found")
	}
	return r, err
}

// Runs returns a page of an app's runs.
func (s *Service) Runs(ctx context.Context, tenantID, appID string, q RunQuery) ([]Run, bool, error) {
	list, more, err := s.store.Runs(ctx, tenantID, appID, q)
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "Last workflow run not exists")
	}
	return list, more, err
}

// Logs returns a page of an app's log and the number of all entries that match.
func (s *Service) Logs(ctx context.Context, tenantID, appID string, q LogQuery) ([]Log, int, error) {
	return s.store.Logs(ctx, tenantID, appID, q)
}

// NodeExecutions returns the executions of a run in the order they started.
func (s *Service) NodeExecutions(ctx context.Context, tenantID, appID, runID string) ([]NodeExecution, error) {
	if _, err := s.Run(ctx, tenantID, appID, runID); err != nil {
		return nil, err
	}
	return s.store.NodeExecutions(ctx, tenantID, appID, runID)
}

// NodeExecution returns one execution of a node.
func (s *Service) NodeExecution(ctx context.Context, tenantID, appID, id string) (NodeExecution, error) {
	return s.store.NodeExecution(ctx, tenantID, appID, id)
}

// LastNodeExecution returns the latest execution of a node of one version.
func (s *Service) LastNodeExecution(ctx context.Context, tenantID, appID, workflowID, nodeID string) (NodeExecution, error) {
	n, err := s.store.LastNodeExecution(ctx, tenantID, appID, workflowID, nodeID)
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "last run not found")
	}
	return n, err
}

// CountRuns counts an app's runs by status.
func (s *Service) CountRuns(ctx context.Context, tenantID, appID string, q CountQuery) (map[string]int, error) {
	return s.store.CountRuns(ctx, tenantID, appID, q)
}
