package webtool

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"
)

// page is what a reader sees of a web page.
type page struct{ title, text string }

// read takes title and text out of HTML. What is around the article (menus,
// forms, scripts) is left out; a page that marks its main part has only that.
func read(data []byte, contentType string) (page, error) {
	utf8, err := charset.NewReader(bytes.NewReader(data), contentType)
	if err != nil {
		return page{}, err
	}
	root, err := html.Parse(utf8)
	if err != nil {
		return page{}, err
	}
	var p page
	if t := find(root, atom.Title); t != nil {
		p.title = strings.Join(strings.Fields(plain(t)), " ")
	}
	for _, part := range []atom.Atom{atom.Article, atom.Main, atom.Body} {
		if n := find(root, part); n != nil {
			var w writer
			w.node(n, 0)
			if p.text = w.text(); p.text != "" {
				break
			}
		}
	}
	return p, nil
}

// maxDepth bounds how deep elements nest.
const maxDepth = 400

func find(n *html.Node, a atom.Atom) *html.Node {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.DataAtom == a {
			return d
		}
	}
	return nil
}

func plain(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// writer puts text into lines.
type writer struct {
	lines []string
	line  strings.Builder
}

func (w *writer) end() {
	if s := strings.Join(strings.Fields(w.line.String()), " "); s != "" {
		w.lines = append(w.lines, s)
	}
	w.line.Reset()
}

func (w *writer) text() string {
	w.end()
	return strings.Join(w.lines, "\n")
}

func (w *writer) node(n *html.Node, depth int) {
	if depth > maxDepth {
		return
	}
	if n.Type == html.TextNode {
		w.line.WriteString(n.Data)
		return
	}
	block := false
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Noscript, atom.Template, atom.Nav, atom.Header, atom.Footer, atom.Aside, atom.Form, atom.Svg,
		atom.Iframe, atom.Button, atom.Select, atom.Head:
		return
	case atom.Br, atom.P, atom.Div, atom.Section, atom.Article, atom.Main, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Ul, atom.Ol,
		atom.Li, atom.Table, atom.Tr, atom.Pre, atom.Blockquote, atom.Dl, atom.Dt, atom.Dd, atom.Figure, atom.Hr:
		block = true
	case atom.Td, atom.Th:
		w.line.WriteString(" ")
	}
	if block {
		w.end()
	}
	for c := range n.ChildNodes() {
		w.node(c, depth+1)
	}
	if block {
		w.end()
	}
}
