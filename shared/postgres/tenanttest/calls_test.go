//go:build unix

package tenanttest_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/provider"
	runhistory "github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow/value"
)

// reach says what in a call names the thing, and so from where it must not be
// found.
type reach int

const (
	inTenant reach = iota // an id of the workspace
	isApp                 // the app's own id
	inApp                 // an id inside of an app
)

// call is a method of a store with the ids of a house. It is told where to look
// and reports whether it found or did anything.
type call struct {
	name  string
	reach reach
	do    func(ctx context.Context, p place) (bool, error)
	// code is what it answers for what it does not find; "" means NotFound, or
	// nothing for what lists.
	code errs.Code
}

func did(err error) (bool, error)                        { return err == nil, err }
func got[T any](_ T, err error) (bool, error)            { return err == nil, err }
func some[T any](l []T, err error) (bool, error)         { return len(l) > 0, err }
func page[T, M any](l []T, _ M, err error) (bool, error) { return len(l) > 0, err }

func (s stores) calls(h *house) []call {
	return slices.Concat(s.draftCalls(h), s.appCalls(h), s.chatCalls(h), s.otherCalls(h), s.formCalls(h), s.usageCalls(h), s.lastCalls(h))
}

func (s stores) appCalls(h *house) []call {
	name := "x"
	return []call{
		{"accounts.Switch", inTenant, func(ctx context.Context, p place) (bool, error) {
			return got(s.accounts.Switch(ctx, h.account, p.tenant, at(9)))
		}, ""},
		{"accounts.Members", inTenant, func(ctx context.Context, p place) (bool, error) {
			l, err := s.accounts.Members(ctx, p.tenant)
			for _, m := range l {
				if m.Account.ID == h.account {
					return true, err
				}
			}
			return false, err
		}, ""},
		{"apps.App", isApp, func(ctx context.Context, p place) (bool, error) { return got(s.apps.App(ctx, p.tenant, p.app)) }, ""},
		{"apps.Apps", inTenant, func(ctx context.Context, p place) (bool, error) {
			l, _, err := s.apps.Apps(ctx, p.tenant, app.Filter{Page: 1, Limit: 9})
			for _, a := range l {
				if a.ID == h.app {
					return true, err
				}
			}
			return false, err
		}, ""},
		{"apps.UpdateApp", isApp, func(ctx context.Context, p place) (bool, error) {
			return did(s.apps.UpdateApp(ctx, app.App{ID: p.app, TenantID: p.tenant, Name: "stolen", UpdatedAt: at(9)}))
		}, ""},
		{"apps.Tags", isApp, func(ctx context.Context, p place) (bool, error) {
			m, err := s.apps.Tags(ctx, p.tenant, []string{p.app})
			return len(m) > 0, err
		}, ""},
		{"apps.Site", isApp, func(ctx context.Context, p place) (bool, error) { return got(s.apps.Site(ctx, p.tenant, p.app)) }, ""},
		{"apps.SaveSite", isApp, func(ctx context.Context, p place) (bool, error) {
			return did(s.apps.SaveSite(ctx, p.tenant, app.Site{AppID: p.app, CustomizeToken: "allow", UpdatedAt: at(9)}))
		}, ""},
		{"apps.ModelConfig", isApp, func(ctx context.Context, p place) (bool, error) { return got(s.apps.ModelConfig(ctx, p.tenant, p.app)) }, ""},
		{"apps.Tokens", isApp, func(ctx context.Context, p place) (bool, error) {
			return some(s.apps.Tokens(ctx, p.tenant, app.TokenApp, p.app))
		}, ""},
		{"apps.AddToken", isApp, func(ctx context.Context, p place) (bool, error) {
			return did(s.apps.AddToken(ctx, app.Token{ID: ids.Random(), TenantID: p.tenant, AppID: p.app, Type: app.TokenApp, Token: ids.Token(24), CreatedAt: at(9)}, 9))
		}, ""},
		{"apps.EndUser", isApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.apps.EndUser(ctx, app.EndUser{ID: ids.Random(), TenantID: p.tenant, AppID: p.app, Type: app.EndUserService, SessionID: "new", CreatedAt: at(9)}))
		}, ""},
		{"apps.EndUserByID", inApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.apps.EndUserByID(ctx, p.tenant, p.app, h.user))
		}, ""},
		{"apps.Draft", isApp, func(ctx context.Context, p place) (bool, error) { return got(s.apps.Draft(ctx, p.tenant, p.app)) }, ""},
		{"apps.ChangeDraft", isApp, func(ctx context.Context, p place) (bool, error) {
			return did(s.apps.ChangeDraft(ctx, p.tenant, p.app, func(w *app.Workflow) (*app.Workflow, error) {
				w.Graph = `{"changed":1}`
				return w, nil
			}))
		}, ""},
		{"apps.Publish", isApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.apps.Publish(ctx, app.Workflow{ID: ids.Random(), TenantID: p.tenant, AppID: p.app, Type: "workflow", Version: "2026-02-02", CreatedBy: h.account, CreatedAt: at(9), UpdatedAt: at(9)}))
		}, ""},
		{"apps.Workflow", inApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.apps.Workflow(ctx, p.tenant, p.app, h.version))
		}, ""},
		{"apps.Workflow of any app", inTenant, func(ctx context.Context, p place) (bool, error) {
			return got(s.apps.Workflow(ctx, p.tenant, "", h.version))
		}, ""},
		{"apps.Workflows", isApp, func(ctx context.Context, p place) (bool, error) {
			return some(s.apps.Workflows(ctx, p.tenant, p.app, app.VersionFilter{Page: 1, Limit: 9}))
		}, ""},
		{"apps.MarkWorkflow", inApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.apps.MarkWorkflow(ctx, p.tenant, p.app, h.version, &name, &name, h.account, at(9)))
		}, ""},
		{"apps.DraftVariables", isApp, func(ctx context.Context, p place) (bool, error) {
			return some(s.apps.DraftVariables(ctx, p.tenant, p.app, h.account, ""))
		}, ""},
	}
}

