package pdf

import (
	"bytes"
	"context"
	"errors"
)

// entry says where an object is: at an offset, or in an object stream.
type entry struct {
	offset int
	in     int // the object stream's number, 0 for none
	index  int
}

// maxObjects bounds the numbers of objects.
const maxObjects = 8 << 20

type file struct {
	ctx     context.Context //nolint:containedctx // of the one reading this file is opened for
	data    []byte
	left    int64 // bytes that may still be unpacked
	entries map[int]entry
	trailer dict
	crypt   *crypt
	objects map[int]any
	loading map[int]bool
	packed  map[int]map[int]any // contents of object streams, by number
	fonts   map[int]*font
	glyphs  *glyphs
	rebuilt bool
	// elements and work are what may still be kept of objects and done for
	// fonts; small files can ask for a lot of both.
	elements, work int
	// ends remembers the last search for the end of a stream: where it began
	// and where it ended.
	ends struct{ from, at int }
}

const (
	maxFileElements = 4 << 20
	maxWork         = 1 << 20
)

// spend counts work; false means that there was too much of it.
func (f *file) spend(n int) bool {
	f.work -= n
	return f.work >= 0
}

func open(ctx context.Context, data []byte, most int64) (*file, error) {
	head := bytes.Index(data[:min(len(data), 1024)], []byte("%PDF-"))
	if head < 0 {
		return nil, errors.New("the file is no PDF")
	}
	f := &file{ctx: ctx, data: data[head:], left: most, glyphs: newGlyphs(), elements: maxFileElements, work: maxWork}
	f.ends.from = -1
	f.reset()
	if !f.readXref() || !f.hasPages() {
		if err := f.rebuild(); err != nil {
			return nil, err
		}
	}
	return f, f.unlock()
}

func (f *file) reset() {
	f.entries, f.trailer = map[int]entry{}, dict{}
	f.objects, f.loading = map[int]any{}, map[int]bool{}
	f.packed, f.fonts = map[int]map[int]any{}, map[int]*font{}
}

// unlock prepares the decryption of files that open without a password.
func (f *file) unlock() error {
	enc, ok := f.resolve(f.trailer["Encrypt"]).(dict)
	if !ok {
		return nil
	}
	var id text
	if ids, ok := f.resolve(f.trailer["ID"]).(array); ok && len(ids) > 0 {
		id, _ = f.resolve(ids[0]).(text)
	}
	// What was read so far was not decrypted, the dictionary itself never is.
	c, err := f.newCrypt(enc, id)
	if err != nil {
		return err
	}
	f.objects, f.packed = map[int]any{}, map[int]map[int]any{}
	if r, ok := f.trailer["Encrypt"].(ref); ok {
		f.objects[r.num] = enc
	}
	f.crypt = c
	return nil
}

func (f *file) hasPages() bool {
	root, _ := f.resolve(f.trailer["Root"]).(dict)
	if root == nil {
		return false
	}
	if _, encrypted := f.trailer["Encrypt"]; encrypted {
		return true // the pages may be in a stream that cannot be read yet
	}
	pages, ok := f.resolve(root["Pages"]).(dict)
	return ok && (pages["Kids"] != nil || pages["Type"] == name("Page"))
}

// readXref reads the cross-reference sections, the newest first; false means
// that they are damaged.
func (f *file) readXref() bool {
	at := bytes.LastIndex(f.data, []byte("startxref"))
	if at < 0 {
		return false
	}
	l := lexer{data: f.data, pos: at + len("startxref"), left: &f.elements}
	next, ok := l.token().(int64)
	seen := map[int64]bool{}
	for ok {
		if next < 0 || next >= int64(len(f.data)) || seen[next] || len(seen) > 1024 {
			return len(seen) > 0 && seen[next]
		}
		seen[next] = true
		var trailer dict
		l := &lexer{data: f.data, pos: int(next), left: &f.elements}
		if l.token() == keyword("xref") {
			trailer = f.readTable(l)
		} else {
			trailer = f.readXrefStream(int(next))
		}
		if trailer == nil {
			return false
		}
		for k, v := range trailer {
			if _, newer := f.trailer[k]; !newer {
				f.trailer[k] = v
			}
		}
		if hybrid, ok := trailer["XRefStm"].(int64); ok && hybrid > 0 && hybrid < int64(len(f.data)) && !seen[hybrid] {
			seen[hybrid] = true
			f.readXrefStream(int(hybrid))
		}
		next, ok = trailer["Prev"].(int64)
	}
	return len(seen) > 0
}

func (f *file) readTable(l *lexer) dict {
	for {
		switch first := l.token().(type) {
		case keyword:
			if first != "trailer" {
				return nil
			}
			trailer, _ := l.object(0).(dict)
			return trailer
		case int64:
			count, ok := l.token().(int64)
			if !ok || count < 0 || first < 0 || first+count > maxObjects {
				return nil
			}
			for i := range count {
				offset, ok1 := l.token().(int64)
				_, ok2 := l.token().(int64)
				kind, ok3 := l.token().(keyword)
				if !ok1 || !ok2 || !ok3 {
					return nil
				}
				if kind == "n" && offset > 0 && offset < int64(len(f.data)) {
					f.add(int(first+i), entry{offset: int(offset)})
				}
			}
		default:
			return nil
		}
	}
}

