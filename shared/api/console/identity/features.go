package identity

import (
	"net/http"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
)

// object is a part of an answer whose fields are written once, here.
type object = map[string]any

// systemFeatures tells the console what this deployment offers: the contract's
// community edition without a mail server, registration and a marketplace.
func systemFeatures(w http.ResponseWriter, _ *http.Request) error {
	return edge.OK(w, object{
		"deployment_edition":               "COMMUNITY",
		"enable_app_deploy":                false,
		"enable_change_email":              true,
		"enable_collaboration_mode":        true,
		"enable_creators_platform":         true,
		"enable_email_code_login":          false,
		"enable_email_password_login":      true,
		"enable_explore_banner":            false,
		"enable_learn_app":                 true,
		"enable_marketplace":               false,
		"enable_social_oauth_login":        false,
		"enable_step_by_step_tour":         false,
		"is_allow_register":                false,
		"is_email_setup":                   false,
		"knowledge_fs_enabled":             false,
		"rbac_enabled":                     false,
		"sso_enforced_for_signin":          false,
		"sso_enforced_for_signin_protocol": nil,
		"license":                          object{"status": "none"},
		"branding": object{
			"enabled": false, "application_title": "", "login_page_logo": "", "workspace_logo": "", "favicon": "",
		},
		"plugin_installation_permission": object{
			"plugin_installation_scope": "all", "restrict_to_marketplace_only": false,
		},
		"webapp_auth": object{
			"enabled": false, "allow_sso": false, "sso_config": object{"protocol": nil}, "allow_email_code_login": false,
			"allow_email_password_login": false, "allow_public_access": true,
		},
	})
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
