// Command files serves files by signed URL. What it serves is in shared/catalogue, how it
// is built in shared/assemble.
package main

import (
	"github.com/millrace/millrace/shared/assemble"
)

func main() {
	assemble.Main("files", assemble.Files)
}
