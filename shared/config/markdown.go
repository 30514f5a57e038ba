package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Markdown renders the list of settings for docs/settings.md. What each one
// means stands beside its field in config.go.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Settings\n\nDerived from `shared/config/config.go`, where each setting is explained; `go test ./shared/config -update` writes it.\n" +
		"A function needs `DATABASE_URL` (or `DB_HOST` and its relatives), `BLOB_URL` and `SECRET_KEY`; the local command brings its own. " +
		"`DATABASE_URL`, `REDIS_URL`, `SECRET_KEY` and `SMTP_PASSWORD` may be URLs of a secret store, for example `awssecretsmanager://name?region=…&decoder=string`.\n")
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		group := t.Field(i)
		rows := ""
		for j := range group.Type.NumField() {
			f := group.Type.Field(j)
			name := f.Tag.Get("env")
			if name == "" {
				continue
			}
			fallback := f.Tag.Get("envDefault")
			if fallback != "" {
				fallback = "`" + fallback + "`"
			}
			rows += fmt.Sprintf("| `%s` | %s | %s |\n", name, f.Type, fallback)
		}
		if rows != "" {
			fmt.Fprintf(&b, "\n## %s\n\n| setting | type | default |\n|---|---|---|\n%s", group.Name, rows)
		}
	}
	return b.String()
}