// add notes where an object is, unless a newer section said it already.
func (f *file) add(num int, e entry) {
	if _, ok := f.entries[num]; !ok {
		f.entries[num] = e
	}
}

func (f *file) readXrefStream(offset int) dict {
	s, _ := f.objectAt(offset, -1).(*stream)
	if s == nil || s.dict["Type"] != name("XRef") {
		return nil
	}
	data, err := f.decode(s)
	if err != nil {
		return nil
	}
	var widths [3]int
	w, _ := f.resolve(s.dict["W"]).(array)
	for i := range widths {
		if i >= len(w) {
			return nil
		}
		n, ok := w[i].(int64)
		if !ok || n < 0 || n > 8 {
			return nil
		}
		widths[i] = int(n)
	}
	size, _ := f.resolve(s.dict["Size"]).(int64)
	index, ok := f.resolve(s.dict["Index"]).(array)
	if !ok {
		index = array{int64(0), size}
	}
	row := widths[0] + widths[1] + widths[2]
	if row == 0 {
		return nil
	}
	for i := 0; i+1 < len(index); i += 2 {
		first, ok1 := index[i].(int64)
		count, ok2 := index[i+1].(int64)
		if !ok1 || !ok2 || first < 0 || count < 0 || first+count > maxObjects {
			return nil
		}
		for j := int64(0); j < count && len(data) >= row; j++ {
			f.addRow(int(first+j), data[:row], widths)
			data = data[row:]
		}
	}
	return s.dict
}

func (f *file) addRow(num int, row []byte, widths [3]int) {
	field := func(width, otherwise int) int {
		if width == 0 {
			return otherwise
		}
		n := 0
		for _, c := range row[:width] {
			n = n<<8 | int(c)
		}
		row = row[width:]
		return n
	}
	kind, a, b := field(widths[0], 1), field(widths[1], 0), field(widths[2], 0)
	switch {
	case kind == 1 && a > 0 && a < len(f.data):
		f.add(num, entry{offset: a})
	case kind == 2 && a > 0:
		f.add(num, entry{in: a, index: b})
	}
}

// rebuild finds the objects without cross-references, by their headers.
func (f *file) rebuild() error {
	f.reset()
	f.rebuilt = true
	var streams []int
	for pos := 0; ; {
		at := bytes.Index(f.data[pos:], []byte("obj"))
		if at < 0 {
			break
		}
		at += pos
		pos = at + 3
		num, start, ok := f.headerBefore(at)
		if !ok {
			continue
		}
		f.entries[num] = entry{offset: start}
		if f.ctx.Err() != nil {
			return f.ctx.Err()
		}
		// Only the start is looked at: a stream would be read to its end.
		if o := f.data[at:min(len(f.data), at+300)]; bytes.Contains(o, []byte("ObjStm")) || bytes.Contains(o, []byte("/XRef")) {
			streams = append(streams, num)
		}
	}
	for pos := 0; ; {
		at := bytes.Index(f.data[pos:], []byte("trailer"))
		if at < 0 {
			break
		}
		pos += at + len("trailer")
		if f.ctx.Err() != nil {
			return f.ctx.Err()
		}
		l := lexer{data: f.data, pos: pos, left: &f.elements}
		if d, ok := l.object(0).(dict); ok {
			f.mergeTrailer(d)
		}
	}
	if err := f.indexStreams(streams); err != nil {
		return err
	}
	if f.hasPages() {
		return nil
	}
	for num := range f.entries { // a catalogue that nothing leads to
		if d, ok := f.get(num).(dict); ok && f.resolve(d["Type"]) == name("Catalog") {
			f.trailer["Root"] = ref{num: num}
			if f.hasPages() {
				return nil
			}
		}
	}
	return errors.New("the file is damaged: it has no pages")
}

func (f *file) mergeTrailer(d dict) {
	for k, v := range d {
		if v != nil && (k == "Root" || k == "Encrypt" || k == "ID" || k == "Info") {
			f.trailer[k] = v
		}
	}
}

// headerBefore reads the "12 0 " that ends before a position.
func (f *file) headerBefore(at int) (num, start int, ok bool) {
	i := at
	digits := func() (n int, ok bool) {
		end := i
		for i > 0 && i > end-10 && f.data[i-1] >= '0' && f.data[i-1] <= '9' {
			i--
		}
		for _, c := range f.data[i:end] {
			n = n*10 + int(c-'0')
		}
		return n, i < end
	}
	spaces := func() bool {
		end := i
		for i > 0 && isSpace(f.data[i-1]) {
			i--
		}
		return i < end
	}
	spaces()
	if _, ok := digits(); !ok || !spaces() {
		return 0, 0, false
	}
	num, ok = digits()
	return num, i, ok && num > 0 && num <= maxObjects
}

