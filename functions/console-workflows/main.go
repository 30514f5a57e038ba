// Command console-workflows serves drafts, publishing, versions and forms. What it serves is in shared/catalogue, how it
// is built in shared/assemble.
package main

import (
	"github.com/millrace/millrace/shared/assemble"
	_ "github.com/millrace/millrace/shared/assemble/drivers/blobs"
	_ "github.com/millrace/millrace/shared/assemble/drivers/queues"
	_ "github.com/millrace/millrace/shared/assemble/drivers/secrets"
)

func main() {
	assemble.Main("console-workflows", assemble.ConsoleWorkflows)
}