func (s stores) chatCalls(h *house) []call {
	scope := func(p place) chat.Scope { return chat.Scope{TenantID: p.tenant, AppID: p.app} }
	return []call{
		{"chats.Conversation", inApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.chats.Conversation(ctx, scope(p), h.conversation))
		}, ""},
		{"chats.Conversations", isApp, func(ctx context.Context, p place) (bool, error) {
			return page(s.chats.Conversations(ctx, scope(p), chat.Page{Limit: 9, SortBy: "created_at"}))
		}, ""},
		{"chats.Conversations after", inApp, func(ctx context.Context, p place) (bool, error) {
			_, _, err := s.chats.Conversations(ctx, scope(p), chat.Page{Limit: 9, SortBy: "created_at", After: h.conversation})
			return did(err)
		}, ""},
		{"chats.ConsoleConversations", isApp, func(ctx context.Context, p place) (bool, error) {
			return page(s.chats.ConsoleConversations(ctx, scope(p), chat.ConsoleQuery{Page: 1, Limit: 9}))
		}, ""},
		{"chats.ConsoleConversations by id", inApp, func(ctx context.Context, p place) (bool, error) {
			return page(s.chats.ConsoleConversations(ctx, scope(p), chat.ConsoleQuery{ID: h.conversation, Page: 1, Limit: 9}))
		}, ""},
		{"chats.MarkRead", inApp, func(ctx context.Context, p place) (bool, error) {
			if err := s.chats.MarkRead(ctx, scope(p), h.conversation, h.account, at(9)); err != nil {
				return false, err
			}
			c, err := s.chats.Conversation(ctx, scope(p), h.conversation)
			return c.ReadAt != nil, err
		}, ""},
		{"chats.RenameConversation", inApp, func(ctx context.Context, p place) (bool, error) {
			return did(s.chats.RenameConversation(ctx, scope(p), h.conversation, "stolen", at(9)))
		}, ""},
		{"chats.Variables", inApp, func(ctx context.Context, p place) (bool, error) {
			return some(s.chats.Variables(ctx, scope(p), h.conversation))
		}, ""},
		{"chats.SaveVariable", inApp, func(ctx context.Context, p place) (bool, error) {
			return did(s.chats.SaveVariable(ctx, scope(p), h.variable))
		}, ""},
		{"chats.Message", inApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.chats.Message(ctx, scope(p), h.message))
		}, ""},
		{"chats.Messages", inApp, func(ctx context.Context, p place) (bool, error) {
			return page(s.chats.Messages(ctx, scope(p), h.conversation, "", 9))
		}, ""},
		{"chats.Messages before", inApp, func(ctx context.Context, p place) (bool, error) {
			return page(s.chats.Messages(ctx, scope(p), h.conversation, h.message, 9))
		}, ""},
		{"chats.First", inApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.chats.First(ctx, scope(p), h.conversation))
		}, ""},
		{"chats.Recent", inApp, func(ctx context.Context, p place) (bool, error) {
			return some(s.chats.Recent(ctx, scope(p), h.conversation, 9))
		}, ""},
		{"chats.Feedback", inApp, func(ctx context.Context, p place) (bool, error) {
			_, ok, err := s.chats.Feedback(ctx, scope(p), h.message)
			return ok, err
		}, ""},
		{"chats.Feedbacks", isApp, func(ctx context.Context, p place) (bool, error) { return some(s.chats.Feedbacks(ctx, scope(p), 1, 9)) }, ""},
		{"chats.SaveFeedback again", inApp, func(ctx context.Context, p place) (bool, error) {
			f := h.feedback
			f.Rating = "dislike"
			return did(s.chats.SaveFeedback(ctx, scope(p), f))
		}, ""},
		{"chats.SaveFeedback on a message", inApp, func(ctx context.Context, p place) (bool, error) {
			f := h.feedback
			f.ID = ids.New()
			return did(s.chats.SaveFeedback(ctx, scope(p), f))
		}, ""},
		{"chats.Annotations", isApp, func(ctx context.Context, p place) (bool, error) {
			return page(s.chats.Annotations(ctx, scope(p), "", 1, 9))
		}, ""},
		{"chats.DeleteFeedback", inApp, func(ctx context.Context, p place) (bool, error) {
			return did(s.chats.DeleteFeedback(ctx, scope(p), h.feedback.ID))
		}, ""},
	}
}

