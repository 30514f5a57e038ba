package document_test

import ("testing";"os";"fmt";"time";"context";"path/filepath"
"github.com/millrace/millrace/shared/document")

func TestProbe(t *testing.T) {
	fs, _ := filepath.Glob("/tmp/h-doc/s/*")
	for _, n := range fs {
		f, err := document.FormatOf(filepath.Ext(n), "")
		if err != nil { continue }
		if f == document.Plain { continue }
		b, _ := os.ReadFile(n)
		s := time.Now()
		p, err := document.Text(context.Background(), f, b, 64<<20)
		if err != nil { p = err.Error() }
		fmt.Println("=====", n, time.Since(s))
		if len(p) > 700 { p = p[:700] }
		fmt.Printf("%q\n", p)
	}
	b, _ := os.ReadFile("/tmp/h-doc/s/sample.rtf")
	fmt.Println(document.Text(context.Background(), document.DOC, b, 64<<20))
}
