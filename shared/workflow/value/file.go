package value

// FileMarker is the value of the key dify_model_identity by which the contract
// marks objects that stand for files.
const FileMarker = "__dify__file__"

// File is a file in a variable. Field values are the contract's.
type File struct {
	ID             string // id of this use of the file; "" shows as null
	Type           string // image, document, audio, video or custom
	TransferMethod string // remote_url, local_file, tool_file or datasource_file
	RemoteURL      string // "" shows as null
	Reference      string // opaque; "" shows as null
	Filename       string
	Extension      string // with the dot
	MimeType       string
	Size           int64  // bytes; -1 when it is not known
	RelatedID      string // id of the stored record; "" shows as null
	URL            string // signed, made when the value is shown; "" shows as null
}

// Object returns the contract's JSON form of the file.
func (f *File) Object() *Object {
	remote := orNil(f.RemoteURL)
	if f.TransferMethod == "local_file" {
		remote = f.RemoteURL // the contract shows "" for uploads and null for the rest
	}
	return Obj(
		"dify_model_identity", FileMarker,
		"id", orNil(f.ID),
		"type", f.Type,
		"transfer_method", f.TransferMethod,
		"remote_url", remote,
		"reference", orNil(f.Reference),
		"filename", orNil(f.Filename),
		"extension", orNil(f.Extension),
		"mime_type", orNil(f.MimeType),
		"size", f.Size,
		"related_id", orNil(f.RelatedID),
		"url", orNil(f.URL),
	)
}

// MarshalJSON writes the contract's form.
func (f *File) MarshalJSON() ([]byte, error) { return f.Object().MarshalJSON() }

// FileFrom reads the contract's JSON form; ok is false when o does not carry
// the file marker.
func FileFrom(o *Object) (f *File, ok bool) {
	if o.String("dify_model_identity") != FileMarker {
		return nil, false
	}
	size, _ := o.Value("size").(int64)
	return &File{
		ID: o.String("id"), Type: o.String("type"), TransferMethod: o.String("transfer_method"),
		RemoteURL: o.String("remote_url"), Reference: o.String("reference"), Filename: o.String("filename"),
		Extension: o.String("extension"), MimeType: o.String("mime_type"), Size: size,
		RelatedID: o.String("related_id"), URL: o.String("url"),
	}, true
}

// Attribute returns the attribute that a selector may name after a file.
func (f *File) Attribute(name string) (any, bool) {
	switch name {
	case "type":
		return f.Type, true
	case "size":
		return f.Size, true
	case "name":
		return f.Filename, true
	case "mime_type":
		return f.MimeType, true
	case "transfer_method":
		return f.TransferMethod, true
	case "url":
		return f.URL, true
	case "extension":
		return f.Extension, true
	case "related_id":
		return orNil(f.RelatedID), true
	}
	return nil, false
}

// Revive turns objects that carry the file marker back into files, deeply. It
// is applied to values read from the journal.
func Revive(v any) any {
	switch v := v.(type) {
	case *Object:
		if f, ok := FileFrom(v); ok {
			return f
		}
		for k, x := range v.All() {
			v.Set(k, Revive(x))
		}
	case []any:
		for i, x := range v {
			v[i] = Revive(x)
		}
	}
	return v
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
