// Command console-workflows serves drafts, publishing and versions, and runs drafts. What it serves is in shared/catalogue, how it
// is built in shared/assemble.
package main

import (
	"github.com/millrace/millrace/shared/assemble"
	_ "github.com/millrace/millrace/shared/assemble/drivers/blobs"
	"github.com/millrace/millrace/shared/assemble/drivers/calls"
	_ "github.com/millrace/millrace/shared/assemble/drivers/queues"
	_ "github.com/millrace/millrace/shared/assemble/drivers/secrets"
	"github.com/millrace/millrace/shared/sandbox/jail"
)

func main() {
	jail.MaybeChild() // a jailed child is this same program
	assemble.Main("console-workflows", assemble.ConsoleWorkflows, assemble.CallFunctions(calls.Open))
}
