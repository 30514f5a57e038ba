package show

import "github.com/millrace/millrace/shared/workflow/value"

// SystemFeatures renders what this deployment offers, as consoles and apps'
// pages ask for it: the contract's community edition without a mail server,
// registration and a marketplace.
func SystemFeatures() *value.Object {
	return value.Obj(
		"deployment_edition", "COMMUNITY",
		"enable_app_deploy", false,
		"enable_change_email", true,
		"enable_collaboration_mode", true,
		"enable_creators_platform", true,
		"enable_email_code_login", false,
		"enable_email_password_login", true,
		"enable_explore_banner", false,
		"enable_learn_app", true,
		"enable_marketplace", false,
		"enable_social_oauth_login", false,
		"enable_step_by_step_tour", false,
		"is_allow_register", false,
		"is_email_setup", false,
		"knowledge_fs_enabled", false,
		"rbac_enabled", false,
		"sso_enforced_for_signin", false,
		"sso_enforced_for_signin_protocol", nil,
		"license", value.Obj("status", "none"),
		"branding", value.Obj(
			"enabled", false, "application_title", "", "login_page_logo", "", "workspace_logo", "", "favicon", "",
		),
		"plugin_installation_permission", value.Obj(
			"plugin_installation_scope", "all", "restrict_to_marketplace_only", false,
		),
		"webapp_auth", value.Obj(
			"enabled", false, "allow_sso", false, "sso_config", value.Obj("protocol", nil), "allow_email_code_login", false,
			"allow_email_password_login", false, "allow_public_access", true,
		),
	)
}
