package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// DraftChange is what a client sends of a draft. Nil parts stay as they are.
type DraftChange struct {
	Graph, Features *value.Object
	Conversation    []any
	// Environment replaces all environment variables when it is not nil.
	Environment []any
	// EnvironmentPatch adds to and replaces environment variables by id, and
	// EnvironmentDeleted removes some.
	EnvironmentPatch   []any
	EnvironmentDeleted []string
	// Hash must be that of the stored graph unless Force is set.
	Hash  string
	Force bool
}

func draftMissing(err error) error {
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.DraftWorkflowNotExist, "")
	}
	return err
}

// Draft returns an app's draft with sealed secrets. Codes:
// DraftWorkflowNotExist.
func (s *Service) Draft(ctx context.Context, tenantID, appID string) (Workflow, error) {
	w, err := s.store.Draft(ctx, tenantID, appID)
	return w, draftMissing(err)
}

// SyncDraft changes an app's draft, or makes it. Codes: DraftWorkflowNotSync
// when somebody else changed the graph meanwhile, InvalidParam.
func (s *Service) SyncDraft(ctx context.Context, by Actor, a App, c DraftChange) (Workflow, error) {
	return s.changeDraft(ctx, by, a, func(w *Workflow) error {
		if w.ID != "" && !c.Force && c.Hash != GraphHash(w.Graph) {
			return errs.New(errs.DraftWorkflowNotSync, "")
		}
		return s.apply(ctx, by.TenantID, w, c)
	})
}

// EditDraft changes parts of a draft that must exist, whatever its graph is
// now. Codes: DraftWorkflowNotExist, InvalidParam.
func (s *Service) EditDraft(ctx context.Context, by Actor, a App, c DraftChange) (Workflow, error) {
	return s.changeDraft(ctx, by, a, func(w *Workflow) error {
		if w.ID == "" {
			return errs.New(errs.DraftWorkflowNotExist, "")
		}
		return s.apply(ctx, by.TenantID, w, c)
	})
}

func (s *Service) changeDraft(ctx context.Context, by Actor, a App, change func(*Workflow) error) (out Workflow, err error) {
	err = s.store.ChangeDraft(ctx, by.TenantID, a.ID, func(have *Workflow) (*Workflow, error) {
		now := s.now()
		w := Workflow{}
		if have != nil {
			w = *have
		}
		if err := change(&w); err != nil {
			return nil, err
		}
		if have == nil {
			w.ID, w.TenantID, w.AppID = ids.Random(), by.TenantID, a.ID
			w.Type, w.Version, w.CreatedBy, w.CreatedAt = workflowType(a), VersionDraft, by.AccountID, now
		} else {
			w.UpdatedBy = by.AccountID
		}
		w.UpdatedAt = now
		if w.Features == "" {
			w.Features = "{}"
		}
		out = w
		return &w, nil
	})
	return out, err
}

func workflowType(a App) string {
	if a.Mode == ModeWorkflow {
		return "workflow"
	}
	return "chat"
}

// apply puts the parts of a change into a draft.
func (s *Service) apply(ctx context.Context, tenantID string, w *Workflow, c DraftChange) error {
	for _, part := range []struct {
		to   *string
		from *value.Object
	}{{&w.Graph, c.Graph}, {&w.Features, c.Features}} {
		if part.from == nil {
			continue
		}
		raw, err := value.Encode(part.from)
		if err != nil {
			return err
		}
		*part.to = string(raw)
	}
	if c.Conversation != nil {
		list, err := checkVariables(c.Conversation, nsConversation)
		if err != nil {
			return err
		}
		w.Conversation = list
	}
	if c.Environment != nil {
		list, err := checkVariables(c.Environment, nsEnvironment)
		if err != nil {
			return err
		}
		sealed, err := s.seal(ctx, tenantID, list, w.Environment)
		if err != nil {
			return err
		}
		w.Environment = sealed
	}
	return s.patchEnvironment(ctx, tenantID, w, c)
}

