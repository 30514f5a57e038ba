package document

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"github.com/richardlehane/mscfb"
)

// errDamaged is what a binary document is when it cannot be followed.
var errDamaged = errors.New("the file is damaged or of another type than its name says")

// errLocked is returned for documents that ask for a password.
var errLocked = errors.New("the file is protected by a password")

// compound is a file of the older Office formats: streams by name. Those in
// folders have "folder/" before their names.
type compound map[string]*mscfb.File

// isCompound reports whether data starts like such a file.
func isCompound(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
}

func openCompound(data []byte) (c compound, err error) {
	if !isCompound(data) {
		return nil, errDamaged
	}
	r, err := mscfb.New(bytes.NewReader(data))
	if err != nil {
		return nil, errDamaged
	}
	c = compound{}
	for _, f := range r.File {
		if len(f.Path) < maxParts {
			c[strings.Join(append(append([]string{}, f.Path...), f.Name), "/")] = f
		}
	}
	return c, nil
}

// stream returns a stream's content, at most most bytes.
func (c compound) stream(name string, most int64) ([]byte, error) {
	f, ok := c[name]
	if !ok || f.FileInfo().IsDir() {
		return nil, errDamaged
	}
	if f.Size > most {
		return nil, errTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil && len(data) == 0 {
		return nil, errDamaged
	}
	return data, nil
}

// window reads little-endian numbers at offsets; behind the end all are zero.
type window []byte

func (w window) cut(at, size int) window {
	if at < 0 || size < 0 || at > len(w) {
		return nil
	}
	return w[at:min(len(w), at+size)]
}

func (w window) u16(at int) int {
	if b := w.cut(at, 2); len(b) == 2 {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (w window) u32(at int) int {
	if b := w.cut(at, 4); len(b) == 4 {
		return int(binary.LittleEndian.Uint32(b))
	}
	return 0
}

func (w window) u64(at int) uint64 {
	if b := w.cut(at, 8); len(b) == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
