package document

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// errTooLarge is returned for documents that unpack to more than they may.
var errTooLarge = errors.New("the document is too large")

// archive is a zip file that gives out a bounded amount of data: a small
// archive can hold a huge one.
type archive struct {
	ctx   context.Context //nolint:containedctx // of the one reading this document is opened for
	files map[string]*zip.File
	left  int64
}

func openArchive(ctx context.Context, data []byte, most int64) (*archive, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, errors.New("the file is damaged or of another type than its name says")
	}
	a := &archive{ctx: ctx, files: make(map[string]*zip.File, len(z.File)), left: most}
	for _, f := range z.File {
		a.files[strings.TrimPrefix(f.Name, "/")] = f
	}
	return a, nil
}

func (a *archive) has(name string) bool { return a.files[name] != nil }

// open returns the content of a file inside.
func (a *archive) open(name string) (io.ReadCloser, error) {
	f := a.files[name]
	if f == nil {
		return nil, fmt.Errorf("the file has no part %s", name)
	}
	rc, err := f.Open()
	if err != nil {
		return nil, err
	}
	return &bounded{rc, a}, nil
}

type bounded struct {
	io.ReadCloser
	a *archive
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.a.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if b.a.left -= int64(n); b.a.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// each calls visit for every start tag of a part.
func (a *archive) each(name string, visit func(e xml.StartElement)) error {
	return a.decode(name, func(d *xml.Decoder) error {
		for {
			t, err := d.Token()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if e, ok := t.(xml.StartElement); ok {
				visit(e)
			}
		}
	})
}

func (a *archive) decode(name string, fn func(d *xml.Decoder) error) error {
	rc, err := a.open(name)
	if err != nil {
		return err
	}
	defer rc.Close()
	d := xml.NewDecoder(rc)
	d.Strict = false
	d.Entity = xml.HTMLEntity
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		raw, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		text, ok := decodeAs(raw, charset)
		if !ok {
			return nil, fmt.Errorf("unknown encoding %s", charset)
		}
		return strings.NewReader(text), nil
	}
	return fn(d)
}

// relations returns what the relation ids of an Office part stand for, as names
// inside the archive.
func (a *archive) relations(part string) (map[string]string, error) {
	dir, base := path.Split(part)
	name := dir + "_rels/" + base + ".rels"
	out := map[string]string{}
	if !a.has(name) {
		return out, nil
	}
	return out, a.each(name, func(e xml.StartElement) {
		if e.Name.Local == "Relationship" && attr(e, "TargetMode") != "External" {
			target := attr(e, "Target")
			if abs, ok := strings.CutPrefix(target, "/"); ok {
				out[attr(e, "Id")] = abs
			} else {
				out[attr(e, "Id")] = path.Join(dir, target)
			}
		}
	})
}

// attr returns an attribute by its local name, "" when it is absent.
func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// relation returns the attribute that holds a relation's id, which has a
// namespace where a plain id has none.
func relation(e xml.StartElement) string {
	for _, a := range e.Attr {
		if a.Name.Local == "id" && a.Name.Space != "" {
			return a.Value
		}
	}
	return ""
}
