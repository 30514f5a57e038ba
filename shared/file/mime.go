package file

import (
	"path"
	"slices"
	"strings"
)

// The types of files.
const (
	TypeImage    = "image"
	TypeDocument = "document"
	TypeAudio    = "audio"
	TypeVideo    = "video"
	TypeCustom   = "custom"
)

// extensions lists the endings of each type; it is never written to.
var extensions = map[string][]string{
	TypeImage: {"jpg", "jpeg", "png", "webp", "gif", "svg"},
	TypeVideo: {"mp4", "mov", "mpeg", "webm"},
	TypeAudio: {"mp3", "m4a", "wav", "amr", "mpga"},
	TypeDocument: {
		"txt", "markdown", "md", "mdx", "pdf", "html", "htm", "xlsx", "xls", "vtt", "properties", "doc", "docx", "csv",
		"eml", "msg", "ppt", "pptx", "xml", "epub", "odt",
	},
}

// mimeTypes maps endings to media types, the preferred ending of a type first;
// it is never written to. The system's tables differ from machine to machine.
var mimeTypes = [][2]string{
	{"txt", "text/plain"},
	{"md", "text/markdown"},
	{"markdown", "text/markdown"},
	{"mdx", "text/markdown"},
	{"html", "text/html"},
	{"htm", "text/html"},
	{"csv", "text/csv"},
	{"vtt", "text/vtt"},
	{"css", "text/css"},
	{"js", "text/javascript"},
	{"xml", "application/xml"},
	{"xml", "text/xml"},
	{"json", "application/json"},
	{"yaml", "application/yaml"},
	{"yml", "application/yaml"},
	{"pdf", "application/pdf"},
	{"doc", "application/msword"},
	{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{"xls", "application/vnd.ms-excel"},
	{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{"ppt", "application/vnd.ms-powerpoint"},
	{"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
	{"odt", "application/vnd.oasis.opendocument.text"},
	{"epub", "application/epub+zip"},
	{"eml", "message/rfc822"},
	{"msg", "application/vnd.ms-outlook"},
	{"zip", "application/zip"},
	{"gz", "application/gzip"},
	{"tar", "application/x-tar"},
	{"png", "image/png"},
	{"jpg", "image/jpeg"},
	{"jpeg", "image/jpeg"},
	{"gif", "image/gif"},
	{"webp", "image/webp"},
	{"svg", "image/svg+xml"},
	{"bmp", "image/bmp"},
	{"tiff", "image/tiff"},
	{"ico", "image/vnd.microsoft.icon"},
	{"mp3", "audio/mpeg"},
	{"mpga", "audio/mpeg"},
	{"m4a", "audio/mp4"},
	{"wav", "audio/wav"},
	{"wav", "audio/x-wav"},
	{"amr", "audio/amr"},
	{"ogg", "audio/ogg"},
	{"flac", "audio/flac"},
	{"mp4", "video/mp4"},
	{"mov", "video/quicktime"},
	{"mpeg", "video/mpeg"},
	{"webm", "video/webm"},
	{"bin", "application/octet-stream"},
}

// ExtensionOf returns the ending of a name, lower case and without the dot.
func ExtensionOf(name string) string {
	ext := path.Ext(name)
	if ext == name { // a dot file has no ending
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(ext, "."))
}

// MIMEByName returns the media type of a name, "" when it is not known.
func MIMEByName(name string) string {
	ext := ExtensionOf(name)
	for _, m := range mimeTypes {
		if m[0] == ext {
			return m[1]
		}
	}
	return ""
}

// ExtensionByMIME returns the ending that goes with a media type, "" when none
// is known.
func ExtensionByMIME(mimeType string) string {
	for _, m := range mimeTypes {
		if m[1] == mimeType {
			return m[0]
		}
	}
	return ""
}

// TypeOf says what a file is: by its ending, else by its media type.
func TypeOf(extension, mimeType string) string {
	ext := strings.ToLower(strings.TrimPrefix(extension, "."))
	for _, t := range []string{TypeImage, TypeVideo, TypeAudio, TypeDocument} {
		if slices.Contains(extensions[t], ext) {
			return t
		}
	}
	switch main, _, _ := strings.Cut(mimeType, "/"); main {
	case TypeImage, TypeVideo, TypeAudio:
		return main
	}
	return TypeCustom
}

// Extensions returns the endings of a type.
func Extensions(fileType string) []string { return slices.Clone(extensions[fileType]) }
