package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// FormFiles keeps what people attach to forms. *file.Service is one.
type FormFiles interface {
	For(c file.Caller) *file.Resolver
	Upload(ctx context.Context, r file.UploadRequest) (*file.Upload, error)
	Describe(u *file.Upload) file.Response
	Signer() *file.Signer
	MaxUpload() int64
}

// Counters count for a while. An ephemeral.Store is one.
type Counters interface {
	Increment(ctx context.Context, key string, ttl time.Duration) (int64, error)
}

// FormDeps is what the routes of forms are made of. All but Logger and the
// numbers are required.
type FormDeps struct {
	Forms    *humaninput.Service
	Apps     *app.Service
	Files    FormFiles
	Counters Counters
	// Attempts is how often one address may do each thing [30] in Window [60 s].
	Attempts int64
	Window   time.Duration
	Logger   *slog.Logger
}

type formAPI struct{ FormDeps }

// FormRoutes returns the routes by which people answer forms. A form's token is
// all that they ask for.
func FormRoutes(d FormDeps) []edge.Route {
	if d.Attempts <= 0 {
		d.Attempts = 30
	}
	if d.Window <= 0 {
		d.Window = time.Minute
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	a := &formAPI{d}
	return []edge.Route{
		{Method: "GET", Path: "/api/form/human_input/{form_token}", Handler: a.limited("access", a.form)},
		{Method: "POST", Path: "/api/form/human_input/{form_token}", Handler: a.limited("submit", a.submit)},
		{Method: "POST", Path: "/api/form/human_input/{form_token}/upload-token", Handler: a.limited("upload", a.uploadToken)},
		{Method: "POST", Path: "/api/human-input-forms/files", Handler: a.upload},
	}
}

// limited bounds what one address may do. Without counters nobody is refused.
func (a *formAPI) limited(what string, next edge.Handler) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		n, err := a.Counters.Increment(r.Context(), "web_form_"+what+"_rate_limit:"+edge.ClientIP(r), a.Window)
		if err != nil {
			a.Logger.WarnContext(r.Context(), "count form requests", "error", err)
		}
		if n > a.Attempts {
			return errs.New(errs.WebFormRateLimitExceeded, "")
		}
		return next(w, r)
	}
}

// open finds the form of the path and the page of its app, if people may still
// answer it.
func (a *formAPI) open(r *http.Request) (humaninput.Access, app.SiteAccess, error) {
	x, err := a.Forms.ByToken(r.Context(), r.PathValue("form_token"))
	if err == nil {
		err = a.Forms.Active(x.Form)
	}
	if err != nil {
		return x, app.SiteAccess{}, err
	}
	site, err := a.Apps.SiteOf(r.Context(), x.Form.TenantID, x.Form.AppID)
	if errs.Is(err, errs.NotFound) || err == nil && site.Archived() {
		err = errs.New(errs.Forbidden, "")
	}
	return x, site, err
}

// form shows a form and the page that it belongs to.
func (a *formAPI) form(w http.ResponseWriter, r *http.Request) error {
	x, site, err := a.open(r)
	if err != nil {
		return err
	}
	o := x.Form.View()
	o.Set("site", about(site, nil, a.Files.Signer()))
	return edge.OK(w, o)
}

// readAnswer reads the body of a submission.
func readAnswer(r *http.Request) (humaninput.Answer, error) {
	var body struct {
		Inputs *value.Object `json:"inputs"`
		Action *string       `json:"action"`
	}
	if err := edge.Decode(r, &body); err != nil {
		return humaninput.Answer{}, err
	}
	var p edge.Problems
	p.Require("inputs", body.Inputs != nil)
	p.Require("action", body.Action != nil)
	if err := p.Err(); err != nil {
		return humaninput.Answer{}, err
	}
	return humaninput.Answer{Action: *body.Action, Inputs: body.Inputs}, nil
}

// submit takes the answer of whoever has the token.
func (a *formAPI) submit(w http.ResponseWriter, r *http.Request) error {
	answer, err := readAnswer(r)
	if err != nil {
		return err
	}
	x, _, err := a.open(r)
	if err != nil {
		return err
	}
	answer.AccountID = x.Recipient.AccountID // who was asked by name
	workspace := file.Caller{TenantID: x.Form.TenantID, Role: file.RoleAccount}
	answer.Files = []inputs.Files{a.Forms.Uploaded(x.Form, a.Files.For(workspace))}
	if err := a.Forms.Submit(r.Context(), x, answer); err != nil {
		return err
	}
	return edge.OK(w, value.NewObject(0))
}

// uploadToken lets whoever has a form's token attach files to the form.
func (a *formAPI) uploadToken(w http.ResponseWriter, r *http.Request) error {
	x, _, err := a.open(r)
	if err != nil {
		return err
	}
	t, until, err := a.Forms.IssueUploadToken(r.Context(), x)
	if err != nil {
		return err
	}
	return edge.OK(w, value.Obj("upload_token", t.Token, "expires_at", until.Unix()))
}

// shownUpload reads the upload token of a request.
func shownUpload(r *http.Request) (string, error) {
	header := strings.TrimSpace(r.Header.Get("Authorization"))
	if header == "" {
		return "", &errs.Error{Code: errs.InvalidUploadToken, Message: "Upload token is required.", Status: http.StatusUnauthorized}
	}
	scheme, token, ok := strings.Cut(header, " ")
	if token = strings.TrimSpace(token); !ok || token == "" || !strings.EqualFold(scheme, "bearer") {
		return "", errs.New(errs.InvalidUploadToken, "")
	}
	return token, nil
}

// formMemory is how much of an upload is kept in memory; the rest goes to disk.
const formMemory = 8 << 20

// upload takes one file for a form.
func (a *formAPI) upload(w http.ResponseWriter, r *http.Request) error {
	token, err := shownUpload(r)
	if err != nil {
		return err
	}
	t, _, err := a.Forms.ByUploadToken(r.Context(), token)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, a.Files.MaxUpload()+1<<20)
	var tooLarge *http.MaxBytesError
	switch err := r.ParseMultipartForm(formMemory); {
	case errors.As(err, &tooLarge):
		return errs.New(errs.RequestEntityTooLarge, "")
	case err != nil && !errors.Is(err, http.ErrNotMultipart):
		return errs.Wrap(errs.BadRequest, err, "The form could not be read.")
	case r.MultipartForm == nil:
		return errs.New(errs.NoFileUploaded, "")
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }() // files of a dead temporary folder harm nobody
	heads := r.MultipartForm.File["file"]
	switch {
	case r.FormValue("url") != "":
		return errs.New(errs.NotImplemented, "")
	case len(heads) == 0:
		return errs.New(errs.NoFileUploaded, "")
	case len(heads) > 1 || len(r.MultipartForm.File) > 1:
		return errs.New(errs.TooManyFiles, "")
	}
	content, err := heads[0].Open()
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // it was only read
	u, err := a.Files.Upload(r.Context(), file.UploadRequest{
		Caller: file.Caller{TenantID: t.TenantID, UserID: t.RecipientID, Role: file.RoleEndUser},
		Name:   heads[0].Filename, MimeType: heads[0].Header.Get("Content-Type"), Content: content,
	})
	if err != nil {
		return err
	}
	if err := a.Forms.AddUpload(r.Context(), t, u.ID); err != nil {
		return err
	}
	return edge.JSON(w, http.StatusCreated, a.Files.Describe(u))
}