func (s *Service) patchEnvironment(ctx context.Context, tenantID string, w *Workflow, c DraftChange) error {
	patch, err := checkVariables(c.EnvironmentPatch, nsEnvironment)
	if err != nil {
		return err
	}
	sealed, err := s.seal(ctx, tenantID, patch, w.Environment)
	if err != nil {
		return err
	}
	list := slices.DeleteFunc(slices.Clone(w.Environment), func(v Variable) bool {
		return slices.Contains(c.EnvironmentDeleted, v.ID)
	})
	for _, v := range sealed {
		if i := slices.IndexFunc(list, func(x Variable) bool { return x.ID == v.ID }); i >= 0 {
			list[i] = v
		} else {
			list = append(list, v)
		}
	}
	w.Environment = list
	return nil
}

// PlainEnvironment returns a draft's environment variables with their secrets
// in plain text, which the contract shows to people who may edit the draft.
func (s *Service) PlainEnvironment(ctx context.Context, w Workflow) ([]Variable, error) {
	return s.unseal(ctx, w.TenantID, w.Environment)
}

// Publish makes a version of an app's draft and the app's current one. Codes:
// InvalidParam.
func (s *Service) Publish(ctx context.Context, by Actor, a App, name, comment string) (Workflow, error) {
	draft, err := s.store.Draft(ctx, by.TenantID, a.ID)
	if errs.Is(err, errs.NotFound) {
		return Workflow{}, errs.New(errs.InvalidParam, "No valid workflow found.")
	}
	if err != nil {
		return Workflow{}, err
	}
	if err := checkPublish(draft.Graph); err != nil {
		return Workflow{}, err
	}
	now := s.now()
	w := draft
	w.ID, w.Type = ids.Random(), workflowType(a)
	w.Version, w.Name, w.Comment = now.Format("2006-01-02 15:04:05.000000"), name, comment
	w.CreatedBy, w.CreatedAt, w.UpdatedBy, w.UpdatedAt = by.AccountID, now, "", now
	if w, err = s.store.Publish(ctx, w); err != nil {
		return Workflow{}, err
	}
	return w, s.changed(ctx, a.ID)
}

// checkPublish refuses what the contract refuses at publishing. Graphs that
// cannot run are published all the same and fail when they are run.
func checkPublish(graph string) error {
	nodes, _ := object(graph).Value("nodes").([]any)
	var start, trigger bool
	for _, n := range nodes {
		o, _ := n.(*value.Object)
		data, _ := o.Value("data").(*value.Object)
		kind := data.String("type")
		start = start || kind == "start"
		trigger = trigger || strings.HasPrefix(kind, "trigger-")
	}
	if start && trigger {
		return errs.New(errs.InvalidParam, "Start node and trigger nodes cannot coexist in the same workflow")
	}
	return nil
}

// Published returns an app's current version. Codes: NotFound.
func (s *Service) Published(ctx context.Context, a App) (Workflow, error) {
	if a.WorkflowID == "" {
		return Workflow{}, errs.New(errs.NotFound, "Workflow not published")
	}
	return s.store.Workflow(ctx, a.TenantID, a.ID, a.WorkflowID)
}

// Version returns a draft or version of an app. Codes: NotFound.
func (s *Service) Version(ctx context.Context, tenantID, appID, id string) (Workflow, error) {
	w, err := s.store.Workflow(ctx, tenantID, appID, id)
	if errs.Is(err, errs.NotFound) {
		return w, errs.Newf(errs.NotFound, "Workflow with ID %s not found", id)
	}
	return w, err
}

// Versions lists an app's draft and versions; more reports whether there are
// further pages.
func (s *Service) Versions(ctx context.Context, tenantID, appID string, f VersionFilter) (list []Workflow, more bool, err error) {
	list, err = s.store.Workflows(ctx, tenantID, appID, f)
	if more = len(list) > f.Limit; more {
		list = list[:f.Limit]
	}
	return list, more, err
}

// MarkVersion names and comments a version. Codes: NotFound.
func (s *Service) MarkVersion(ctx context.Context, by Actor, appID, id string, name, comment *string) (Workflow, error) {
	return s.store.MarkWorkflow(ctx, by.TenantID, appID, id, name, comment, by.AccountID, s.now())
}

