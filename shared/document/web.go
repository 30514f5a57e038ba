package document

import (
	"context"
	"encoding/xml"
	"io"
	"net/url"
	"path"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// readEPUB joins the chapters in reading order.
func readEPUB(ctx context.Context, data []byte, most int64) (string, error) {
	a, err := openArchive(ctx, data, most)
	if err != nil {
		return "", err
	}
	root := ""
	if err := a.each("META-INF/container.xml", func(e xml.StartElement) {
		if e.Name.Local == "rootfile" && root == "" {
			root = attr(e, "full-path")
		}
	}); err != nil {
		return "", err
	}
	items := map[string]string{}
	var chapters []string
	if err := a.each(root, func(e xml.StartElement) {
		switch e.Name.Local {
		case "item":
			if href, err := url.PathUnescape(attr(e, "href")); err == nil {
				items[attr(e, "id")] = path.Join(path.Dir(root), href)
			}
		case "itemref":
			chapters = append(chapters, attr(e, "idref"))
		}
	}); err != nil {
		return "", err
	}
	var out []string
	for _, id := range chapters {
		if !a.has(items[id]) {
			continue
		}
		rc, err := a.open(items[id])
		if err != nil {
			return "", err
		}
		raw, err := io.ReadAll(rc)
		_ = rc.Close()
		if err != nil {
			return "", err
		}
		if text := htmlText(decode(raw)); text != "" {
			out = append(out, text)
		}
	}
	return strings.Join(out, "\n"), nil
}

// htmlText returns the text of a page, one line for each block.
func htmlText(page string) string {
	z := html.NewTokenizer(strings.NewReader(page))
	var lines []string
	var b strings.Builder
	flush := func() {
		if line := strings.Join(strings.Fields(b.String()), " "); line != "" {
			lines = append(lines, line)
		}
		b.Reset()
	}
	hidden := atom.Atom(0)
	for {
		switch z.Next() {
		case html.ErrorToken: // the end; there is no other error on a string
			flush()
			return strings.Join(lines, "\n")
		case html.TextToken:
			if hidden == 0 {
				b.Write(z.Text())
			}
		case html.StartTagToken:
			switch tag := tagOf(z); {
			case hidden != 0:
			case isHidden(tag):
				hidden = tag
			case !isInline(tag):
				flush()
			}
		case html.SelfClosingTagToken:
			if hidden == 0 && !isInline(tagOf(z)) {
				flush()
			}
		case html.EndTagToken:
			switch tag := tagOf(z); {
			case tag == hidden:
				hidden = 0
			case hidden == 0 && !isInline(tag):
				flush()
			}
		}
	}
}

func tagOf(z *html.Tokenizer) atom.Atom {
	name, _ := z.TagName()
	return atom.Lookup(name)
}

func isHidden(tag atom.Atom) bool {
	switch tag {
	case atom.Script, atom.Style, atom.Head, atom.Template, atom.Noscript, atom.Svg:
		return true
	}
	return false
}

// isInline reports elements that do not end a line; unknown ones do not.
func isInline(tag atom.Atom) bool {
	switch tag {
	case 0, atom.A, atom.Abbr, atom.B, atom.Bdi, atom.Bdo, atom.Cite, atom.Code, atom.Data, atom.Del, atom.Dfn, atom.Em, atom.Font,
		atom.I, atom.Img, atom.Ins, atom.Kbd, atom.Mark, atom.Q, atom.Ruby, atom.Rt, atom.Rp, atom.S, atom.Samp, atom.Small,
		atom.Span, atom.Strong, atom.Sub, atom.Sup, atom.Time, atom.U, atom.Var, atom.Wbr:
		return true
	}
	return false
}