func (s stores) otherCalls(h *house) []call {
	from := []string{"app-run"}
	lease := func(p place) *runstore.Lease {
		l := h.lease
		l.TenantID = p.tenant
		return &l
	}
	return []call{
		{"history.Run", inApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.history.Run(ctx, p.tenant, p.app, h.run))
		}, ""},
		{"history.Runs", isApp, func(ctx context.Context, p place) (bool, error) {
			return page(s.history.Runs(ctx, p.tenant, p.app, runhistory.RunQuery{TriggeredFrom: from, Limit: 9}))
		}, ""},
		{"history.Runs after", inApp, func(ctx context.Context, p place) (bool, error) {
			_, _, err := s.history.Runs(ctx, p.tenant, p.app, runhistory.RunQuery{TriggeredFrom: from, LastID: h.run, Limit: 9})
			return did(err)
		}, ""},
		{"history.Logs", isApp, func(ctx context.Context, p place) (bool, error) {
			return page(s.history.Logs(ctx, p.tenant, p.app, runhistory.LogQuery{Page: 1, Limit: 9}))
		}, ""},
		{"history.NodeExecutions", inApp, func(ctx context.Context, p place) (bool, error) {
			return some(s.history.NodeExecutions(ctx, p.tenant, p.app, h.run))
		}, ""},
		{"files.Upload", inTenant, func(ctx context.Context, p place) (bool, error) { return got(s.files.Upload(ctx, p.tenant, h.upload)) }, errs.FileNotFound},
		{"files.ToolFile", inTenant, func(ctx context.Context, p place) (bool, error) { return got(s.files.ToolFile(ctx, p.tenant, h.tool)) }, errs.FileNotFound},
		{"files.InMessage", inApp, func(ctx context.Context, p place) (bool, error) {
			return s.files.InMessage(ctx, p.tenant, p.app, h.upload)
		}, ""},
		{"runs.Get", inTenant, func(ctx context.Context, p place) (bool, error) { return got(s.runs.Get(ctx, p.tenant, h.run)) }, ""},
		{"runs.Events", inTenant, func(ctx context.Context, p place) (bool, error) { return some(s.runs.Events(ctx, p.tenant, h.run, 0)) }, ""},
		{"runs.Append", inTenant, func(ctx context.Context, p place) (bool, error) {
			return got(s.runs.Append(ctx, lease(p), &runstore.Batch{}))
		}, errs.LeaseLost},
		{"runs.Renew", inTenant, func(ctx context.Context, p place) (bool, error) { return got(s.runs.Renew(ctx, lease(p))) }, errs.LeaseLost},
		{"runs.Release", inTenant, func(ctx context.Context, p place) (bool, error) {
			return did(s.runs.Release(ctx, lease(p), time.Time{}))
		}, errs.LeaseLost},
		{"runs.RequestStop", inTenant, func(ctx context.Context, p place) (bool, error) {
			return did(s.runs.RequestStop(ctx, p.tenant, h.run, "stolen"))
		}, ""},
		{"runs.Acquire", inTenant, func(ctx context.Context, p place) (bool, error) {
			return got(s.runs.Acquire(ctx, p.tenant, h.run, "thief"))
		}, ""},
		{"providers.CustomModels", inTenant, func(ctx context.Context, p place) (bool, error) {
			l, err := s.providers.CustomModels(ctx, p.tenant)
			for _, m := range l {
				if m.ModelRef == h.model {
					return true, err
				}
			}
			return false, err
		}, ""},
		{"providers.CustomModel", inTenant, func(ctx context.Context, p place) (bool, error) {
			return got(s.providers.CustomModel(ctx, p.tenant, prov, h.model))
		}, ""},
		{"providers.UseCredential", inTenant, func(ctx context.Context, p place) (bool, error) {
			return did(s.providers.UseCredential(ctx, p.tenant, prov, h.model, h.spare))
		}, ""},
		{"providers.ModelCredentials", inTenant, func(ctx context.Context, p place) (bool, error) {
			return some(s.providers.ModelCredentials(ctx, p.tenant, prov, &h.model))
		}, ""},
		{"providers.UpdateModelCredential", inTenant, func(ctx context.Context, p place) (bool, error) {
			return did(s.providers.UpdateModelCredential(ctx, provider.ModelCredential{ID: h.credential, TenantID: p.tenant, Provider: prov, ModelRef: h.model,
				Name: "stolen", Config: `{"stolen":1}`, UpdatedAt: at(9)}))
		}, ""},
		{"providers.DefaultModels", inTenant, func(ctx context.Context, p place) (bool, error) {
			l, err := s.providers.DefaultModels(ctx, p.tenant)
			return len(l) > 0 && l[0].ModelRef == h.model, err
		}, ""},
	}
}

