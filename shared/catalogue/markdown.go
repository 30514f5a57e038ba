package catalogue

import (
	"fmt"
	"strings"
)

// Markdown renders the table for docs/functions.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Functions\n\n")
	b.WriteString("Derived from `shared/catalogue`; `go test ./shared/catalogue -update` writes it.\n\n")
	b.WriteString("| function | started by | time limit | memory | uses | what it does |\n|---|---|---|---|---|---|\n")
	for _, f := range Functions() {
		fmt.Fprintf(&b, "| [%s](../functions/%s/main.go) | %s | %s | %d MB | %s | %s |\n",
			f.Name, f.Name, trigger(f), f.Timeout, f.MemoryMB, uses(f), f.Summary)
	}
	b.WriteString("\n## Routes\n\nThe most specific route wins.\n\n| method | path | function |\n|---|---|---|\n")
	for _, f := range Functions() {
		for _, r := range f.Routes {
			method := r.Method
			if method == "" {
				method = "any"
			}
			fmt.Fprintf(&b, "| %s | `%s` | %s |\n", method, r.Path, f.Name)
		}
	}
	return b.String()
}

func trigger(f Function) string {
	switch f.Kind {
	case HTTP:
		if f.Streaming {
			return "HTTP, streaming"
		}
		return "HTTP"
	case Queue:
		return "queues " + strings.Join(f.Queues, ", ")
	case Schedule:
		return fmt.Sprintf("schedule, every %s", f.Every)
	case Direct:
		return "direct call"
	default:
		return "an operator, once"
	}
}

func uses(f Function) string {
	if len(f.Uses) == 0 {
		return "nothing"
	}
	names := make([]string, len(f.Uses))
	for i, r := range f.Uses {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}
