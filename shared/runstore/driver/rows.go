package driver

import "time"

// Rows are the changes that a batch makes to the contract's tables. The store
// writes them in the transaction of the batch. Texts are complete column
// values; a nil *string is NULL. All rows of a batch have one creator.
type Rows struct {
	Run          *RunRow          // insert; in the first batch only
	RunEnd       *RunEndRow       // update
	Resume       *time.Time       // end the run's pause, before Pause
	Pause        *PauseRow        // update, and insert what it waits for
	Nodes        []NodeRow        // insert, or update when Update is set
	StopNodes    *time.Time       // end every execution of the run that still runs
	AppLog       *AppLogRow       // insert; in the first batch only
	Conversation *ConversationRow // insert, or update when Update is set
	Message      *MessageRow      // insert
	MessageEnd   *MessageEndRow   // update
	MessagePause *MessagePauseRow // update
	Files        []MessageFileRow // insert
	Variables    []VariableRow    // insert, or update when the row exists
	Usage        []UsageRow       // insert, unless the row exists
}

// UsageRow is what one try of a node used of a model: a row of millrace_usage.
// The try is its key, so that nothing counts twice, however often it is written.
type UsageRow struct {
	ExecutionID      string    `json:"execution_id"`
	Attempt          int       `json:"attempt"`
	RunID            string    `json:"run_id"` // of the whole run, also in the batches of its parts
	NodeID           string    `json:"node_id"`
	ConversationID   *string   `json:"conversation_id"`
	Role             string    `json:"by_role"` // account or end_user
	By               *string   `json:"by_id"`
	Provider         string    `json:"provider"`
	Model            string    `json:"model"`
	PromptTokens     int64     `json:"prompt_tokens"`
	CompletionTokens int64     `json:"completion_tokens"`
	TotalTokens      int64     `json:"total_tokens"`
	TotalPrice       string    `json:"total_price"` // decimal
	Currency         string    `json:"currency"`
	Latency          float64   `json:"latency"` // seconds
	At               time.Time `json:"created_at"`
}

// Creator is who made a row.
type Creator struct {
	Role string // account or end_user
	ID   string
}

// RunRow is a new row of workflow_runs.
type RunRow struct {
	WorkflowID, Type, TriggeredFrom, Version string
	Graph, Inputs                            string
	Status                                   string
	CreatedBy                                Creator
	CreatedAt                                time.Time
}

// RunEndRow is the end of a row of workflow_runs.
type RunEndRow struct {
	Status     string
	Outputs    *string
	Error      *string
	Elapsed    float64
	Tokens     int64
	Steps      int
	Exceptions int
	FinishedAt time.Time
}

// PauseRow is a run that waits: its row of workflow_runs so far, and its rows
// of workflow_pauses and workflow_pause_reasons.
type PauseRow struct {
	ID         string
	WorkflowID string
	Outputs    *string
	Elapsed    float64
	Tokens     int64
	Steps      int
	At         time.Time
	Reasons    []PauseReasonRow
}

// PauseReasonRow is a row of workflow_pause_reasons.
type PauseReasonRow struct{ ID, Type, FormID, NodeID, Message string }

// MessagePauseRow is a row of messages whose run waits.
type MessagePauseRow struct {
	ID, Answer string
	At         time.Time
}

// NodeRow is a row of workflow_node_executions.
type NodeRow struct {
	Update bool `json:"-"`

	ID            string     `json:"id"`
	WorkflowID    string     `json:"workflow_id"`
	TriggeredFrom string     `json:"triggered_from"`
	Index         int        `json:"index"`
	NodeID        string     `json:"node_id"`
	NodeType      string     `json:"node_type"`
	Title         string     `json:"title"`
	Inputs        *string    `json:"inputs"`
	ProcessData   *string    `json:"process_data"`
	Outputs       *string    `json:"outputs"`
	Status        string     `json:"status"`
	Error         *string    `json:"error"`
	Elapsed       float64    `json:"elapsed_time"`
	Metadata      *string    `json:"execution_metadata"`
	CreatedBy     Creator    `json:"-"`
	CreatedAt     time.Time  `json:"created_at"`
	FinishedAt    *time.Time `json:"finished_at"`
}

// AppLogRow is a new row of workflow_app_logs.
type AppLogRow struct {
	ID, WorkflowID, CreatedFrom string
	CreatedBy                   Creator
	CreatedAt                   time.Time
}

// ConversationRow is a new or continued row of conversations. An update counts
// the turn and the time only.
type ConversationRow struct {
	Update bool

	ID, Mode, Name, Inputs, Introduction string
	FromSource                           string // api or console
	EndUserID, AccountID                 *string
	InvokeFrom                           string
	At                                   time.Time
}

// MessageRow is a new row of messages.
type MessageRow struct {
	ID, ConversationID, Inputs, Query string
	FromSource                        string
	EndUserID, AccountID              *string
	InvokeFrom, AppMode               string
	ParentMessageID                   *string
	CreatedAt                         time.Time
}

// MessageEndRow is the end of a row of messages.
type MessageEndRow struct {
	ID, Answer, Status       string
	Error, Metadata          *string
	Message                  string // JSON
	PromptTokens             int64
	PromptUnitPrice          string
	PromptPriceUnit          string
	CompletionTokens         int64
	CompletionUnitPrice      string
	CompletionPriceUnit      string
	TotalPrice               string
	Currency                 string
	ProviderResponseLatency  float64
	UpdatedAt                time.Time
	ConversationID           string
	ConversationLastActivity time.Time
}

// MessageFileRow is a new row of message_files.
type MessageFileRow struct {
	ID, MessageID, Type, TransferMethod string
	URL, UploadFileID                   *string
	BelongsTo                           string // user or assistant
	CreatedBy                           Creator
	CreatedAt                           time.Time
}

// VariableRow is a row of workflow_conversation_variables. An existing row keeps
// its CreatedAt.
type VariableRow struct {
	ID, ConversationID   string
	Data                 string // JSON
	CreatedAt, UpdatedAt time.Time
}
