package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/dsl"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/value"
)

// pendingTTL is how long an import waits for its confirmation.
const pendingTTL = 10 * time.Minute

// ImportRequest asks for an import. Fields that are nil come from the document.
type ImportRequest struct {
	Mode                           string // yaml-content or yaml-url
	Content, URL                   string
	Name, Description              *string
	IconType, Icon, IconBackground *string
	// AppID imports over that app.
	AppID string
}

// ImportResult is the contract's answer to an import.
type ImportResult struct {
	ID       string     `json:"id"`
	Status   dsl.Status `json:"status"`
	AppID    *string    `json:"app_id"`
	AppMode  *string    `json:"app_mode"`
	Keys     []string   `json:"permission_keys"`
	Current  string     `json:"current_dsl_version"`
	Imported string     `json:"imported_dsl_version"`
	Error    string     `json:"error"`
	Warnings []any      `json:"warnings"`
}

func importResult(id string, status dsl.Status, version string) ImportResult {
	return ImportResult{ID: id, Status: status, Keys: []string{}, Current: dsl.Version, Imported: version, Warnings: []any{}}
}

func importFailed(id, text string) ImportResult {
	r := importResult(id, dsl.Failed, "")
	r.Error = text
	return r
}

// failure turns an error that concerns the document into a failed result;
// other errors stay errors.
func failure(id string, err error) (ImportResult, error) {
	switch errs.CodeOf(err) {
	case errs.InvalidParam, errs.NotFound, errs.AppNotFound:
		return importFailed(id, errs.Public(err).Message), nil
	}
	return ImportResult{}, err
}

// waiting is what is kept of an import until it is confirmed.
type waiting struct {
	TenantID  string        `json:"tenant_id"`
	AccountID string        `json:"account_id"`
	Request   ImportRequest `json:"request"`
}

func pendingKey(id string) string { return "app_import_info:" + id }

// Import makes an app from a document. What is wrong with the document is in
// the result; an error is about the request itself. Codes: InvalidParam (mode),
// NotImplemented.
func (s *Service) Import(ctx context.Context, by Actor, in ImportRequest) (ImportResult, error) {
	id := ids.Random()
	switch in.Mode {
	case "yaml-content":
		if in.Content == "" {
			return importFailed(id, "yaml_content is required when import_mode is yaml-content"), nil
		}
	case "yaml-url":
		if in.URL == "" {
			return importFailed(id, "yaml_url is required when import_mode is yaml-url"), nil
		}
		text, failed, err := s.fetch(ctx, in.URL)
		if err != nil {
			return ImportResult{}, err
		}
		if failed != "" {
			return importFailed(id, failed), nil
		}
		in.Content = text
	default:
		return ImportResult{}, errs.Newf(errs.InvalidParam, "Invalid import_mode: %s", in.Mode)
	}
	doc, err := dsl.Parse(in.Content)
	if err != nil {
		return failure(id, err)
	}
	version, err := versionOf(doc)
	if err != nil {
		return failure(id, err)
	}
	if o, ok := doc.Value("app").(*value.Object); !ok || o.Len() == 0 {
		return importFailed(id, "Missing app data in YAML content"), nil
	}
	if in.AppID != "" {
		if err := s.overwritable(ctx, by.TenantID, in.AppID); err != nil {
			return failure(id, err)
		}
	}
	switch status := dsl.Compare(version); status {
	case dsl.Failed:
		return importFailed(id, fmt.Sprintf("Invalid version: %s", version)), nil
	case dsl.Pending:
		raw, err := json.Marshal(waiting{by.TenantID, by.AccountID, in})
		if err != nil {
			return ImportResult{}, err
		}
		return importResult(id, dsl.Pending, version), s.pending.Set(ctx, pendingKey(id), string(raw), pendingTTL)
	default:
		return s.finish(ctx, by, id, status, version, doc, in)
	}
}

// ConfirmImport goes on with an import that waits. It can be confirmed once, by
// who started it.
func (s *Service) ConfirmImport(ctx context.Context, by Actor, id string) (ImportResult, error) {
	const expired = "Import information expired or does not exist"
	raw, err := s.pending.Get(ctx, pendingKey(id))
	if errs.Is(err, errs.NotFound) {
		return importFailed(id, expired), nil
	}
	if err != nil {
		return ImportResult{}, err
	}
	var w waiting
	if err := json.Unmarshal([]byte(raw), &w); err != nil || w.TenantID != by.TenantID || w.AccountID != by.AccountID {
		return importFailed(id, expired), nil //nolint:nilerr // what is kept but cannot be read is as good as gone
	}
	if _, err := s.pending.Take(ctx, pendingKey(id)); errs.Is(err, errs.NotFound) {
		return importFailed(id, expired), nil
	} else if err != nil {
		return ImportResult{}, err
	}
	doc, err := dsl.Parse(w.Request.Content)
	if err != nil {
		return failure(id, err)
	}
	version, err := versionOf(doc)
	if err != nil {
		return failure(id, err)
	}
	return s.finish(ctx, by, id, dsl.Completed, version, doc, w.Request)
}