func (f *file) indexStreams(streams []int) error {
	for _, num := range streams {
		if f.ctx.Err() != nil {
			return f.ctx.Err()
		}
		s, _ := f.get(num).(*stream)
		if s == nil {
			continue
		}
		switch s.dict["Type"] {
		case name("XRef"):
			f.mergeTrailer(s.dict)
		case name("ObjStm"):
			if _, locked := f.trailer["Encrypt"]; locked {
				continue
			}
			for inner := range f.unpack(num) {
				f.add(inner, entry{in: num})
			}
		}
	}
	return nil
}

// resolve follows references.
func (f *file) resolve(v any) any {
	for range 16 {
		r, ok := v.(ref)
		if !ok {
			return v
		}
		v = f.get(r.num)
	}
	return nil
}

// get returns an object, nil when there is none. Objects that need themselves
// are nil.
func (f *file) get(num int) any {
	if v, ok := f.objects[num]; ok {
		return v
	}
	e, ok := f.entries[num]
	if !ok || f.loading[num] || f.ctx.Err() != nil {
		return nil
	}
	f.loading[num] = true
	defer delete(f.loading, num)
	var v any
	if e.in > 0 {
		v = f.unpack(e.in)[num]
	} else {
		v = f.objectAt(e.offset, num)
	}
	f.objects[num] = v
	return v
}

// objectAt reads the object at an offset, whose number must be num unless that
// is negative.
func (f *file) objectAt(offset, num int) any {
	l := &lexer{data: f.data, pos: offset, left: &f.elements}
	n, ok1 := l.token().(int64)
	gen, ok2 := l.token().(int64)
	if !ok1 || !ok2 || l.token() != keyword("obj") || num >= 0 && n != int64(num) {
		return nil
	}
	v := l.object(0)
	id := ref{int(n), int(gen)}
	d, ok := v.(dict)
	if !ok {
		return f.decrypted(id, v)
	}
	end := l.pos
	if l.token() != keyword("stream") {
		l.pos = end
		return f.decrypted(id, v)
	}
	start := l.pos
	if start < len(f.data) && f.data[start] == '\r' {
		start++
	}
	if start < len(f.data) && f.data[start] == '\n' {
		start++
	}
	f.decrypted(id, d)
	return &stream{d, f.streamData(d, start), id}
}

func (f *file) streamData(d dict, start int) []byte {
	if size, ok := f.resolve(d["Length"]).(int64); ok && size >= 0 && int64(start)+size <= int64(len(f.data)) {
		end := start + int(size)
		l := lexer{data: f.data[:min(len(f.data), end+32)], pos: end, left: &f.elements}
		if l.token() == keyword("endstream") {
			return f.data[start:end]
		}
	}
	start = min(start, len(f.data))
	if f.ends.from < 0 || start < f.ends.from || start > f.ends.at {
		f.ends.from, f.ends.at = start, len(f.data)
		if at := bytes.Index(f.data[start:], []byte("endstream")); at >= 0 {
			f.ends.at = start + at
		}
	}
	return f.data[start:f.ends.at]
}

// decrypted decrypts the texts inside an object, in place where it can.
func (f *file) decrypted(id ref, v any) any {
	if f.crypt == nil {
		return v
	}
	switch v := v.(type) {
	case text:
		return text(f.crypt.text(id, []byte(v)))
	case array:
		for i := range v {
			v[i] = f.decrypted(id, v[i])
		}
	case dict:
		for k := range v {
			v[k] = f.decrypted(id, v[k])
		}
	}
	return v
}

// unpack returns the objects inside an object stream.
func (f *file) unpack(num int) map[int]any {
	if out, ok := f.packed[num]; ok {
		return out
	}
	out := map[int]any{}
	f.packed[num] = out // also while it is read: it cannot hold itself
	if f.entries[num].in > 0 {
		return out
	}
	s, _ := f.get(num).(*stream)
	if s == nil {
		return out
	}
	data, err := f.decode(s)
	count, ok1 := f.resolve(s.dict["N"]).(int64)
	first, ok2 := f.resolve(s.dict["First"]).(int64)
	if err != nil || !ok1 || !ok2 || first < 0 || first > int64(len(data)) {
		return out
	}
	head := &lexer{data: data[:first], left: &f.elements}
	for range min(count, maxObjects) {
		n, ok1 := head.token().(int64)
		offset, ok2 := head.token().(int64)
		if !ok1 || !ok2 || offset < 0 || offset >= int64(len(data))-first {
			break
		}
		l := &lexer{data: data, pos: int(first + offset), left: &f.elements}
		v := l.object(0)
		if _, wrong := v.(keyword); !wrong {
			out[int(n)] = v
		}
	}
	return out
}
