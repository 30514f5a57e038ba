//go:build unix

package tenanttest_test

import (
	"context"

	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres/drafts"
	runhistory "github.com/millrace/millrace/shared/run/history"
)

// draftCalls are those of debugging. They come before the calls that remove the
// drafts' variables.
func (s stores) draftCalls(h *house) []call {
	d := drafts.New(s.pool)
	scope := func(p place) debug.Scope {
		return debug.Scope{TenantID: p.tenant, AppID: p.app, AccountID: h.account}
	}
	own := func(ctx context.Context) debug.Variable {
		l, err := d.Variables(ctx, scope(h.place), "n")
		if err != nil || len(l) == 0 {
			return debug.Variable{ID: ids.Nil, NodeID: "n", Name: "v", Value: []byte(`"x"`)}
		}
		return l[0]
	}
	count := func(ctx context.Context, node string) int {
		l, err := d.Variables(ctx, scope(h.place), node)
		if err != nil {
			return -1
		}
		return len(l)
	}
	fresh := func(name string) []debug.Variable {
		return []debug.Variable{{ID: ids.Random(), NodeID: "fresh", Name: name, ValueType: "string", Value: []byte(`"y"`), CreatedAt: at(9), UpdatedAt: at(9),
			File: &debug.VariableFile{ID: ids.New(), UploadID: h.upload, ValueType: "string"}}}
	}
	node := func(ctx context.Context) string {
		l, err := s.history.NodeExecutions(ctx, h.tenant, h.app, h.run)
		if err != nil || len(l) == 0 {
			return ids.Nil
		}
		return l[0].ID
	}
	return []call{
		{"drafts.Variables", isApp, func(ctx context.Context, p place) (bool, error) { return some(d.Variables(ctx, scope(p), "")) }, ""},
		{"drafts.Page", isApp, func(ctx context.Context, p place) (bool, error) { return page(d.Page(ctx, scope(p), 0, 9)) }, ""},
		{"drafts.Variable", inApp, func(ctx context.Context, p place) (bool, error) { return got(d.Variable(ctx, scope(p), own(ctx).ID)) }, ""},
		{"drafts.Find", isApp, func(ctx context.Context, p place) (bool, error) { return got(d.Find(ctx, scope(p), "n", "v")) }, ""},
		{"drafts.Update", inApp, func(ctx context.Context, p place) (bool, error) { return did(d.Update(ctx, scope(p), own(ctx))) }, ""},
		{"drafts.Save", isApp, func(ctx context.Context, p place) (bool, error) { return did(d.Save(ctx, scope(p), fresh("a"))) }, ""},
		{"drafts.Prefill", isApp, func(ctx context.Context, p place) (bool, error) {
			before := count(ctx, "fresh")
			err := d.Prefill(ctx, scope(p), fresh("b"))
			return count(ctx, "fresh") != before, err
		}, ""},
		{"drafts.AddExecution", isApp, func(ctx context.Context, p place) (bool, error) {
			return did(d.AddExecution(ctx, scope(p), debug.Execution{ID: ids.New(), WorkflowID: h.draft, NodeID: "alone", NodeType: "code", Status: "succeeded", CreatedAt: at(9), FinishedAt: at(9)}))
		}, ""},
		{"drafts.Outputs", inApp, func(ctx context.Context, p place) (bool, error) { return got(d.Outputs(ctx, scope(p), node(ctx))) }, ""},
		{"drafts.Delete", inApp, func(ctx context.Context, p place) (bool, error) { return did(d.Delete(ctx, scope(p), own(ctx).ID)) }, ""},
		{"drafts.DeleteAll", isApp, func(ctx context.Context, p place) (bool, error) {
			before := count(ctx, "")
			err := d.DeleteAll(ctx, scope(p), "fresh")
			return count(ctx, "") != before, err
		}, ""},
		{"drafts.Save again", isApp, func(ctx context.Context, p place) (bool, error) { return did(d.Save(ctx, scope(p), fresh("c"))) }, ""},
		{"history.NodeExecution", inApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.history.NodeExecution(ctx, p.tenant, p.app, node(ctx)))
		}, ""},
		{"history.LastNodeExecution", inApp, func(ctx context.Context, p place) (bool, error) {
			return got(s.history.LastNodeExecution(ctx, p.tenant, p.app, h.version, "n"))
		}, ""},
		{"history.CountRuns", isApp, func(ctx context.Context, p place) (bool, error) {
			m, err := s.history.CountRuns(ctx, p.tenant, p.app, runhistory.CountQuery{})
			return len(m) > 0, err
		}, ""},
	}
}
