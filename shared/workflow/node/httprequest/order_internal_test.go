package httprequest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeadersWhoseOrderIsUnknown(t *testing.T) {
	t.Parallel()
	h := http.Header{"C": {"3"}, "A": {"1"}, "D": {"4"}, "B": {"2"}}
	for _, c := range []struct {
		order []string
		want  []string
	}{
		{nil, []string{"a", "b", "c", "d"}},
		{[]string{"D", "Gone", "B", "D"}, []string{"d", "b", "a", "c"}},
		{[]string{"D", "C", "B", "A"}, []string{"d", "c", "b", "a"}},
	} {
		require.Equal(t, c.want, headers(h, c.order).Keys())
	}
}
