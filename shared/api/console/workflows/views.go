package workflows

import (
	"net/http"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/workflow/value"
)

func (a *api) answer(w http.ResponseWriter, r *http.Request, x app.Workflow) error {
	list, err := a.views(r, x)
	if err != nil {
		return err
	}
	return edge.OK(w, list[0])
}

// views shows drafts and versions.
func (a *api) views(r *http.Request, list ...app.Workflow) ([]map[string]any, error) {
	var people []string
	for _, x := range list {
		for _, id := range []string{x.CreatedBy, x.UpdatedBy} {
			if id != "" {
				people = append(people, id)
			}
		}
	}
	authors, err := a.Apps.Authors(r.Context(), people...)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(list))
	for i, x := range list {
		out[i] = map[string]any{
			"id": x.ID, "graph": decoded(x.Graph), "features": decoded(x.Features), "hash": app.GraphHash(x.Graph),
			"version": x.Version, "version_number": x.Number, "marked_name": x.Name, "marked_comment": x.Comment,
			"created_by": person(authors, x.CreatedBy), "created_at": x.CreatedAt.Unix(),
			"updated_by": person(authors, x.UpdatedBy), "updated_at": x.UpdatedAt.Unix(), "tool_published": x.ToolPublished,
			"environment_variables":  variables(app.Mask(x.Environment)),
			"conversation_variables": variables(x.Conversation), "rag_pipeline_variables": ragVariables(x.RagPipeline),
		}
	}
	return out, nil
}

func person(authors map[string]app.Author, id string) any {
	if a, ok := authors[id]; ok {
		return a
	}
	return nil
}

func decoded(text string) any {
	v, err := value.Decode([]byte(text))
	if err != nil {
		return value.NewObject(0)
	}
	return v
}

func variables(list []app.Variable) []map[string]any {
	out := make([]map[string]any, len(list))
	for i, v := range list {
		out[i] = map[string]any{
			"id": v.ID, "name": v.Name, "value_type": v.ShownType(), "value": v.Value, "description": v.Description,
		}
	}
	return out
}

func ragVariables(text string) []any {
	out := []any{}
	if o, ok := decoded(text).(*value.Object); ok {
		for _, v := range o.All() {
			out = append(out, v)
		}
	}
	return out
}
