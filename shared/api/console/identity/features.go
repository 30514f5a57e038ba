package identity

import (
	"net/http"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/show"
)

// object is a part of an answer whose fields are written once, here.
type object = map[string]any

// systemFeatures tells the console what this deployment offers.
func systemFeatures(w http.ResponseWriter, _ *http.Request) error {
	return edge.OK(w, show.SystemFeatures())
}

// features tells the console what the workspace's plan offers. Nobody is
// billed, so the limits are the contract's defaults and bind nobody.
func features(w http.ResponseWriter, _ *http.Request, _ account.Principal) error {
	limit := func(n int) object { return object{"size": 0, "limit": n} }
	quota := func(n int) object { return object{"usage": 0, "limit": n, "reset_date": 0} }
	return edge.OK(w, object{
		"billing":                            object{"enabled": false, "subscription": object{"plan": plan, "interval": ""}},
		"education":                          object{"enabled": false, "activated": false},
		"members":                            limit(1),
		"apps":                               limit(10),
		"annotation_quota_limit":             limit(10),
		"documents_upload_quota":             limit(50),
		"knowledge_rate_limit":               10,
		"docs_processing":                    "standard",
		"can_replace_logo":                   false,
		"model_load_balancing_enabled":       false,
		"dataset_operator_enabled":           false,
		"webapp_copyright_enabled":           false,
		"workspace_members":                  object{"enabled": false, "size": 0, "limit": 0},
		"is_allow_transfer_workspace":        true,
		"trigger_event":                      quota(3000),
		"api_rate_limit":                     quota(5000),
		"knowledge_pipeline":                 object{"publish_enabled": false},
		"human_input_email_delivery_enabled": true,
		"next_credit_reset_date":             0,
	})
}
