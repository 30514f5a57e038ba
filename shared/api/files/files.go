// Package files is the HTTP edge of stored files: the /files routes with their
// signed URLs, and what the other APIs need to take an upload and to send a
// file.
//
// It decides nothing about who may do what: that is package file. START HERE:
// Routes, ParseUpload, Send.
package files

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
)

// overhead is what a multipart body may have beyond its file.
const overhead = 1 << 20

// MaxBody is the body limit that a router with upload routes needs.
func MaxBody(s *file.Service) int64 { return s.MaxUpload() + overhead }

// Routes returns the table of the files function.
func Routes(s *file.Service) []edge.Route {
	return []edge.Route{
		{Method: http.MethodGet, Path: "/files/{file_id}/file-preview", Handler: preview(s, false)},
		{Method: http.MethodGet, Path: "/files/{file_id}/image-preview", Handler: preview(s, true)},
		{Method: http.MethodGet, Path: "/files/tools/{file_id}.{extension}", Handler: tool(s)},
	}
}

// signature reads the signed part of a query.
func signature(q *edge.Query) (file.Signature, error) {
	for _, name := range []string{"timestamp", "nonce", "sign"} {
		q.Require(name, q.Has(name))
	}
	return file.Signature{Timestamp: q.Text("timestamp"), Nonce: q.Text("nonce"), Sign: q.Text("sign")}, q.Err()
}

func preview(s *file.Service, image bool) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		q := edge.NewQuery(r)
		attachment := !image && q.Bool("as_attachment", false)
		sig, err := signature(q)
		if err != nil {
			return err
		}
		content, err := s.Signed(r.Context(), r.PathValue("file_id"), sig, image)
		if err != nil {
			return err
		}
		Send(w, r, content, attachment)
		return nil
	}
}

func tool(s *file.Service) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		q := edge.NewQuery(r)
		attachment := q.Bool("as_attachment", false)
		sig, err := signature(q)
		if err != nil {
			return err
		}
		content, err := s.SignedTool(r.Context(), r.PathValue("file_id"), sig)
		if err != nil {
			return err
		}
		Send(w, r, content, attachment)
		return nil
	}
}

// Send answers with a file and closes it. Types that a browser would run are
// sent as attachments whatever was asked: they come from strangers.
func Send(w http.ResponseWriter, r *http.Request, c *file.Content, attachment bool) {
	defer c.Close()
	kind := c.MimeType
	if kind == "" {
		kind = "application/octet-stream"
	}
	attachment = attachment || active(kind)
	h := w.Header()
	if attachment {
		kind = "application/octet-stream"
		h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+strings.ReplaceAll(url.PathEscape(c.Name), "'", "%27"))
	}
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox")
	http.ServeContent(w, r, "", c.ModTime, c)
}

// active reports types whose content a browser would execute.
func active(kind string) bool {
	media, _, _ := strings.Cut(strings.ToLower(kind), ";")
	switch strings.TrimSpace(media) {
	case "text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml",
		"text/javascript", "application/javascript":
		return true
	}
	return false
}

// Incoming is an upload as it was sent.
type Incoming struct {
	Name     string
	MimeType string
	// Content ends one byte after the largest size there is, if it is longer.
	Content io.Reader
	// Form are the other fields.
	Form url.Values
}

// maxField bounds each text field of an upload.
const maxField = 64 << 10

// ParseUpload reads a multipart body with one field "file". Codes:
// no_file_uploaded, too_many_files, filename_not_exists, unsupported_file_type,
// file_too_large.
func ParseUpload(r *http.Request, s *file.Service) (*Incoming, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		return nil, errs.New(errs.NoFileUploaded, "")
	}
	reader, err := r.MultipartReader()
	if err != nil {
		return nil, errs.New(errs.NoFileUploaded, "")
	}
	in := &Incoming{Form: url.Values{}}
	var found, files int
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, readError(err)
		}
		if !isFile(part) {
			text, err := io.ReadAll(io.LimitReader(part, maxField))
			if err != nil {
				return nil, readError(err)
			}
			in.Form.Add(part.FormName(), string(text))
			continue
		}
		files++
		if part.FormName() != "file" || found > 0 {
			continue
		}
		found++
		if err := in.take(part, s.MaxUpload()); err != nil {
			return nil, err
		}
	}
	switch {
	case found == 0:
		return nil, errs.New(errs.NoFileUploaded, "")
	case files > 1:
		return nil, errs.New(errs.TooManyFiles, "")
	case in.Name == "":
		return nil, errs.New(errs.FilenameNotExists, "")
	case in.MimeType == "":
		return nil, errs.New(errs.UnsupportedFileType, "")
	}
	return in, nil
}

// isFile reports whether a part names a file, even with an empty name.
func isFile(part *multipart.Part) bool {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	_, named := params["filename"]
	return err == nil && named
}

// take keeps the file and reads on to its end, so that the client gets its
// answer instead of a broken connection.
func (in *Incoming) take(part *multipart.Part, limit int64) error {
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(part, limit+1)); err != nil {
		return readError(err)
	}
	if _, err := io.Copy(io.Discard, part); err != nil {
		return readError(err)
	}
	in.Name, in.Content = part.FileName(), &b
	in.MimeType, _, _ = strings.Cut(part.Header.Get("Content-Type"), ";")
	in.MimeType = strings.TrimSpace(in.MimeType)
	return nil
}

func readError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return errs.New(errs.FileTooLarge, "")
	}
	return errs.Wrap(errs.BadRequest, err, "The upload could not be read.")
}
