package workflowtool

import (
	"context"
	"slices"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// Fields are what a person says of a tool.
type Fields struct {
	Name, Label, Description string
	Icon                     Icon
	Parameters               []Parameter
	Privacy                  string
	Labels                   []string
}

func (f *Fields) fill(p *Published) {
	p.Name, p.Label, p.Description, p.Icon = f.Name, f.Label, f.Description, f.Icon
	p.Parameters, p.Privacy = f.Parameters, f.Privacy
	p.Labels = known(f.Labels)
}

// known leaves out what is no label, and what is one twice.
func known(labels []string) []string {
	out := []string{}
	for _, l := range labels {
		if slices.Contains(Labels(), l) && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// Labels are the labels that a tool may have.
func Labels() []string {
	return []string{
		"search", "image", "videos", "weather", "finance", "design", "travel", "social", "news", "medical", "productivity",
		"education", "business", "entertainment", "utilities", "rag", "other",
	}
}

// Publish publishes the current version of an app as a tool. Codes:
// InvalidParam.
func (s *Service) Publish(ctx context.Context, by app.Actor, appID string, f Fields) (Published, error) {
	taken := errs.Newf(errs.InvalidParam, "Tool with name %s or app_id %s already exists", f.Name, appID)
	if _, err := s.Store.Named(ctx, by.TenantID, f.Name); !errs.Is(err, errs.NotFound) {
		return Published{}, orOther(err, taken)
	}
	if _, err := s.Store.OfApp(ctx, by.TenantID, appID); !errs.Is(err, errs.NotFound) {
		return Published{}, orOther(err, taken)
	}
	now := s.Clock.Now().UTC()
	p := Published{ID: ids.Random(), TenantID: by.TenantID, AppID: appID, UserID: by.AccountID, CreatedAt: now, UpdatedAt: now}
	f.fill(&p)
	if err := s.current(ctx, &p); err != nil {
		return Published{}, err
	}
	err := s.Store.Add(ctx, p)
	if errs.Is(err, errs.Conflict) {
		err = taken
	}
	return p, err
}

// Change replaces what is said of a tool, and has it run the app's current
// version from now on. Codes: InvalidParam.
func (s *Service) Change(ctx context.Context, by app.Actor, id string, f Fields) error {
	taken := errs.Newf(errs.InvalidParam, "Tool with name %s already exists", f.Name)
	missing := errs.Newf(errs.InvalidParam, "Tool %s not found", id)
	other, err := s.Store.Named(ctx, by.TenantID, f.Name)
	switch {
	case err == nil && other.ID != id:
		return taken
	case err != nil && !errs.Is(err, errs.NotFound):
		return err
	}
	p, err := s.Store.Tool(ctx, by.TenantID, id)
	if errs.Is(err, errs.NotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	f.fill(&p)
	if err := s.current(ctx, &p); err != nil {
		return err
	}
	p.UpdatedAt = s.Clock.Now().UTC()
	switch err = s.Store.Update(ctx, p); {
	case errs.Is(err, errs.Conflict):
		return taken
	case errs.Is(err, errs.NotFound):
		return missing
	}
	return err
}

// Withdraw removes a tool; one that is not there is as good as removed.
func (s *Service) Withdraw(ctx context.Context, tenantID, id string) error {
	if err := s.Store.Delete(ctx, tenantID, id); err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	return nil
}

// Find returns a tool by its id, or by its app when id is "". Codes:
// InvalidParam.
func (s *Service) Find(ctx context.Context, tenantID, id, appID string) (p Published, err error) {
	if id != "" {
		p, err = s.Store.Tool(ctx, tenantID, id)
	} else {
		p, err = s.Store.OfApp(ctx, tenantID, appID)
	}
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.InvalidParam, "Tool not found")
	}
	return p, err
}

// current has a tool run the app's current version, if its parameters fit.
func (s *Service) current(ctx context.Context, p *Published) error {
	a, err := s.Apps.App(ctx, p.TenantID, p.AppID)
	if errs.Is(err, errs.NotFound) || err == nil && a.Mode != app.ModeWorkflow {
		return errs.Newf(errs.InvalidParam, "App %s not found", p.AppID)
	}
	if err != nil {
		return err
	}
	w, err := s.Apps.Published(ctx, a)
	if errs.Is(err, errs.NotFound) {
		return errs.Newf(errs.InvalidParam, "Workflow not found for app %s", p.AppID)
	}
	if err != nil {
		return err
	}
	g, err := w.Parse()
	if err != nil {
		return errs.Wrap(errs.InvalidParam, err, "The workflow is not valid.")
	}
	for i := range g.Nodes {
		if g.Nodes[i].Type == "human-input" {
			return errs.New(errs.InvalidParam, "Workflow with Human Input nodes cannot be published as a workflow tool.")
		}
	}
	p.Version = w.Version
	_, err = parameters(p, w)
	return err
}

// orOther is err, or instead when there is none.
func orOther(err, instead error) error {
	if err != nil {
		return err
	}
	return instead
}
