package dsl

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is the version of app documents that Dump's callers write.
const Version = "0.7.0"

// Status is the outcome of an import.
type Status string

// The outcomes.
const (
	Completed    Status = "completed"
	WithWarnings Status = "completed-with-warnings"
	Pending      Status = "pending"
	Failed       Status = "failed"
)

// Compare says what may be done with a document of another version: newer ones
// and those of another major version wait for a confirmation, older ones are
// taken with a warning.
func Compare(imported string) Status {
	have, err := parseVersion(imported)
	if err != nil {
		return Failed
	}
	current, _ := parseVersion(Version)
	switch {
	case have.after(current), have[0] < current[0]:
		return Pending
	case have[1] < current[1]:
		return WithWarnings
	}
	return Completed
}

type version [3]int

func (v version) after(w version) bool {
	for i := range v {
		if v[i] != w[i] {
			return v[i] > w[i]
		}
	}
	return false
}

func parseVersion(s string) (v version, err error) {
	core, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(s), "v"), "+")
	core, _, _ = strings.Cut(core, "-")
	parts := strings.Split(core, ".")
	if len(parts) > len(v) {
		return v, fmt.Errorf("%q is no version", s)
	}
	for i, p := range parts {
		if v[i], err = strconv.Atoi(p); err != nil || v[i] < 0 {
			return v, fmt.Errorf("%q is no version", s)
		}
	}
	return v, nil
}
