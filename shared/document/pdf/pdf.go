// Package pdf reads the text of PDF files.
//
// It is written for files that nobody vouches for: whatever a file says, the
// work is bounded by what it may unpack to, by limits on nesting and by the
// context, broken cross-references are found again by looking at the whole
// file, and cycles end. It draws nothing and reads no pictures: a scanned page
// has no text. Files that open with an empty password are decrypted.
//
// START HERE: Pages. lex.go reads objects, file.go finds them, content.go runs
// a page's operators, font.go says what the codes mean, layout.go puts the
// characters in lines.
package pdf

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// maxPages bounds a file's pages.
const maxPages = 20_000

// Pages returns the text of every page, lines parted by CR and LF. At most most
// bytes are unpacked and returned. Errors are in words for users.
func Pages(ctx context.Context, data []byte, most int64) (pages []string, err error) {
	defer func() {
		// The last resort: a mistake in here must not end the process of a
		// server for a file that somebody sent.
		if r := recover(); r != nil {
			pages, err = nil, fmt.Errorf("the file is damaged%w", panicked{r})
		}
	}()
	f, err := open(ctx, data, most)
	if err != nil {
		return nil, err
	}
	list, err := f.pages()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && !f.rebuilt {
		if err := f.rebuild(); err != nil {
			return nil, err
		}
		if err := f.unlock(); err != nil {
			return nil, err
		}
		if list, err = f.pages(); err != nil {
			return nil, err
		}
	}
	total := int64(0)
	for _, p := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		text, err := f.pageText(p)
		if err != nil {
			return nil, err
		}
		if total += int64(len(text)); total > most {
			return nil, errTooLarge
		}
		pages = append(pages, text)
	}
	return pages, nil
}

// panicked is a mistake in this package; users see nothing of it.
type panicked struct{ value any }

func (panicked) Error() string { return "" }

// leaf is a page with what it inherits.
type leaf struct {
	dict
	resources dict
}

// pages walks the page tree.
func (f *file) pages() ([]leaf, error) {
	root, _ := f.resolve(f.trailer["Root"]).(dict)
	var out []leaf
	seen := map[int]bool{}
	var walk func(v any, resources dict, depth int) error
	walk = func(v any, resources dict, depth int) error {
		if r, ok := v.(ref); ok {
			if seen[r.num] {
				return nil
			}
			seen[r.num] = true
		}
		d, ok := f.resolve(v).(dict)
		if !ok || depth > maxNesting {
			return nil
		}
		if err := f.ctx.Err(); err != nil {
			return err
		}
		if own, ok := f.resolve(d["Resources"]).(dict); ok {
			resources = own
		}
		kids, ok := f.resolve(d["Kids"]).(array)
		if !ok {
			if out = append(out, leaf{d, resources}); len(out) > maxPages {
				return errTooLarge
			}
			return nil
		}
		for _, kid := range kids {
			if err := walk(kid, resources, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	err := walk(root["Pages"], nil, 0)
	return out, err
}

func (f *file) pageText(p leaf) (string, error) {
	var content []byte
	for _, part := range f.list(p.dict, "Contents") {
		s, _ := f.resolve(part).(*stream)
		if s == nil {
			continue
		}
		data, err := f.decode(s)
		if errors.Is(err, errTooLarge) {
			return "", err
		}
		if err == nil {
			content = append(append(content, data...), '\n')
		}
	}
	it := &interpreter{f: f, page: &page{}}
	it.state.ctm, it.state.stretch = matrix{1, 0, 0, 1, 0, 0}, 1
	it.text, it.line = it.state.ctm, it.state.ctm
	if err := it.run(content, p.resources); err != nil {
		return "", err
	}
	it.page.endLine()
	return strings.TrimRight(it.page.out.String(), lineEnd), nil
}
