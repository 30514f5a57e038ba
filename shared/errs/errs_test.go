package errs_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/millrace/millrace/shared/errs"
	"github.com/stretchr/testify/require"
)

func TestPublicShowsNoInternals(t *testing.T) {
	t.Parallel()
	b := errs.Public(errors.New("pq: password of user postgres is hunter2"))
	require.Equal(t, http.StatusInternalServerError, b.Status)
	require.NotContains(t, b.Message, "hunter2")

	b = errs.Public(fmt.Errorf("load: %w", errs.Wrap(errs.NotFound, errors.New("no rows"), "App not found.")))
	require.Equal(t, errs.Body{Code: "not_found", Message: "App not found.", Status: 404}, b)
}

func TestWrapKeepsTheFirstCode(t *testing.T) {
	t.Parallel()
	inner := errs.New(errs.AppUnavailable, "")
	err := errs.Wrap(errs.Internal, fmt.Errorf("x: %w", inner), "other")
	require.True(t, errs.Is(err, errs.AppUnavailable))
	require.NoError(t, errs.Wrap(errs.Internal, nil, ""))
	require.Equal(t, errs.Internal, errs.CodeOf(errors.New("x")))
	require.Equal(t, "App unavailable, please check your app configurations.", errs.Public(inner).Message)
}