// RestoreVersion copies a version into the draft. Codes: NotFound, BadRequest.
func (s *Service) RestoreVersion(ctx context.Context, by Actor, a App, id string) (Workflow, error) {
	from, err := s.Version(ctx, by.TenantID, a.ID, id)
	if err != nil {
		return Workflow{}, err
	}
	if from.Version == VersionDraft {
		return Workflow{}, errs.New(errs.BadRequest, "Only published versions can be restored")
	}
	return s.changeDraft(ctx, by, a, func(w *Workflow) error {
		w.Graph, w.Features = from.Graph, from.Features
		w.Environment, w.Conversation, w.RagPipeline = from.Environment, from.Conversation, from.RagPipeline
		return nil
	})
}

// DeleteVersion removes a version that is not in use. Codes: NotFound,
// BadRequest.
func (s *Service) DeleteVersion(ctx context.Context, tenantID string, a App, id string) error {
	w, err := s.Version(ctx, tenantID, a.ID, id)
	if err != nil {
		return err
	}
	switch {
	case w.Version == VersionDraft:
		return errs.New(errs.BadRequest, "Cannot delete draft workflow versions")
	case w.ID == a.WorkflowID:
		return errs.Newf(errs.BadRequest, "Cannot delete workflow that is currently in use by app '%s'", a.Name)
	case w.ToolPublished:
		return errs.New(errs.BadRequest, "Cannot delete workflow that is published as a tool")
	}
	return s.store.DeleteWorkflow(ctx, tenantID, a.ID, id)
}

// DraftVariables lists what runs of a draft left behind for an account.
func (s *Service) DraftVariables(ctx context.Context, tenantID, appID, accountID, nodeID string) ([]DraftVariable, error) {
	return s.store.DraftVariables(ctx, tenantID, appID, accountID, nodeID)
}

// Definition returns a version with its secrets in plain text, for running it.
// It implements run.GraphSource.
func (s *Service) Definition(ctx context.Context, tenantID, workflowID string) (*run.Definition, error) {
	w, err := s.store.Workflow(ctx, tenantID, "", workflowID)
	if err != nil {
		return nil, err
	}
	env, err := s.unseal(ctx, tenantID, w.Environment)
	if err != nil {
		return nil, err
	}
	return &run.Definition{
		ID: w.ID, TenantID: w.TenantID, AppID: w.AppID, Type: w.Type, Version: w.Version, Graph: w.Graph,
		Environment: runVariables(env), Conversation: runVariables(w.Conversation), Mutable: w.Version == VersionDraft,
	}, nil
}

var _ run.GraphSource = (*Service)(nil)

func runVariables(list []Variable) []run.Variable {
	out := make([]run.Variable, len(list))
	for i, v := range list {
		out[i] = run.Variable{
			ID: v.ID, Type: v.Type, Description: v.Description, Name: v.Name, Value: v.Value, Secret: v.Type == TypeSecret,
		}
	}
	return out
}

// StartVariables returns the fields that the start node of a version asks for,
// as they are stored, nil for a graph without a start node.
func (w Workflow) StartVariables() []any {
	nodes, _ := object(w.Graph).Value("nodes").([]any)
	for _, n := range nodes {
		o, _ := n.(*value.Object)
		data, _ := o.Value("data").(*value.Object)
		if data.String("type") == "start" {
			list, _ := data.Value("variables").([]any)
			return list
		}
	}
	return nil
}

// FeatureSet returns the features of a version.
func (w Workflow) FeatureSet() *value.Object { return object(w.Features) }

// PublishedAt is the time that a version's name stands for; the zero time for
// drafts.
func (w Workflow) PublishedAt() time.Time {
	t, _ := time.Parse("2006-01-02 15:04:05.999999", w.Version)
	return t
}

// nodeData calls visit with the type and data of every node of a graph.
func nodeData(graph *value.Object, visit func(kind string, data *value.Object)) {
	nodes, _ := graph.Value("nodes").([]any)
	for _, n := range nodes {
		o, _ := n.(*value.Object)
		if data, ok := o.Value("data").(*value.Object); ok {
			visit(data.String("type"), data)
		}
	}
}

// Parse compiles a version's graph. It is here so that callers need not know
// how graphs are stored.
func (w Workflow) Parse() (*workflow.Graph, error) { return workflow.ParseGraph([]byte(w.Graph)) }