func (s stores) formCalls(h *house) []call {
	f := h.form
	return []call{
		{"forms.Form", inTenant, func(ctx context.Context, p place) (bool, error) { return got(s.forms.Form(ctx, p.tenant, f.ID)) }, ""},
		{"forms.OfRun", inTenant, func(ctx context.Context, p place) (bool, error) { return some(s.forms.OfRun(ctx, p.tenant, h.run)) }, ""},
		{"forms.OfMessages", inApp, func(ctx context.Context, p place) (bool, error) {
			m, err := s.forms.OfMessages(ctx, p.tenant, p.app, []string{h.message})
			return len(m) > 0, err
		}, ""},
		{"forms.Uploads", inTenant, func(ctx context.Context, p place) (bool, error) { return some(s.forms.Uploads(ctx, p.tenant, f.ID)) }, ""},
		{"forms.Submit", inTenant, func(ctx context.Context, p place) (bool, error) {
			return s.forms.Submit(ctx, p.tenant, f.ID, humaninput.Submission{
				ActionID: "ok", Data: value.Obj("note", "x"), At: f.CreatedAt.Add(time.Second),
			}, f.CreatedAt.Add(-time.Second))
		}, ""},
	}
}

// lastCalls take away what the others need.
func (s stores) lastCalls(h *house) []call {
	return []call{
		{"providers.RemoveModelCredential", inTenant, func(ctx context.Context, p place) (bool, error) {
			return did(s.providers.RemoveModelCredential(ctx, p.tenant, prov, h.model, h.credential))
		}, ""},
		{"providers.DeleteCustomModel", inTenant, func(ctx context.Context, p place) (bool, error) {
			return did(s.providers.DeleteCustomModel(ctx, p.tenant, prov, h.model))
		}, ""},
		{"chats.DeleteConversation", inApp, func(ctx context.Context, p place) (bool, error) {
			return did(s.chats.DeleteConversation(ctx, chat.Scope{TenantID: p.tenant, AppID: p.app}, h.conversation, at(9)))
		}, ""},
		{"apps.ClearDraftVariables", isApp, func(ctx context.Context, p place) (bool, error) {
			if err := s.apps.ClearDraftVariables(ctx, p.tenant, p.app); err != nil {
				return false, err
			}
			l, err := s.apps.DraftVariables(ctx, h.tenant, h.app, h.account, "")
			return len(l) == 0, err
		}, ""},
		{"apps.DeleteToken", inApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.apps.DeleteToken(ctx, p.tenant, app.TokenApp, p.app, h.token))
		}, ""},
		{"apps.DeleteWorkflow", inApp, func(ctx context.Context, p place) (bool, error) {
			return did(s.apps.DeleteWorkflow(ctx, p.tenant, p.app, h.version))
		}, ""},
		{"apps.DeleteApp", isApp, func(ctx context.Context, p place) (bool, error) { return did(s.apps.DeleteApp(ctx, p.tenant, p.app)) }, ""},
	}
}

