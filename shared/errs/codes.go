package errs

// The closed set of codes. Their meaning stands in the table below.
const (
	Internal                     Code = "internal_server_error"
	NotImplemented               Code = "not_implemented"
	InvalidParam                 Code = "invalid_param"
	BadRequest                   Code = "bad_request"
	Unauthorized                 Code = "unauthorized"
	UnauthorizedForceLogout      Code = "unauthorized_and_force_logout"
	Forbidden                    Code = "forbidden"
	NotFound                     Code = "not_found"
	Conflict                     Code = "conflict"
	MethodNotAllowed             Code = "method_not_allowed"
	NotAcceptable                Code = "not_acceptable"
	UnsupportedMediaType         Code = "unsupported_media_type"
	UnprocessableEntity          Code = "unprocessable_entity"
	RequestEntityTooLarge        Code = "request_entity_too_large"
	TooManyRequests              Code = "too_many_requests"
	RateLimitError               Code = "rate_limit_error"
	ServiceUnavailable           Code = "service_unavailable"
	GatewayTimeout               Code = "gateway_timeout"
	NotSetup                     Code = "not_setup"
	AlreadySetup                 Code = "already_setup"
	NotInitValidated             Code = "not_init_validated"
	InitValidateFailed           Code = "init_validate_failed"
	AuthenticationFailed         Code = "authentication_failed"
	AccountBanned                Code = "account_banned"
	AccountNotFound              Code = "account_not_found"
	AccountNotInitialized        Code = "account_not_initialized"
	AccountNotLinkTenant         Code = "account_not_link_tenant"
	EmailCodeLoginLimit          Code = "email_code_login_limit"
	InvalidEmail                 Code = "invalid_email"
	RepeatPasswordNotMatch       Code = "repeat_password_not_match"
	CurrentPasswordIncorrect     Code = "current_password_incorrect"
	AppNotFound                  Code = "app_not_found"
	AppUnavailable               Code = "app_unavailable"
	NotChatApp                   Code = "not_chat_app"
	NotCompletionApp             Code = "not_completion_app"
	NotWorkflowApp               Code = "not_workflow_app"
	ConversationCompleted        Code = "conversation_completed"
	DraftWorkflowNotExist        Code = "draft_workflow_not_exist"
	DraftWorkflowNotSync         Code = "draft_workflow_not_sync"
	WorkflowPausedInBlockingMode Code = "workflow_paused_in_blocking_mode"
	WorkflowVersionNotAllowed    Code = "workflow_version_execution_not_allowed"
	ProviderNotInitialize        Code = "provider_not_initialize"
	ProviderQuotaExceeded        Code = "provider_quota_exceeded"
	ModelCurrentlyNotSupport     Code = "model_currently_not_support"
	CompletionRequestError       Code = "completion_request_error"
	FileNotFound                 Code = "file_not_found"
	FileAccessDenied             Code = "file_access_denied"
	FileTooLarge                 Code = "file_too_large"
	FileExtensionBlocked         Code = "file_extension_blocked"
	FilenameNotExists            Code = "filename_not_exists"
	NoFileUploaded               Code = "no_file_uploaded"
	TooManyFiles                 Code = "too_many_files"
	UnsupportedFileType          Code = "unsupported_file_type"
	SuggestedQuestionsDisabled   Code = "app_suggested_questions_after_answer_disabled"
	SpeechToTextDisabled         Code = "speech_to_text_disabled"
	InvalidFormData              Code = "invalid_form_data"
	InvalidUploadToken           Code = "invalid_upload_token"
	HumanInputFormNotFound       Code = "human_input_form_not_found"
	HumanInputFormSubmitted      Code = "human_input_form_submitted"
	HumanInputFormExpired        Code = "human_input_form_expired"
	WebFormRateLimitExceeded     Code = "web_form_rate_limit_exceeded"
	// BudgetExceeded is ours: a budget of the app or the workspace is used up. 402
	// and not 429, because clients repeat 429 by themselves and that helps nobody
	// before the budget begins anew.
	BudgetExceeded Code = "budget_exceeded"
	// LeaseLost is internal to the run protocol: the writer is no longer the owner of the run.
	LeaseLost Code = "lease_lost"
	// DeadlineNear is internal to the run protocol: the worker must hand the run over.
	DeadlineNear Code = "deadline_near"
)

type row struct {
	status  int
	message string
}

