package pdf

import "errors"

// Panicked reports whether an error stands for a mistake in this package.
func Panicked(err error) bool {
	var p panicked
	return errors.As(err, &p)
}

// UnLZW is for tests.
func UnLZW(data []byte) []byte { return unLZW(data, true, 1<<20) }
