// Command code-python runs untrusted Python. What it serves is in shared/catalogue, how it
// is built in shared/assemble/codefn.
package main

import (
	"github.com/millrace/millrace/shared/assemble/codefn"
	"github.com/millrace/millrace/shared/assemble/process"
	"github.com/millrace/millrace/shared/sandbox/jail"
)

func main() {
	jail.MaybeChild() // a jailed child is this same program
	process.Main("code-python", codefn.Python)
}