func versionOf(doc *value.Object) (string, error) {
	v, ok := doc.Get("version")
	if !ok || v == nil {
		return "0.1.0", nil
	}
	s, ok := v.(string)
	if !ok {
		kind := map[bool]string{true: "float", false: "int"}
		_, isFloat := v.(float64)
		return "", errs.Newf(errs.InvalidParam, "Invalid version type, expected str, got <class '%s'>", kind[isFloat])
	}
	return s, nil
}

func (s *Service) overwritable(ctx context.Context, tenantID, appID string) error {
	if !ids.Valid(appID) {
		return errs.New(errs.AppNotFound, "App not found")
	}
	a, err := s.App(ctx, tenantID, appID)
	if err != nil {
		return err
	}
	if !a.HasWorkflow() {
		return errs.New(errs.InvalidParam, "Only workflow or advanced chat apps can be overwritten")
	}
	return nil
}

// fetch gets a document from an address. failed is for the result.
func (s *Service) fetch(ctx context.Context, address string) (text, failed string, err error) {
	if s.opts.Fetch == nil {
		return "", "", errs.New(errs.NotImplemented, "")
	}
	if u, err := url.Parse(address); err == nil && u.Scheme == "https" && u.Host == "github.com" &&
		(strings.HasSuffix(u.Path, ".yml") || strings.HasSuffix(u.Path, ".yaml")) {
		address = strings.Replace(strings.Replace(address, "https://github.com/", "https://raw.githubusercontent.com/", 1), "/blob/", "/", 1)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	raw, err := s.opts.Fetch(ctx, address, dsl.MaxSize)
	switch {
	case err != nil:
		return "", "Error fetching YAML from URL: " + errs.Public(err).Message, nil
	case len(raw) == 0:
		return "", "Empty content from url", nil
	}
	return string(raw), "", nil
}

// finish stores what a document describes.
func (s *Service) finish(ctx context.Context, by Actor, id string, status dsl.Status, version string, doc *value.Object, in ImportRequest) (ImportResult, error) {
	a, err := s.storeDocument(ctx, by, doc, in)
	if err != nil {
		return failure(id, err)
	}
	if err := s.rememberDependencies(ctx, a.ID, doc); err != nil {
		return ImportResult{}, err
	}
	r := importResult(id, status, version)
	r.AppID, r.AppMode = &a.ID, &a.Mode
	return r, nil
}

func override(p *string, o *value.Object, key string) string {
	if p != nil && *p != "" {
		return *p
	}
	return o.String(key)
}

// storeDocument makes the app, or writes over one. The document is checked before
// anything is stored.
func (s *Service) storeDocument(ctx context.Context, by Actor, doc *value.Object, in ImportRequest) (App, error) {
	head, _ := doc.Value("app").(*value.Object)
	answerIcon, _ := head.Value("use_icon_as_answer_icon").(bool)
	made := NewApp{
		Name: override(in.Name, head, "name"), Description: override(in.Description, head, "description"), Mode: head.String("mode"),
		IconType: override(in.IconType, head, "icon_type"), Icon: override(in.Icon, head, "icon"),
		IconBackground: override(in.IconBackground, head, "icon_background"), UseIconAsAnswerIcon: answerIcon,
	}
	if made.IconType == "" && made.Icon != "" {
		made.IconType = "emoji"
	}
	var change *DraftChange
	switch made.Mode {
	case "":
		return App{}, errs.New(errs.InvalidParam, "loss app mode")
	case ModeWorkflow, ModeAdvancedChat:
		w, ok := doc.Value("workflow").(*value.Object)
		if !ok || w.Len() == 0 {
			return App{}, errs.New(errs.InvalidParam, "Missing workflow data for workflow/advanced chat app")
		}
		c, err := importedDraft(by.TenantID, w)
		if err != nil {
			return App{}, err
		}
		change = c
	case ModeChat, ModeAgentChat, ModeCompletion:
		o, ok := doc.Value("model_config").(*value.Object)
		if !ok || o.Len() == 0 {
			return App{}, errs.New(errs.InvalidParam, "Missing model_config for chat/agent-chat/completion app")
		}
		_ = eachDataset(o, func(d *value.Object) error {
			shown, _ := showDatasetID(by.TenantID, d.String("id"))
			d.Set("id", shown)
			return nil
		})
		c, err := configOf(o)
		if err != nil {
			return App{}, err
		}
		made.ModelConfig = c
	case ModeAgent, ModeChannel:
		return App{}, errs.New(errs.NotImplemented, "")
	default:
		return App{}, errs.New(errs.InvalidParam, "Invalid app mode")
	}
	a, err := s.place(ctx, by, made, in.AppID)
	if err != nil || change == nil {
		return a, err
	}
	if _, err := s.changeDraft(ctx, by, a, func(w *Workflow) error { return s.apply(ctx, by.TenantID, w, *change) }); err != nil {
		if in.AppID == "" { // half an app is no app
			_ = s.store.DeleteApp(ctx, by.TenantID, a.ID)
		}
		return App{}, err
	}
	return a, s.store.ClearDraftVariables(ctx, by.TenantID, a.ID)
}

func (s *Service) place(ctx context.Context, by Actor, made NewApp, appID string) (App, error) {
	if appID == "" {
		return s.Create(ctx, by, made)
	}
	return s.Update(ctx, by, appID, func(a *App) {
		a.Name, a.Description = made.Name, made.Description
		a.IconType, a.Icon, a.IconBackground = made.IconType, made.Icon, made.IconBackground
	})
}

func importedDraft(tenantID string, w *value.Object) (*DraftChange, error) {
	graph, _ := w.Value("graph").(*value.Object)
	if graph == nil {
		graph = value.NewObject(0)
	}
	nodeData(graph, func(kind string, data *value.Object) {
		list, ok := data.Value("dataset_ids").([]any)
		if kind != "knowledge-retrieval" || !ok {
			return
		}
		shown := []any{}
		for _, x := range list {
			text, _ := x.(string)
			if id, ok := showDatasetID(tenantID, text); ok {
				shown = append(shown, id)
			}
		}
		data.Set("dataset_ids", shown)
	})
	features, _ := w.Value("features").(*value.Object)
	if features == nil {
		features = value.NewObject(0)
	}
	c := &DraftChange{Graph: graph, Features: features, Environment: []any{}, Conversation: []any{}}
	if list, ok := w.Value("environment_variables").([]any); ok {
		c.Environment = list
	}
	if list, ok := w.Value("conversation_variables").([]any); ok {
		c.Conversation = list
	}
	// Checked here, so that nothing is made of a document that is no good.
	if _, err := checkVariables(c.Environment, nsEnvironment); err != nil {
		return nil, err
	}
	_, err := checkVariables(c.Conversation, nsConversation)
	return c, err
}

func dependenciesKey(appID string) string { return "app_check_dependencies:" + appID }

func (s *Service) rememberDependencies(ctx context.Context, appID string, doc *value.Object) error {
	list, _ := doc.Value("dependencies").([]any)
	if len(list) == 0 {
		return nil
	}
	raw, err := value.Encode(list)
	if err != nil {
		return err
	}
	return s.pending.Set(ctx, dependenciesKey(appID), string(raw), pendingTTL)
}

// MissingDependencies lists the plugins that an imported document asked for and
// that are not there.
func (s *Service) MissingDependencies(ctx context.Context, tenantID, appID string) ([]any, error) {
	out := []any{}
	raw, err := s.pending.Get(ctx, dependenciesKey(appID))
	if errs.Is(err, errs.NotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := value.Decode([]byte(raw))
	if err != nil {
		return nil, err
	}
	deps, _ := list.([]any)
	for _, x := range deps {
		o, _ := x.(*value.Object)
		v, _ := o.Value("value").(*value.Object)
		name := v.String("plugin_unique_identifier") + v.String("marketplace_plugin_unique_identifier") + v.String("github_plugin_unique_identifier")
		plugin, _, _ := strings.Cut(name, ":")
		if s.opts.HasPlugin == nil || !s.opts.HasPlugin(ctx, tenantID, plugin) {
			out = append(out, o)
		}
	}
	return out, nil
}

// Copy makes an app like another of the workspace. Codes: AppNotFound.
func (s *Service) Copy(ctx context.Context, by Actor, a App, in ImportRequest) (ImportResult, error) {
	text, err := s.Export(ctx, a, ExportOptions{Secrets: true})
	if err != nil {
		return ImportResult{}, err
	}
	in.Mode, in.Content, in.AppID = "yaml-content", text, ""
	return s.Import(ctx, by, in)
}
