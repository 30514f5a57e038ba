package run

import (
	"time"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// projection makes the rows of the contract's tables from events.
type projection struct {
	def *Definition
	req *StartRequest
	// paused holds the executions that have been paused.
	paused map[string]bool
}

// rows returns the changes that a batch of events makes. first is true for the
// batch that makes the run.
func (p *projection) rows(events []workflow.Event, first bool, startedAt time.Time) runstore.Rows {
	var r runstore.Rows
	if first {
		p.begin(&r, startedAt)
	}
	r.Usage = p.usage(events, p.req.RunID)
	at := map[string]int{} // execution id -> index in r.Nodes
	put := func(e *workflow.Event, finished *time.Time) {
		row, id := p.node(e, finished), e.Node.ExecutionID
		if k, ok := at[id]; ok {
			row.Update = r.Nodes[k].Update
			r.Nodes[k] = row
			return
		}
		row.Update = e.Type != workflow.EventNodeStarted || p.paused[id]
		at[id] = len(r.Nodes)
		r.Nodes = append(r.Nodes, row)
	}
	for i := range events {
		e := &events[i]
		switch e.Type {
		case workflow.EventNodeStarted:
			put(e, nil)
		case workflow.EventNodePaused, workflow.EventNodeFinished:
			put(e, &e.At)
			p.updateVariables(&r, e.Node.Updates, e.At)
		case workflow.EventRunStarted:
			if e.Started.Reason == workflow.ReasonResumption {
				r.Resume, r.Pause, r.MessagePause = &e.At, nil, nil
			}
		case workflow.EventRunPaused:
			p.pause(&r, e)
		case workflow.EventRunFinished:
			r.RunEnd = runEnd(e.Finished, e.At)
			// A pass that failed may have left nodes that nobody waited for.
			if e.Finished.Status != workflow.StatusSucceeded {
				r.StopNodes = &e.At
			}
			p.endMessage(&r, e.Finished, e.At)
		}
		p.see(e)
	}
	return r
}

// see remembers which executions have a row though they start again: those that
// were paused.
func (p *projection) see(e *workflow.Event) {
	if e.Type != workflow.EventNodePaused {
		return
	}
	if p.paused == nil {
		p.paused = map[string]bool{}
	}
	p.paused[e.Node.ExecutionID] = true
}

// pause makes the rows of a run that waits.
func (p *projection) pause(r *runstore.Rows, e *workflow.Event) {
	row := &driver.PauseRow{
		ID: ids.New(), WorkflowID: p.def.ID, Outputs: jsonColumn(orEmpty(e.Paused.Outputs)), Elapsed: e.Paused.Elapsed,
		Tokens: e.Paused.Tokens, Steps: e.Paused.Steps, At: e.At,
	}
	for i, reason := range e.Paused.Reasons {
		x := driver.PauseReasonRow{ID: ids.New(), Type: reason.String("TYPE"), FormID: reason.String("form_id"), Message: reason.String("message")}
		if i < len(e.Paused.Nodes) {
			x.NodeID = e.Paused.Nodes[i]
		}
		row.Reasons = append(row.Reasons, x)
	}
	r.Pause = row
	if p.req.Chat != nil {
		r.MessagePause = &driver.MessagePauseRow{ID: p.req.Chat.MessageID, Answer: e.Paused.Answer, At: e.At}
	}
}

func (p *projection) creator() driver.Creator {
	return driver.Creator{Role: p.req.User.Role, ID: p.req.User.ID}
}

func (p *projection) begin(r *runstore.Rows, at time.Time) {
	sp := spec{Request: *p.req, StartedAt: at}
	r.Run = &driver.RunRow{
		WorkflowID: p.def.ID, Type: p.def.Type, TriggeredFrom: p.req.TriggeredFrom, Version: p.def.Version, Graph: p.def.Graph,
		Inputs: value.JSONASCII(storedInputs(p.def, sp)), Status: workflow.StatusRunning, CreatedBy: p.creator(), CreatedAt: at,
	}
	if p.req.CreatedFrom != "" {
		r.AppLog = &driver.AppLogRow{ID: ids.New(), WorkflowID: p.def.ID, CreatedFrom: p.req.CreatedFrom, CreatedBy: p.creator(), CreatedAt: at}
	}
	if p.req.Chat != nil {
		p.beginTurn(r, at)
	}
}

func (p *projection) beginTurn(r *runstore.Rows, at time.Time) {
	chat := p.req.Chat
	source, endUser, account := "api", &p.req.User.ID, (*string)(nil)
	if p.req.User.Role == "account" {
		source, endUser, account = "console", nil, &p.req.User.ID
	}
	inputs := value.JSONASCII(orEmpty(p.req.Inputs))
	r.Conversation = &driver.ConversationRow{
		Update: !chat.NewConversation, ID: chat.ConversationID, Mode: p.req.Mode, Name: conversationName(chat.Query), Inputs: inputs,
		Introduction: chat.Introduction, FromSource: source, EndUserID: endUser, AccountID: account, InvokeFrom: p.req.InvokeFrom, At: at,
	}
	m := &driver.MessageRow{
		ID: chat.MessageID, ConversationID: chat.ConversationID, Inputs: inputs, Query: chat.Query, FromSource: source,
		EndUserID: endUser, AccountID: account, InvokeFrom: p.req.InvokeFrom, AppMode: p.req.Mode, CreatedAt: at,
	}
	if chat.ParentMessageID != "" {
		m.ParentMessageID = &chat.ParentMessageID
	}
	r.Message = m
	p.beginVariables(r, at)
	for _, f := range p.req.Files {
		if file, ok := f.(*value.File); ok {
			r.Files = append(r.Files, p.file(file, "user", at))
		}
	}
}

func (p *projection) file(f *value.File, belongsTo string, at time.Time) driver.MessageFileRow {
	row := driver.MessageFileRow{
		ID: ids.New(), MessageID: p.req.Chat.MessageID, Type: f.Type, TransferMethod: f.TransferMethod, BelongsTo: belongsTo,
		CreatedBy: p.creator(), CreatedAt: at,
	}
	switch {
	case f.TransferMethod == "local_file" && f.RelatedID != "":
		row.UploadFileID = &f.RelatedID
	case f.RemoteURL != "":
		row.URL = &f.RemoteURL
	case f.URL != "":
		row.URL = &f.URL
	}
	return row
}

func (p *projection) node(e *workflow.Event, finished *time.Time) driver.NodeRow {
	n := e.Node
	row := driver.NodeRow{
		ID: n.ExecutionID, WorkflowID: p.def.ID, TriggeredFrom: p.req.nodesFrom(), Index: n.Index, NodeID: n.NodeID, NodeType: n.NodeType,
		Title: n.Title, Status: workflow.StatusRunning, CreatedBy: p.creator(), CreatedAt: n.StartedAt,
	}
	if finished == nil {
		return row
	}
	row.Status, row.FinishedAt, row.Elapsed = n.Status, finished, n.Elapsed
	row.Inputs, row.ProcessData, row.Outputs, row.Metadata = jsonColumn(n.Inputs), jsonColumn(n.ProcessData), jsonColumn(n.Outputs), jsonColumn(n.Metadata)
	row.Error = textColumn(n.Error)
	return row
}

func runEnd(f *workflow.RunFinished, at time.Time) *driver.RunEndRow {
	return &driver.RunEndRow{
		Status: f.Status, Outputs: jsonColumn(orEmpty(f.Outputs)), Error: textColumn(f.Error), Elapsed: f.Elapsed, Tokens: f.Tokens,
		Steps: f.Steps, Exceptions: f.Exceptions, FinishedAt: at,
	}
}

func (p *projection) endMessage(r *runstore.Rows, f *workflow.RunFinished, at time.Time) {
	if p.req.Chat == nil {
		return
	}
	m := &driver.MessageEndRow{
		ID: p.req.Chat.MessageID, ConversationID: p.req.Chat.ConversationID, Status: "normal", Answer: f.Answer, Message: `""`,
		PromptUnitPrice: "0", PromptPriceUnit: "0.001", CompletionUnitPrice: "0", CompletionPriceUnit: "0.001",
		TotalPrice: "0", Currency: "USD", ProviderResponseLatency: f.Elapsed, UpdatedAt: at, ConversationLastActivity: at,
	}
	if f.Status == workflow.StatusFailed {
		text := "Run failed: " + f.Error
		m.Status, m.Error, m.Answer = "error", &text, ""
	}
	if u := f.Usage; u != nil {
		m.PromptTokens, m.CompletionTokens = u.PromptTokens, u.CompletionTokens
		if u.TotalPrice != "" {
			m.TotalPrice = u.TotalPrice
		}
		if u.Currency != "" {
			m.Currency = u.Currency
		}
		set := func(dst *string, key string) {
			if v := u.Object.String(key); v != "" {
				*dst = v
			}
		}
		set(&m.PromptUnitPrice, "prompt_unit_price")
		set(&m.PromptPriceUnit, "prompt_price_unit")
		set(&m.CompletionUnitPrice, "completion_unit_price")
		set(&m.CompletionPriceUnit, "completion_price_unit")
	}
	m.Metadata = jsonColumn(MessageMetadata(f))
	r.MessageEnd = m
	if f.Status == workflow.StatusFailed {
		return
	}
	for _, file := range f.Files() {
		r.Files = append(r.Files, p.file(file, "assistant", at))
	}
}

// MessageMetadata is the metadata of a chatflow's message: what message_end
// shows and the message row keeps.
func MessageMetadata(f *workflow.RunFinished) *value.Object {
	usage := value.Obj(
		"prompt_tokens", int64(0), "prompt_unit_price", "0.0", "prompt_price_unit", "0.0", "prompt_price", "0.0",
		"completion_tokens", int64(0), "completion_unit_price", "0.0", "completion_price_unit", "0.0", "completion_price", "0.0",
		"total_tokens", int64(0), "total_price", "0.0", "currency", "USD", "latency", 0.0, "time_to_first_token", 0.0, "time_to_generate", 0.0,
	)
	if f.Usage != nil && f.Usage.Object != nil {
		usage = f.Usage.Object
	}
	return value.Obj("annotation_reply", nil, "retriever_resources", []any{}, "usage", usage, "reasoning", orEmpty(f.Reasoning))
}

// nameLength is how many characters of its first question name a conversation.
const nameLength = 20

// conversationName is what a new conversation is called until it is named.
func conversationName(query string) string {
	if query == "" {
		return "New conversation"
	}
	if utf8.RuneCountInString(query) <= nameLength {
		return query
	}
	return string([]rune(query)[:nameLength]) + "…"
}

func orEmpty(o *value.Object) *value.Object {
	if o == nil {
		return value.NewObject(0)
	}
	return o
}

func jsonColumn(o *value.Object) *string {
	if o == nil {
		return nil
	}
	s := value.JSONASCII(o)
	return &s
}

func textColumn(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
