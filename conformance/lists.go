package conformance

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Pending is a case that is not expected to pass yet.
type Pending struct{ Case, Reason string }

// ParsePending reads expected.tsv: a case and the reason in each line, a tab
// between them; lines with # are comments.
func ParsePending(text string) ([]Pending, error) {
	var out []Pending
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimRight(line, " \r"); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, "\t")
		if !ok || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("conformance: line %d: want a case, a tab and a reason", i+1)
		}
		if slices.ContainsFunc(out, func(p Pending) bool { return p.Case == name }) {
			return nil, fmt.Errorf("conformance: line %d: %s stands there twice", i+1, name)
		}
		out = append(out, Pending{Case: name, Reason: strings.TrimSpace(reason)})
	}
	return out, nil
}

// Difference is a behaviour in which Millrace differs on purpose.
type Difference struct {
	Where, What, Reason string
	// Shown are the places in recorded conversations where it shows.
	Shown []Place
	// Tests are tests that hold it where no recording shows it: a folder, a
	// blank and the name of the test.
	Tests []string
}

// Place is a path in the response of a step of a case.
type Place struct {
	Case, Step string
	// Path is a shell pattern over paths.
	Path string
}

// How places and tests are written in the table; compiled once, never changed.
var (
	rePlace = regexp.MustCompile("`([^`/]+) / ([^`]+) / ([^`]+)`")
	reTest  = regexp.MustCompile("`([a-z0-9/_]+ Test\\w+)`")
)

// ParseDifferences reads the table of differences.md. Its last column holds the
// places: `case / step / path`.
func ParseDifferences(text string) ([]Difference, error) {
	var out []Difference
	inTable := false
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") {
			inTable = false
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !inTable || strings.HasPrefix(cells[0], "---") {
			inTable = true
			continue
		}
		if len(cells) != 4 {
			return nil, fmt.Errorf("conformance: line %d: want four columns, got %d", i+1, len(cells))
		}
		d := Difference{Where: strings.TrimSpace(cells[0]), What: strings.TrimSpace(cells[1]), Reason: strings.TrimSpace(cells[2])}
		if d.Where == "" || d.What == "" || d.Reason == "" {
			return nil, fmt.Errorf("conformance: line %d: a difference needs a place, a description and a reason", i+1)
		}
		for _, m := range rePlace.FindAllStringSubmatch(cells[3], -1) {
			d.Shown = append(d.Shown, Place{Case: m[1], Step: m[2], Path: m[3]})
		}
		for _, m := range reTest.FindAllStringSubmatch(cells[3], -1) {
			d.Tests = append(d.Tests, m[1])
		}
		if len(d.Shown)+len(d.Tests) == 0 {
			return nil, fmt.Errorf("conformance: line %d: nothing holds the difference", i+1)
		}
		out = append(out, d)
	}
	return out, nil
}

// Verdict is what is left of a result when the differences on purpose are taken
// out.
type Verdict struct {
	// Failures are the differences from the recording that nothing excuses.
	Failures []Finding
	// Unlisted are those in steps that show a peculiarity of the recorded
	// server: they do not fail the case, but they belong into the list.
	Unlisted []Finding
	// Gone are listed places that do not differ any more.
	Gone []Place
}

// Judge takes the differences on purpose out of a case's result.
func Judge(name string, r Result, differences []Difference) Verdict {
	var v Verdict
	places := map[Place]bool{} // true when it was seen
	for _, d := range differences {
		for _, p := range d.Shown {
			if p.Case == name {
				places[p] = false
			}
		}
	}
	listed := func(f Finding) bool {
		found := false
		for p := range places {
			if f.Step > 0 && p.Step == f.Name && globPattern(p.Path).MatchString(f.Path) {
				places[p], found = true, true
			}
		}
		return found
	}
	brokeOff := false
	for _, f := range r.Failures {
		brokeOff = brokeOff || f.Step == 0
		if !listed(f) {
			v.Failures = append(v.Failures, f)
		}
	}
	for _, f := range r.Quirks {
		if !listed(f) {
			v.Unlisted = append(v.Unlisted, f)
		}
	}
	for p, seen := range places {
		if !seen && !brokeOff {
			v.Gone = append(v.Gone, p)
		}
	}
	return v
}

// Select returns the cases whose names match one of the patterns, separated by
// commas; all when there is none.
func Select(cases []*Case, patterns string) ([]*Case, error) {
	if patterns == "" {
		return cases, nil
	}
	var out []*Case
	for _, c := range cases {
		for _, p := range strings.Split(patterns, ",") {
			ok, err := path.Match(strings.TrimSpace(p), c.Name)
			if err != nil {
				return nil, fmt.Errorf("conformance: %q: %w", p, err)
			}
			if ok {
				out = append(out, c)
				break
			}
		}
	}
	return out, nil
}
