// Package humaninput is the domain of forms: what a run asks a person, who may
// answer and how they are told, what counts as an answer, and when it is too
// late for one.
//
// A form belongs to one execution of a human-input node and has its id. It is
// waiting until exactly one of three things happens: somebody submits it, its
// own time is over (the run goes on without an answer), or the deployment's time
// for all forms is over (the run is stopped). Which of them came first is decided
// by one statement of the store, so that a submission and a timer may race.
//
// It does not pause or continue runs: the node in workflow/node/humaninput does
// the one, whoever takes a submission the other (Service.Submit calls Waker).
// START HERE: Service for what may be done, config.go for what a node says,
// validate.go for what counts as an answer.
package humaninput

import (
	"context"
	"time"

	"github.com/millrace/millrace/shared/workflow/value"
)

// Statuses of a form, as the contract stores them.
const (
	StatusWaiting   = "waiting"
	StatusSubmitted = "submitted"
	StatusTimeout   = "timeout" // the form's own time is over
	StatusExpired   = "expired" // the deployment's time for forms is over
)

// Kinds of forms.
const (
	KindRuntime      = "runtime"
	KindDeliveryTest = "delivery_test"
)

// Types of recipients. Each has an access token of its own.
const (
	RecipientWebApp    = "standalone_web_app" // whoever uses the app
	RecipientMember    = "email_member"       // a member of the workspace, by e-mail
	RecipientExternal  = "email_external"     // any address
	RecipientConsole   = "console"            // who debugs the app
	RecipientBackstage = "backstage"          // who looks after the app's runs
)

// Delivery methods.
const (
	DeliveryWebApp = "webapp"
	DeliveryEmail  = "email"
)

// Form is a question to a person.
type Form struct {
	ID, TenantID, AppID string
	// RunID is empty for delivery tests.
	RunID          string
	Kind           string
	NodeID         string
	ConversationID string
	MessageID      string
	Definition     Definition
	Status         string
	ExpiresAt      time.Time
	CreatedAt      time.Time
	// Submission is set once the form was submitted.
	Submission *Submission
	Deliveries []Delivery
	Recipients []Recipient
}

// Definition is what a form asks, with the run's variables filled in.
type Definition struct {
	NodeTitle string
	// Template is the text of the node; Content the same with variables filled in
	// and placeholders of the form's own fields left.
	Template, Content string
	Inputs            []Input
	Actions           []Action
	// Defaults are the values of defaults that come from variables.
	Defaults    *value.Object
	DisplayInUI bool
}

// Submission is an answer.
type Submission struct {
	ActionID string
	// Data has a value for each input: text, a file, or a list of files.
	Data *value.Object
	At   time.Time
	// AccountID or EndUserID is who answered, if that is known.
	AccountID, EndUserID string
	RecipientID          string
}

// Delivery is one way in which a form reaches people.
type Delivery struct {
	ID, Method string
	// ConfigID is the id of the node's delivery method; empty for what the
	// platform adds itself.
	ConfigID string
	Payload  *value.Object
}

// Recipient may answer a form with a token.
type Recipient struct {
	ID, DeliveryID, Type string
	// AccountID and Email say who it is, where the type has somebody.
	AccountID, Email string
	Token            string
}

// Mail is an e-mail that is owed to a recipient. It is stored with its form and
// sent until that has worked.
type Mail struct {
	ID, TenantID, FormID string
	To, Subject, Body    string
	Attempts             int
}

// Wake is owed to the run of a form that was submitted: it is stored with the
// submission and gone once the run was told.
type Wake struct{ TenantID, FormID, RunID string }

// UploadToken lets somebody who has a form attach files to it.
type UploadToken struct {
	ID, TenantID, AppID, FormID, RecipientID string
	Token                                    string
	CreatedAt                                time.Time
}

// Store keeps forms. Every method that is given a tenant finds only what belongs
// to it; what is not there is errs.NotFound.
type Store interface {
	// Create stores a form with its deliveries, recipients and mails in one
	// transaction. A form of that id that is there already stays as it is.
	Create(ctx context.Context, f *Form, mails []Mail) error
	// Form returns a form of the tenant.
	Form(ctx context.Context, tenantID, id string) (*Form, error)
	// ByToken returns the form that an access token opens. The token is the
	// permission and finds the tenant.
	ByToken(ctx context.Context, token string) (*Form, *Recipient, error)
	// OfRun returns the forms of a run by the time of their creation.
	OfRun(ctx context.Context, tenantID, runID string) ([]Form, error)
	// OfMessages returns the forms of an app's messages, by message id.
	OfMessages(ctx context.Context, tenantID, appID string, messageIDs []string) (map[string][]Form, error)
	// Submit stores an answer to a form that is waiting, whose time is not over at
	// s.At, and that was made after notBefore. It reports whether it did. A store
	// that knows runs refuses answers to those that are over.
	Submit(ctx context.Context, tenantID, id string, s Submission, notBefore time.Time) (bool, error)
	// OwedWakes returns what Submit left for runs that nobody has woken since
	// before. Like the outbox of runs it serves every tenant.
	OwedWakes(ctx context.Context, before time.Time, limit int) ([]Wake, error)
	// SettleWake says that the run of a form was woken.
	SettleWake(ctx context.Context, tenantID, formID string) error
	// End gives a waiting form a final status and reports whether it did.
	End(ctx context.Context, tenantID, id, status string, at time.Time) (bool, error)
	// AddUploadToken stores a token.
	AddUploadToken(ctx context.Context, t UploadToken) error
	// UploadToken returns a token by its text; like ByToken it finds the tenant.
	UploadToken(ctx context.Context, token string) (UploadToken, error)
	// AddUpload says that a file was uploaded for a form.
	AddUpload(ctx context.Context, t UploadToken, uploadID string, at time.Time) error
	// Uploads returns the ids of the files that were uploaded for a form.
	Uploads(ctx context.Context, tenantID, formID string) ([]string, error)
	// ClaimMails takes mails that are owed and that nobody else sends: those of a
	// form, or any when formID is empty. They are the caller's until the given
	// time. Like the outbox of runs it serves every tenant.
	ClaimMails(ctx context.Context, formID string, now, until time.Time, limit int) ([]Mail, error)
	// SettleMail says that a claimed mail was sent, or when to try again; a zero
	// retryAt without sent gives it up.
	SettleMail(ctx context.Context, tenantID, id string, sent bool, retryAt time.Time) error
}
