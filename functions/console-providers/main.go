// Command console-providers serves model providers. What it serves is in shared/catalogue, how it
// is built in shared/assemble.
package main

import (
	"github.com/millrace/millrace/shared/assemble"
	_ "github.com/millrace/millrace/shared/assemble/drivers/blobs"
	_ "github.com/millrace/millrace/shared/assemble/drivers/secrets"
)

func main() {
	assemble.Main("console-providers", assemble.ConsoleProviders)
}
