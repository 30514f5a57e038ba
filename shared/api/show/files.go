package show

import (
	"regexp"
	"strings"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/workflow/value"
)

// files renders the files of a message, under new URLs.
func (r *Renderer) files(list []chat.MessageFile) []any {
	out := make([]any, 0, len(list))
	for _, f := range list {
		url, name := f.URL, f.Filename
		if f.UploadFileID != "" {
			url = r.Signer.Preview(f.UploadFileID)
		} else if m := reToolFile.FindStringSubmatch(url); m != nil {
			url = r.Signer.Tool(m[1], m[2])
		}
		if name == "" {
			name = nameOf(f.URL)
		}
		var size any
		if f.UploadFileID != "" {
			size = f.Size
		}
		out = append(out, value.Obj(
			"id", f.ID, "filename", name, "type", f.Type, "url", OrNull(url), "mime_type", OrNull(f.MimeType), "size", size,
			"transfer_method", f.TransferMethod, "belongs_to", OrNull(f.BelongsTo), "upload_file_id", OrNull(f.UploadFileID),
		))
	}
	return out
}

// nameOf is the last part of an address without its query.
func nameOf(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url[strings.LastIndexByte(url, '/')+1:]
}

// A signed link ends, as the contract reads answers, with the last closing
// bracket of its line. Text between two links of one line therefore counts as
// part of the first one's URL and disappears with it: clients see exactly that.
var (
	reSignedLink = regexp.MustCompile(`\[[^\n]*?\]\(((?:https?://[^\n]+)?/files/(?:tools/)?[\w-]+[^\n]*?timestamp=[^\n]*&nonce=[^\n]*&sign=[^\n]*)\)`)
	reToolFile   = regexp.MustCompile(`/files/tools/([\w-]+)(\.\w+)?\?timestamp=`)
	reUpload     = regexp.MustCompile(`/files/([\w-]+)/(file|image)-preview\?timestamp=`)
)

// resign gives the links of an answer new signatures: those in stored text are
// too old to work.
func (r *Renderer) resign(answer string) string {
	if !strings.Contains(answer, "sign=") {
		return answer
	}
	for _, m := range reSignedLink.FindAllStringSubmatch(answer, -1) {
		if fresh := r.freshURL(m[1]); fresh != "" {
			answer = strings.ReplaceAll(answer, m[1], fresh)
		}
	}
	return answer
}

func (r *Renderer) freshURL(url string) string {
	fresh := ""
	if m := reToolFile.FindStringSubmatch(url); m != nil {
		fresh = r.Signer.Tool(m[1], m[2])
	} else if m := reUpload.FindStringSubmatch(url); m != nil && m[2] == "image" {
		fresh = r.Signer.Image(m[1])
	} else if m != nil {
		fresh = r.Signer.Preview(m[1])
	}
	if fresh != "" && strings.Contains(url, "as_attachment") {
		fresh += "&as_attachment=true"
	}
	return fresh
}
