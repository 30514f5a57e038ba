// Command console-apps serves apps and the rest of the console API. What it serves is in shared/catalogue, how it
// is built in shared/assemble.
package main

import (
	"github.com/millrace/millrace/shared/assemble"
	_ "github.com/millrace/millrace/shared/assemble/drivers/blobs"
	_ "github.com/millrace/millrace/shared/assemble/drivers/secrets"
)

func main() {
	assemble.Main("console-apps", assemble.ConsoleApps)
}