// foreign are the places from which the thing of a call must not be found.
func (c call) foreign(h, thief *house) map[string]place {
	places := map[string]place{"its app in another workspace": {thief.tenant, h.app}}
	if c.reach == inApp {
		places["another workspace's app"] = thief.place
		places["another app"] = place{h.tenant, h.sparse}
	}
	return places
}

func TestForeignIDsAreNotFound(t *testing.T) {
	t.Parallel()
	s := open(t)
	h, thief := s.newHouse(t, "ann"), s.newHouse(t, "bob")
	before := s.fingerprint(t)
	calls := s.calls(h)
	for _, c := range calls {
		for where, p := range c.foreign(h, thief) {
			found, err := c.do(t.Context(), p)
			require.False(t, found, "%s in %s", c.name, where)
			want := c.code
			if want == "" {
				want = errs.NotFound
			}
			if err != nil || c.code != "" {
				require.True(t, errs.Is(err, want), "%s in %s: %v", c.name, where, err)
			}
		}
		if t.Failed() {
			return
		}
	}
	require.Equal(t, before, s.fingerprint(t), "nothing was written")
	// The same calls from the right place: each would have found its thing.
	for _, c := range calls {
		found, err := c.do(t.Context(), h.place)
		require.NoError(t, err, c.name)
		require.True(t, found, c.name)
	}
}