// table is never written to after the program starts.
var table = map[Code]row{
	Internal:                     {500, "Internal Server Error, please contact support."},
	NotImplemented:               {501, "This is not available yet; docs/status.md lists what is."},
	InvalidParam:                 {400, "Invalid parameter."},
	BadRequest:                   {400, "Bad request."},
	Unauthorized:                 {401, "Unauthorized."},
	UnauthorizedForceLogout:      {401, "Unauthorized and force logout."},
	Forbidden:                    {403, "Forbidden."},
	NotFound:                     {404, "Not found."},
	Conflict:                     {409, "Conflict."},
	MethodNotAllowed:             {405, "Method not allowed."},
	NotAcceptable:                {406, "Not acceptable."},
	UnsupportedMediaType:         {415, "Did not attempt to load JSON data because the request Content-Type was not 'application/json'."},
	UnprocessableEntity:          {422, "Unprocessable entity."},
	RequestEntityTooLarge:        {413, "The request is too large."},
	TooManyRequests:              {429, "Too many requests. Please try again later."},
	RateLimitError:               {429, "Rate limit exceeded."},
	ServiceUnavailable:           {503, "Service unavailable; try again later."},
	GatewayTimeout:               {504, "The request took too long."},
	NotSetup:                     {401, "The setup has not been done. Do the first-time setup first."},
	AlreadySetup:                 {403, "The setup has been done already."},
	NotInitValidated:             {401, "The initialization password has not been validated."},
	InitValidateFailed:           {401, "The initialization password is wrong."},
	AuthenticationFailed:         {401, "Invalid email or password."},
	AccountBanned:                {400, "Account is banned."},
	AccountNotFound:              {400, "Account not found."},
	AccountNotInitialized:        {400, "The account has not been initialized."},
	AccountNotLinkTenant:         {403, "Account not link tenant."},
	EmailCodeLoginLimit:          {429, "Too many incorrect password attempts. Please try again later."},
	InvalidEmail:                 {400, "The email address is not valid."},
	RepeatPasswordNotMatch:       {400, "New password and repeat password do not match."},
	CurrentPasswordIncorrect:     {400, "Current password is incorrect."},
	AppNotFound:                  {404, "App not found."},
	AppUnavailable:               {400, "App unavailable, please check your app configurations."},
	NotChatApp:                   {400, "Please check if your app mode matches the right API route."},
	NotCompletionApp:             {400, "Please check if your Completion app mode matches the right API route."},
	NotWorkflowApp:               {400, "Please check if your app mode matches the right API route."},
	ConversationCompleted:        {400, "Conversation Completed."},
	DraftWorkflowNotExist:        {404, "Draft workflow need to be initialized."},
	DraftWorkflowNotSync:         {409, "Workflow graph might have been modified, please refresh and resubmit."},
	WorkflowPausedInBlockingMode: {400, "The run waits for a person; use streaming mode."},
	WorkflowVersionNotAllowed:    {403, "This version of the workflow may not be run."},
	ProviderNotInitialize:        {400, "No valid model provider credentials found."},
	ProviderQuotaExceeded:        {400, "The model provider quota is used up."},
	ModelCurrentlyNotSupport:     {400, "This model is not supported."},
	CompletionRequestError:       {400, "Completion request failed."},
	FileNotFound:                 {404, "The requested file was not found."},
	FileAccessDenied:             {403, "Access to the requested file is denied."},
	FileTooLarge:                 {413, ""},
	FileExtensionBlocked:         {400, "The file extension is blocked for security reasons."},
	FilenameNotExists:            {400, "The specified filename does not exist."},
	NoFileUploaded:               {400, "Please upload your file."},
	TooManyFiles:                 {400, "Only one file is allowed."},
	UnsupportedFileType:          {415, "File type not allowed."},
	SuggestedQuestionsDisabled:   {403, "Suggested questions are disabled."},
	SpeechToTextDisabled:         {400, "Speech to text is disabled."},
	InvalidFormData:              {400, "The form is not filled in correctly."},
	InvalidUploadToken:           {400, "Invalid upload token."},
	HumanInputFormNotFound:       {404, "Form not found."},
	HumanInputFormSubmitted:      {412, "This form has already been submitted."},
	HumanInputFormExpired:        {412, "This form has expired."},
	WebFormRateLimitExceeded:     {429, "Too many form requests. Please try again later."},
	BudgetExceeded:               {402, "The budget is used up."},
	LeaseLost:                    {500, "Internal Server Error, please contact support."},
	DeadlineNear:                 {500, "Internal Server Error, please contact support."},
}

// Status returns the HTTP status of code; codes outside the set are 500.
func Status(code Code) int {
	if r, ok := table[code]; ok {
		return r.status
	}
	return table[Internal].status
}

// Known reports whether code belongs to the closed set.
func Known(code Code) bool {
	_, ok := table[code]
	return ok
}

func defaultMessage(code Code) string { return table[code].message }
