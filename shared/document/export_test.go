package document

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// Panicked reports whether an error stands for a mistake in a reader.
func Panicked(err error) bool {
	var p panicked
	return errors.As(err, &p)
}

// UnpackRTF is for tests.
func UnpackRTF(t *testing.T, data []byte) string {
	t.Helper()
	require.Len(t, rtfDictionary, 207)
	rtf, err := unpackRTF(data, 1<<20)
	require.NoError(t, err)
	return string(rtf)
}
