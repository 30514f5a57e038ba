// Package filetest helps to test what works with files: a service that keeps
// everything in memory, and the suite that every file.Store passes.
//
// Nothing that ships imports it.
package filetest

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/ids"
)

// Service returns a file service in memory; client fetches remote files.
func Service(t testing.TB, client *http.Client) *file.Service {
	t.Helper()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	return file.NewService(file.Options{
		Store: file.NewMemory(), Bucket: bucket, Client: client,
		Signer: file.NewSigner("secret", "http://files.test", 0, nil),
	})
}

// RunStore checks a store. Tenants of the suite exist nowhere else.
func RunStore(t *testing.T, newStore func(t *testing.T) file.Store) {
	t.Helper()
	t.Run("uploads", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		u := &file.Upload{
			ID: ids.New(), TenantID: ids.New(), StorageType: "opendal", Key: "upload_files/x", Name: "ü n.md", Size: 3,
			Extension: "md", MimeType: "text/markdown", CreatedBy: ids.New(), CreatedByRole: file.RoleEndUser,
			CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Hash: "abc", SourceURL: "http://x",
		}
		require.NoError(t, s.InsertUpload(t.Context(), u))
		got, err := s.Upload(t.Context(), u.TenantID, u.ID)
		require.NoError(t, err)
		require.Equal(t, u, got)
		got, err = s.UploadBySignedID(t.Context(), u.ID)
		require.NoError(t, err)
		require.Equal(t, u, got)
		_, err = s.Upload(t.Context(), ids.New(), u.ID)
		require.True(t, errs.Is(err, errs.FileNotFound), "another tenant's file: %v", err)
		_, err = s.UploadBySignedID(t.Context(), ids.New())
		require.True(t, errs.Is(err, errs.FileNotFound), "%v", err)
	})
	t.Run("tool files", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		f := &file.ToolFile{
			ID: ids.New(), TenantID: ids.New(), UserID: ids.New(), ConversationID: ids.New(), Key: "tools/x",
			MimeType: "image/png", OriginalURL: "http://x", Name: "x.png", Size: 7,
		}
		require.NoError(t, s.InsertToolFile(t.Context(), f))
		got, err := s.ToolFile(t.Context(), f.TenantID, f.ID)
		require.NoError(t, err)
		require.Equal(t, f, got)
		bare := &file.ToolFile{ID: ids.New(), TenantID: f.TenantID, UserID: f.UserID, Key: "k", MimeType: "a/b", Name: "n"}
		require.NoError(t, s.InsertToolFile(t.Context(), bare))
		got, err = s.ToolFileBySignedID(t.Context(), bare.ID)
		require.NoError(t, err)
		require.Equal(t, bare, got)
		_, err = s.ToolFile(t.Context(), ids.New(), f.ID)
		require.True(t, errs.Is(err, errs.FileNotFound), "another tenant's file: %v", err)
	})
	t.Run("not in a message", func(t *testing.T) {
		t.Parallel()
		ok, err := newStore(t).InMessage(t.Context(), ids.New(), ids.New(), ids.New())
		require.NoError(t, err)
		require.False(t, ok)
	})
}
