package identity

import (
	"net/http"
	"net/mail"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
)

// The cookie that proves that the setup's password was given.
const (
	proofCookie  = "session"
	proofSubject = "setup"
	proofLife    = time.Hour
)

// failure is the form of errors of the routes that work before the setup.
type failure struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Status  int    `json:"status"`
	Details string `json:"details,omitempty"`
}

// bootstrap gives a handler's errors the form of the routes that work before
// the setup. Internal errors stay the router's, which logs them.
func bootstrap(next edge.Handler) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := next(w, r)
		if err == nil || errs.Is(err, errs.Internal) {
			return err
		}
		public := errs.Public(err)
		f := failure{Type: failureType(public.Status), Message: http.StatusText(public.Status), Status: public.Status}
		if errs.Is(err, errs.InvalidParam) || errs.Is(err, errs.BadRequest) {
			f = failure{
				Type: "validation_error", Message: "The request is not valid.", Status: http.StatusUnprocessableEntity,
				Details: public.Message,
			}
		}
		if f.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
		}
		return edge.JSON(w, f.Status, map[string]failure{"error": f})
	}
}

func failureType(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "authentication_error"
	case status == http.StatusForbidden:
		return "authorization_error"
	case status >= http.StatusInternalServerError:
		return "internal_server_error"
	}
	return "bad_request"
}

type setupStatus struct {
	Step    string  `json:"step"`
	SetupAt *string `json:"setup_at"`
}

func (a *api) setupStatus(w http.ResponseWriter, r *http.Request) error {
	at, err := a.Accounts.SetupAt(r.Context())
	if err != nil {
		return err
	}
	if at.IsZero() {
		return edge.OK(w, setupStatus{Step: "not_started"})
	}
	text := iso(at)
	return edge.OK(w, setupStatus{Step: "finished", SetupAt: &text})
}

// iso writes a time without a zone; microseconds appear when there are some.
func iso(t time.Time) string {
	if t = t.UTC(); t.Nanosecond()/1000 == 0 {
		return t.Format("2006-01-02T15:04:05")
	}
	return t.Format("2006-01-02T15:04:05.000000")
}

type setupBody struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	Password string `json:"password"`
	Language string `json:"language"`
}

// Validate reports missing and unfit fields.
func (b *setupBody) Validate() error {
	var p edge.Problems
	checkEmail(&p, b.Email)
	p.Length("name", b.Name, 1, 30)
	if err := account.CheckPassword(b.Password); err != nil {
		p.Add("password", errs.Public(err).Message)
	}
	return p.Err()
}

func checkEmail(p *edge.Problems, email string) {
	if at, err := mail.ParseAddress(email); err != nil || at.Address != email {
		p.Add("email", "should be an email address")
	}
}

func (a *api) setup(w http.ResponseWriter, r *http.Request) error {
	var b setupBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	at, err := a.Accounts.SetupAt(r.Context())
	switch {
	case err != nil:
		return err
	case !at.IsZero():
		return errs.New(errs.AlreadySetup, "")
	case a.Accounts.NeedsInitPassword() && !a.proven(r):
		return errs.New(errs.NotInitValidated, "")
	}
	if _, err := a.Accounts.Setup(r.Context(), account.SetupInput{
		Email: b.Email, Name: b.Name, Password: b.Password, Language: language(b.Language), IP: edge.ClientIP(r),
	}); err != nil {
		return err
	}
	return edge.Success(w, http.StatusCreated)
}

// language returns an interface language, "" for those that there are not.
func language(name string) string {
	if _, ok := account.Languages()[name]; ok {
		return name
	}
	return ""
}

func (a *api) initStatus(w http.ResponseWriter, r *http.Request) error {
	status := "finished"
	if a.Accounts.NeedsInitPassword() && !a.proven(r) {
		at, err := a.Accounts.SetupAt(r.Context())
		if err != nil {
			return err
		}
		if at.IsZero() {
			status = "not_started"
		}
	}
	return edge.OK(w, map[string]string{"status": status})
}

type initBody struct {
	Password string `json:"password"`
}

// Validate reports missing and unfit fields.
func (b *initBody) Validate() error {
	var p edge.Problems
	p.Length("password", b.Password, 1, 30)
	return p.Err()
}

func (a *api) init(w http.ResponseWriter, r *http.Request) error {
	var b initBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	at, err := a.Accounts.SetupAt(r.Context())
	if err != nil {
		return err
	}
	if !at.IsZero() {
		return errs.New(errs.AlreadySetup, "")
	}
	if a.Accounts.NeedsInitPassword() {
		if err := a.Accounts.CheckInitPassword(b.Password); err != nil {
			return err
		}
		proof, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
			Subject: proofSubject, ExpiresAt: jwt.NewNumericDate(a.Clock.Now().Add(proofLife)),
		}).SignedString([]byte(a.SecretKey))
		if err != nil {
			return err
		}
		http.SetCookie(w, a.Auth.NewCookie(proofCookie, proof, proofLife))
	}
	return edge.Success(w, http.StatusCreated)
}

// proven reports whether the caller has given the setup's password before.
func (a *api) proven(r *http.Request) bool {
	_, err := jwt.ParseWithClaims(a.Auth.Cookie(r, proofCookie), &jwt.RegisteredClaims{},
		func(*jwt.Token) (any, error) { return []byte(a.SecretKey), nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(),
		jwt.WithSubject(proofSubject), jwt.WithTimeFunc(a.Clock.Now))
	return err == nil
}

func ping(w http.ResponseWriter, _ *http.Request) error {
	return edge.OK(w, map[string]string{"result": "pong"})
}

type versionAnswer struct {
	Version       string          `json:"version"`
	ReleaseDate   string          `json:"release_date"`
	ReleaseNotes  string          `json:"release_notes"`
	CanAutoUpdate bool            `json:"can_auto_update"`
	Features      versionFeatures `json:"features"`
}

type versionFeatures struct {
	CanReplaceLogo            bool `json:"can_replace_logo"`
	ModelLoadBalancingEnabled bool `json:"model_load_balancing_enabled"`
}

// version tells consoles which release of the contract they speak to. Nobody is
// asked for newer ones.
func version(w http.ResponseWriter, r *http.Request) error {
	q := edge.NewQuery(r)
	q.Require("current_version", q.Has("current_version"))
	if err := q.Err(); err != nil {
		return err
	}
	return edge.OK(w, versionAnswer{Version: account.ContractRelease})
}
