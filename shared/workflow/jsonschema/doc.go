// Package jsonschema checks JSON values against schemas of draft 7, which the
// forms of apps carry for their json_object fields. It says what is wrong in the
// words of the contract's validator, and of several errors it names the one
// that validator names.
//
// It is not a general validator: formats are not asserted (the contract does not
// either), and references stay inside the schema, because a form may not read
// files or call anybody. It exists because libraries for this prepare every
// draft's own schema when a process starts, which is a third of a function's
// cold start. START HERE: [Compile], then keywords.go; best.go picks the error.
package jsonschema
