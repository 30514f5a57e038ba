package app

import (
	"context"

	"github.com/millrace/millrace/shared/dsl"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// ExportOptions says what an export contains.
type ExportOptions struct {
	// Secrets puts secret values and the credentials of tools into the document.
	Secrets bool
	// WorkflowID exports that version; "" means the draft.
	WorkflowID string
}

// Export returns the document of an app. Codes: InvalidParam (no draft),
// NotFound (no such version).
func (s *Service) Export(ctx context.Context, a App, o ExportOptions) (string, error) {
	icon, background := a.Icon, a.IconBackground
	if a.IconType == "image" { // an image is a file of this workspace
		icon, background = "🤖", "#FFEAD5"
	}
	doc := value.Obj("version", dsl.Version, "kind", "app", "app", value.Obj(
		"name", a.Name, "mode", a.Mode, "icon", orNil(icon), "icon_type", orNil(a.IconType),
		"icon_background", orNil(background), "description", a.Description, "use_icon_as_answer_icon", a.UseIconAsAnswerIcon),
		"dependencies", []any{})
	if a.HasWorkflow() {
		w, err := s.exportedWorkflow(ctx, a, o)
		if err != nil {
			return "", err
		}
		doc.Set("workflow", w)
	} else {
		c, err := s.store.ModelConfig(ctx, a.TenantID, a.ID)
		if err != nil {
			return "", err
		}
		config := c.Object()
		if err := s.exportDatasets(a.TenantID, config); err != nil {
			return "", err
		}
		stripToolCredentials(config.Value("agent_mode"))
		doc.Set("model_config", config)
	}
	return dsl.Dump(doc)
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (s *Service) exportedWorkflow(ctx context.Context, a App, o ExportOptions) (*value.Object, error) {
	var w Workflow
	var err error
	if o.WorkflowID == "" {
		w, err = s.store.Draft(ctx, a.TenantID, a.ID)
		if errs.Is(err, errs.NotFound) {
			return nil, errs.New(errs.InvalidParam, "Missing draft workflow configuration, please check.")
		}
	} else {
		w, err = s.Version(ctx, a.TenantID, a.ID, o.WorkflowID)
	}
	if err != nil {
		return nil, err
	}
	env := w.Environment
	if o.Secrets {
		if env, err = s.unseal(ctx, a.TenantID, env); err != nil {
			return nil, err
		}
	}
	envList := make([]any, len(env))
	for i, v := range env {
		if v.Type == TypeSecret && !o.Secrets {
			v.Value = ""
		}
		envList[i] = v.object()
	}
	conversation := make([]any, len(w.Conversation))
	for i, v := range w.Conversation {
		conversation[i] = v.object()
	}
	graph := object(w.Graph)
	if err := s.exportNodes(a.TenantID, graph, o.Secrets); err != nil {
		return nil, err
	}
	rag := []any{}
	for _, v := range object(w.RagPipeline).All() {
		rag = append(rag, v)
	}
	return value.Obj("graph", graph, "features", object(w.Features), "environment_variables", envList,
		"conversation_variables", conversation, "rag_pipeline_variables", rag), nil
}

// exportNodes takes out of a graph what only means something in its workspace.
func (s *Service) exportNodes(tenantID string, graph *value.Object, secrets bool) (err error) {
	nodeData(graph, func(kind string, data *value.Object) {
		switch kind {
		case "knowledge-retrieval":
			if list, ok := data.Value("dataset_ids").([]any); ok && s.opts.EncryptDatasetIDs {
				for i, id := range list {
					text, _ := id.(string)
					hidden, e := hideDatasetID(tenantID, text)
					if e != nil {
						err = e
						return
					}
					list[i] = hidden
				}
			}
		case "tool":
			if !secrets {
				data.Delete("credential_id")
			}
		case "agent":
			if !secrets {
				stripAgentNode(data)
			}
		case "trigger-webhook":
			data.Set("webhook_url", "")
			data.Set("webhook_debug_url", "")
		case "trigger-plugin":
			data.Set("subscription_id", "")
		case "trigger-schedule":
			for _, key := range []string{"frequency", "visual_config", "cron_expression"} {
				data.Delete(key)
			}
			data.Set("mode", "visual")
			data.Set("timezone", "UTC")
		}
	})
	return err
}

func stripAgentNode(data *value.Object) {
	parameters, _ := data.Value("agent_parameters").(*value.Object)
	tools, _ := parameters.Value("tools").(*value.Object)
	list, _ := tools.Value("value").([]any)
	for _, t := range list {
		if tool, ok := t.(*value.Object); ok {
			tool.Delete("credential_id")
		}
	}
}

func stripToolCredentials(agentMode any) {
	mode, _ := agentMode.(*value.Object)
	list, _ := mode.Value("tools").([]any)
	for _, t := range list {
		if tool, ok := t.(*value.Object); ok {
			tool.Delete("credential_id")
		}
	}
}

// exportDatasets hides the ids in a model config.
func (s *Service) exportDatasets(tenantID string, config *value.Object) error {
	if !s.opts.EncryptDatasetIDs {
		return nil
	}
	return eachDataset(config, func(o *value.Object) error {
		hidden, err := hideDatasetID(tenantID, o.String("id"))
		o.Set("id", hidden)
		return err
	})
}

// eachDataset calls visit for every dataset that a model config names.
func eachDataset(config *value.Object, visit func(*value.Object) error) error {
	configs, _ := config.Value("dataset_configs").(*value.Object)
	outer, _ := configs.Value("datasets").(*value.Object)
	list, _ := outer.Value("datasets").([]any)
	for _, x := range list {
		entry, _ := x.(*value.Object)
		if o, ok := entry.Value("dataset").(*value.Object); ok && o.String("id") != "" {
			if err := visit(o); err != nil {
				return err
			}
		}
	}
	return nil
}
