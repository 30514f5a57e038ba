package service

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
)

// formMemory is how much of a form is kept in memory; the rest goes to disk.
const formMemory = 8 << 20

// parseForm reads a form. Requests without one have an empty one, so that the
// route itself says what is missing.
func (a *api) parseForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, a.Files.MaxUpload()+1<<20)
	err := r.ParseMultipartForm(formMemory)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil, errors.Is(err, http.ErrNotMultipart):
		return nil
	case errors.As(err, &tooLarge):
		return errs.New(errs.RequestEntityTooLarge, "")
	}
	return errs.Wrap(errs.BadRequest, err, "The form could not be read.")
}

// upload takes one file.
func (a *api) upload(w http.ResponseWriter, r *http.Request, c *caller) error {
	form := r.MultipartForm
	if form == nil {
		return errs.New(errs.NoFileUploaded, "")
	}
	defer func() { _ = form.RemoveAll() }() // files of a dead temporary folder harm nobody
	heads := form.File["file"]
	switch {
	case len(heads) == 0:
		return errs.New(errs.NoFileUploaded, "")
	case len(form.File) > 1:
		return errs.New(errs.TooManyFiles, "")
	}
	head := heads[0]
	content, err := head.Open()
	if err != nil {
		return errs.Wrap(errs.Internal, err, "")
	}
	defer content.Close() //nolint:errcheck // it was only read
	mimeType := head.Header.Get("Content-Type")
	if mimeType == "" {
		return errs.New(errs.UnsupportedFileType, "")
	}
	u, err := a.Files.Upload(r.Context(), file.UploadRequest{
		Caller: file.Caller{TenantID: c.app.TenantID, UserID: c.user.ID, Role: file.RoleEndUser},
		Name:   head.Filename, MimeType: mimeType, Content: content,
	})
	if errs.Is(err, errs.FileTooLarge) {
		// The contract's message is empty here.
		return edge.JSON(w, http.StatusRequestEntityTooLarge, errs.Body{Code: string(errs.FileTooLarge), Status: http.StatusRequestEntityTooLarge})
	}
	if err != nil {
		return err
	}
	return edge.JSON(w, http.StatusCreated, a.Files.Describe(u))
}

// preview sends a file that a message of the app shows.
func (a *api) preview(w http.ResponseWriter, r *http.Request, c *caller) error {
	q := edge.NewQuery(r)
	attached := q.Bool("as_attachment", false)
	if err := q.Err(); err != nil {
		return err
	}
	f, err := a.Files.Preview(r.Context(), c.app.TenantID, c.app.ID, r.PathValue("file_id"))
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	h := w.Header()
	h.Set("Content-Type", contentType(f.MimeType))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=3600")
	if f.Size > 0 {
		h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	}
	if attached || unsafeInline(f.MimeType) {
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(f.Name))
	}
	w.WriteHeader(http.StatusOK)
	_, _ = io.Copy(w, f) // the client is gone: nobody to tell
	return nil
}

func contentType(mimeType string) string {
	if mimeType == "" {
		return "application/octet-stream"
	}
	if strings.HasPrefix(mimeType, "text/") && !strings.Contains(mimeType, "charset") {
		return mimeType + "; charset=utf-8"
	}
	return mimeType
}

// unsafeInline reports types that a browser would run in the name of this host.
func unsafeInline(mimeType string) bool {
	media, _, err := mime.ParseMediaType(mimeType)
	if err != nil {
		return true
	}
	switch media {
	case "text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml", "application/javascript", "text/javascript":
		return true
	}
	return false
}
