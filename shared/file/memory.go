package file

import (
	"context"
	"sync"

	"github.com/millrace/millrace/shared/errs"
)

// Memory is a Store that forgets everything when the process ends: for tests.
type Memory struct {
	mu       sync.Mutex
	uploads  map[string]Upload
	tools    map[string]ToolFile
	messages map[[3]string]bool
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{uploads: map[string]Upload{}, tools: map[string]ToolFile{}, messages: map[[3]string]bool{}}
}

// AddToMessage makes InMessage true for the file.
func (m *Memory) AddToMessage(tenantID, appID, uploadID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages[[3]string{tenantID, appID, uploadID}] = true
}

// InsertUpload stores a record.
func (m *Memory) InsertUpload(_ context.Context, u *Upload) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.uploads[u.ID] = *u
	return nil
}

// Upload returns a tenant's record.
func (m *Memory) Upload(ctx context.Context, tenantID, id string) (*Upload, error) {
	u, err := m.UploadBySignedID(ctx, id)
	if err != nil || u.TenantID != tenantID {
		return nil, errs.New(errs.FileNotFound, "")
	}
	return u, nil
}

// UploadBySignedID returns a record.
func (m *Memory) UploadBySignedID(_ context.Context, id string) (*Upload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, ok := m.uploads[id]
	if !ok {
		return nil, errs.New(errs.FileNotFound, "")
	}
	return &u, nil
}

// InsertToolFile stores a record.
func (m *Memory) InsertToolFile(_ context.Context, t *ToolFile) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tools[t.ID] = *t
	return nil
}

// ToolFile returns a tenant's record.
func (m *Memory) ToolFile(ctx context.Context, tenantID, id string) (*ToolFile, error) {
	t, err := m.ToolFileBySignedID(ctx, id)
	if err != nil || t.TenantID != tenantID {
		return nil, errs.New(errs.FileNotFound, "")
	}
	return t, nil
}

// ToolFileBySignedID returns a record.
func (m *Memory) ToolFileBySignedID(_ context.Context, id string) (*ToolFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tools[id]
	if !ok {
		return nil, errs.New(errs.FileNotFound, "")
	}
	return &t, nil
}

// InMessage reports what AddToMessage was told.
func (m *Memory) InMessage(_ context.Context, tenantID, appID, uploadID string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.messages[[3]string{tenantID, appID, uploadID}], nil
}
