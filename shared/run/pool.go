package run

import (
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

func runInfo(c *compiled, sp spec) *workflow.RunInfo {
	req := &sp.Request
	info := &workflow.RunInfo{
		ID: req.RunID, TaskID: TaskID(req.RunID), TenantID: req.TenantID, AppID: req.AppID, WorkflowID: c.def.ID,
		Mode: req.Mode, InvokeFrom: req.InvokeFrom, UserID: req.User.ID, UserFrom: userFrom(req.User.Role), StartedAt: sp.StartedAt,
	}
	if req.Chat != nil {
		info.ConversationID, info.MessageID = req.Chat.ConversationID, req.Chat.MessageID
	}
	return info
}

// userFrom is how nodes and plugins call the role.
func userFrom(role string) string {
	if role == "account" {
		return "account"
	}
	return "end-user"
}

// systemVariables are the sys.* variables in the contract's order.
func systemVariables(c *compiled, sp spec) *value.Object {
	req := &sp.Request
	files := req.Files
	if files == nil {
		files = []any{}
	}
	o := value.NewObject(8)
	if req.Chat != nil {
		o.Set("query", req.Chat.Query)
	}
	o.Set("files", files)
	if req.Chat != nil {
		o.Set("conversation_id", req.Chat.ConversationID)
	}
	o.Set("user_id", req.User.SessionID)
	if req.Chat != nil {
		o.Set("dialogue_count", int64(req.Chat.DialogueCount+1))
	}
	o.Set("app_id", req.AppID)
	if req.Chat == nil {
		o.Set("timestamp", sp.StartedAt.Unix())
	}
	o.Set("workflow_id", c.def.ID)
	o.Set("workflow_run_id", req.shownRunID())
	return o
}

// systemName is the name of a system variable among the inputs. Those that every
// run has are not put together for each.
func systemName(k string) string {
	switch k {
	case "files":
		return "sys.files"
	case "user_id":
		return "sys.user_id"
	case "app_id":
		return "sys.app_id"
	case "timestamp":
		return "sys.timestamp"
	case "workflow_id":
		return "sys.workflow_id"
	case "workflow_run_id":
		return "sys.workflow_run_id"
	default:
		return "sys." + k
	}
}

// newPool holds the variables that exist before the first node runs.
func newPool(c *compiled, sp spec) *workflow.Pool {
	p := workflow.NewPool()
	system := systemVariables(c, sp)
	p.SetAll(workflow.ScopeSystem, system)
	for _, v := range c.def.Environment {
		p.Set(workflow.ScopeEnvironment, v.Name, v.Value)
		if v.Secret {
			p.MarkSecret(v.Name)
		}
	}
	if sp.Request.Chat != nil {
		conversationVariables(p, c, sp.Request.Chat)
	} else {
		p.Declare(c.types)
	}
	if sp.Request.Alone != nil {
		for _, v := range sp.Request.Alone.Variables {
			SetPath(p, v.Selector, v.Value)
		}
	}
	if c.root != nil {
		p.SetAll(c.root.ID, sp.Request.Inputs)
		for k, v := range system.All() {
			p.Set(c.root.ID, systemName(k), v)
		}
	}
	return p
}

// storedInputs are the inputs as kept in workflow_runs.
func storedInputs(c *Definition, sp spec) *value.Object {
	o := value.NewObject(8)
	for k, v := range sp.Request.Inputs.All() {
		o.Set(k, v)
	}
	for k, v := range systemVariables(&compiled{def: c}, sp).All() {
		o.Set(systemName(k), v)
	}
	return o
}

// shownInputs are the inputs as the first event shows them: without the
// conversation id and the time.
func shownInputs(c *compiled, req *StartRequest) *value.Object {
	o := storedInputs(c.def, spec{Request: *req})
	o.Delete("sys.conversation_id")
	o.Delete("sys.timestamp")
	return o
}
