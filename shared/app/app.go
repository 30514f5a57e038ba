// Package app is the domain of apps: what an app is, its site and keys, its
// workflow as draft and as published versions, and its document form (import,
// export, copy). It also answers the two questions of every service call: whose
// key is this, and which end user is that.
//
// It does not run anything (package run), knows no HTTP (shared/api) and keeps
// no rows (Store, implemented by shared/postgres/apps).
//
// START HERE: Service in service.go; workflow.go for drafts and versions;
// access.go for keys.
package app

import (
	"context"
	"encoding/json"
	"time"

	"github.com/millrace/millrace/shared/workflow/value"
)

// The modes of apps.
const (
	ModeWorkflow     = "workflow"
	ModeAdvancedChat = "advanced-chat"
	ModeChat         = "chat"
	ModeAgentChat    = "agent-chat"
	ModeCompletion   = "completion"
	ModeAgent        = "agent"
	ModeChannel      = "channel"
	ModeRagPipeline  = "rag-pipeline"
)

// StatusNormal is the status of apps that may be used.
const StatusNormal = "normal"

// App is one app of a workspace.
type App struct {
	ID, TenantID        string
	Name, Mode          string
	Description         string
	IconType, Icon      string
	IconBackground      string
	UseIconAsAnswerIcon bool
	Status              string
	EnableSite          bool
	EnableAPI           bool
	// MaxActiveRequests is nil when it was never set.
	MaxActiveRequests *int
	ModelConfigID     string // "" for modes that have none
	WorkflowID        string // the published version; "" before
	Tracing           string // JSON text; "" for none
	CreatedBy         string
	UpdatedBy         string
	Maintainer        string
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// HasWorkflow reports whether apps of the mode are defined by a graph.
func (a App) HasWorkflow() bool { return a.Mode == ModeWorkflow || a.Mode == ModeAdvancedChat }

// Site is how an app shows itself on the web. Pointers are nil where nothing
// was ever set, which the contract shows as null.
type Site struct {
	ID, AppID              string
	Title                  string
	Description            *string
	IconType               *string
	Icon                   *string
	IconBackground         *string
	DefaultLanguage        string
	Copyright              *string
	PrivacyPolicy          *string
	CustomDisclaimer       string
	InputPlaceholder       *string
	ChatColorTheme         *string
	ChatColorThemeInverted bool
	CustomizeDomain        *string
	CustomizeToken         string // must, allow or not_allow
	PromptPublic           bool
	ShowSteps              bool
	IconAsAnswer           bool
	Status                 string
	Code                   string
	CreatedBy, UpdatedBy   string
	CreatedAt, UpdatedAt   time.Time
}

// ModelConfig is the definition of an app that has no graph. Parts are the JSON
// columns by name.
type ModelConfig struct {
	ID, AppID            string
	OpeningStatement     *string
	PrePrompt            *string
	PromptType           string
	DatasetQueryVariable *string
	Parts                map[string]json.RawMessage
	CreatedBy, UpdatedBy string
	CreatedAt, UpdatedAt time.Time
}

// Token is an API key. AppID is empty for keys of the whole workspace.
type Token struct {
	ID, TenantID, AppID string
	Type                string
	Token               string
	LastUsedAt          time.Time
	CreatedAt           time.Time
}

// The types of keys.
const (
	TokenApp     = "app"
	TokenDataset = "dataset"
)

// MaxTokens bounds the keys of one app or workspace.
const MaxTokens = 10

// Tag is a label that people put on apps.
type Tag struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// Author is the account that made something.
type Author struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Workflow is a draft or a published version of an app's graph. The texts are
// JSON; secrets in Environment are sealed.
type Workflow struct {
	ID, TenantID, AppID string
	Type                string // workflow or chat
	Version             string // VersionDraft or the time of publishing
	Number              *int
	Graph, Features     string
	Environment         []Variable
	Conversation        []Variable
	RagPipeline         string
	Name, Comment       string
	ToolPublished       bool
	CreatedBy           string
	UpdatedBy           string
	CreatedAt           time.Time
	UpdatedAt           time.Time
}

// VersionDraft is the version of drafts.
const VersionDraft = "draft"

// Variable is an environment or conversation variable.
type Variable struct {
	ID          string
	Name        string
	Description string
	Type        string
	Value       any // a value of package workflow/value; sealed text for secrets
	Selector    []string
}

// TypeSecret is the type of variables that are stored sealed.
const TypeSecret = "secret"

// DraftVariable is a value left behind by a run of a draft.
type DraftVariable struct {
	ID, Name, Description, NodeID, ValueType string
	Selector                                 []string
	Value                                    any
	Edited, Visible, Editable                bool
}

// EndUser is somebody who uses an app through its API or site.
type EndUser struct {
	ID, TenantID, AppID string
	Type                string
	SessionID           string
	IsAnonymous         bool
	Name                string
	ExternalUserID      string
	CreatedAt           time.Time
	UpdatedAt           time.Time
}

// Filter selects apps of a list.
type Filter struct {
	Page, Limit int
	Mode        string   // "" or all means every mode
	Name        string   // part of the name
	Creators    []string // account ids; empty means everybody
	Tags        []string // apps that carry all of them
	Sort        string   // recently_created, earliest_created or last_modified
}

// VersionFilter selects versions of a list.
type VersionFilter struct {
	Page, Limit int
	NamedOnly   bool
	CreatedBy   string
}

// Access is what a key opens.
type Access struct {
	App          App
	TokenID      string
	AppMissing   bool
	TenantID     string
	TenantName   string
	TenantPlan   string
	TenantStatus string
}

// Store keeps apps and workflows. Every method works inside one workspace; what
// belongs to another is NotFound.
type Store interface {
	// CreateApp stores an app with its site and, where it has one, its model
	// config, as one change.
	CreateApp(ctx context.Context, a App, s Site, c *ModelConfig) error
	// App returns an app. Codes: NotFound.
	App(ctx context.Context, tenantID, id string) (App, error)
	// Apps lists apps and counts them.
	Apps(ctx context.Context, tenantID string, f Filter) ([]App, int, error)
	// UpdateApp stores an app's fields. Codes: NotFound.
	UpdateApp(ctx context.Context, a App) error
	// DeleteApp removes an app and its definition. Keys stay until they are swept,
	// so that their holders learn that the app is gone. Codes: NotFound.
	DeleteApp(ctx context.Context, tenantID, id string) error
	// Tags returns the tags of apps by app id.
	Tags(ctx context.Context, tenantID string, appIDs []string) (map[string][]Tag, error)
	// Authors returns accounts by id.
	Authors(ctx context.Context, ids []string) (map[string]Author, error)

	// Site returns an app's site. Codes: NotFound.
	Site(ctx context.Context, tenantID, appID string) (Site, error)
	// SaveSite replaces an app's site. Codes: NotFound.
	SaveSite(ctx context.Context, tenantID string, s Site) error
	// ModelConfig returns an app's current model config. Codes: NotFound.
	ModelConfig(ctx context.Context, tenantID, appID string) (ModelConfig, error)

	// Tokens lists keys, oldest first; an empty appID means those of the workspace.
	Tokens(ctx context.Context, tenantID, kind, appID string) ([]Token, error)
	// AddToken stores a key unless there are limit already. Codes: Conflict,
	// NotFound (the app is not the tenant's).
	AddToken(ctx context.Context, t Token, limit int) error
	// DeleteToken removes a key and returns it. Codes: NotFound.
	DeleteToken(ctx context.Context, tenantID, kind, appID, id string) (Token, error)
	// Access returns what a key opens. It notes the use of the key at most once a
	// minute. Codes: NotFound.
	Access(ctx context.Context, kind, token string, now time.Time) (Access, error)
	// SiteAccess returns what a site's code opens. With an appID it is the code of
	// that app's site or of none; without one the code finds the app. Codes:
	// NotFound (there is no such app).
	SiteAccess(ctx context.Context, appID, code string) (SiteAccess, error)
	// EndUser returns the end user of an app with this type and session, and makes
	// it when there is none. Codes: NotFound (the app is not the tenant's).
	EndUser(ctx context.Context, u EndUser) (EndUser, error)
	// EndUserByID returns an end user of an app. Codes: NotFound.
	EndUserByID(ctx context.Context, tenantID, appID, id string) (EndUser, error)

	// Draft returns an app's draft. Codes: NotFound.
	Draft(ctx context.Context, tenantID, appID string) (Workflow, error)
	// ChangeDraft calls change with the app's draft, nil when there is none, and
	// stores what it returns; nobody else changes the draft meanwhile.
	ChangeDraft(ctx context.Context, tenantID, appID string, change func(*Workflow) (*Workflow, error)) error
	// Publish stores a version, numbers it and makes it the app's current one.
	Publish(ctx context.Context, w Workflow) (Workflow, error)
	// Workflow returns a draft or version by id; an empty appID means any app of
	// the workspace. Codes: NotFound.
	Workflow(ctx context.Context, tenantID, appID, id string) (Workflow, error)
	// Workflows lists versions, the draft first, then the newest; one more than
	// the limit when there are more.
	Workflows(ctx context.Context, tenantID, appID string, f VersionFilter) ([]Workflow, error)
	// MarkWorkflow changes name and comment; nil leaves one as it is. Codes:
	// NotFound.
	MarkWorkflow(ctx context.Context, tenantID, appID, id string, name, comment *string, by string, at time.Time) (Workflow, error)
	// DeleteWorkflow removes a version. Codes: NotFound.
	DeleteWorkflow(ctx context.Context, tenantID, appID, id string) error
	// DraftVariables lists what runs of a draft left behind for one account;
	// nodeID "" means all nodes.
	DraftVariables(ctx context.Context, tenantID, appID, accountID, nodeID string) ([]DraftVariable, error)
	// ClearDraftVariables removes them for every account.
	ClearDraftVariables(ctx context.Context, tenantID, appID string) error
}

// Secrets seals and opens values with the workspace's key. *secretbox.Box is
// one.
type Secrets interface {
	Seal(ctx context.Context, tenantID, text string) (string, error)
	Unseal(ctx context.Context, tenantID, sealed string) (string, error)
}

// object decodes JSON text that should be an object; anything else is empty.
func object(text string) *value.Object {
	v, err := value.Decode([]byte(text))
	if o, ok := v.(*value.Object); ok && err == nil {
		return o
	}
	return value.NewObject(0)
}
