package assemble

import (
	"bytes"
	"context"

	"github.com/millrace/millrace/shared/api/console/workflows"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/postgres/drafts"
	"github.com/millrace/millrace/shared/workflow/value"
)

// draftRoutes builds the routes of drafts.
func draftRoutes(p *Platform) (routes []edge.Route, err error) {
	d := workflows.Deps{Clock: p.Clock, Logger: p.Logger, Ping: p.Config.Run.PingInterval}
	if d.Apps, err = appService(p); err != nil {
		return nil, err
	}
	if d.Auth, err = consoleAuth(p); err != nil {
		return nil, err
	}
	if d.Debug, err = draftRunner(p); err != nil {
		return nil, err
	}
	if d.Runs, err = runner(p); err != nil {
		return nil, err
	}
	if d.History, err = historyService(p); err != nil {
		return nil, err
	}
	if d.Chats, err = chatService(p); err != nil {
		return nil, err
	}
	if d.Files, err = fileService(p); err != nil {
		return nil, err
	}
	return workflows.Routes(&d), nil
}

// storedDrafts knows what runs of drafts left behind, but cannot run nodes.
func storedDrafts(p *Platform) (*debug.Service, error) {
	return once(p, "drafts", func() (*debug.Service, error) { return newDrafts(p) })
}

// draftRunner runs single nodes of drafts too.
func draftRunner(p *Platform) (*debug.Service, error) {
	return once(p, "draft-runner", func() (*debug.Service, error) {
		s, err := newDrafts(p)
		if err != nil {
			return nil, err
		}
		if s.Graphs, err = graphSource(p); err != nil {
			return nil, err
		}
		s.Types, err = nodeTypes(p)
		return s, err
	})
}

func newDrafts(p *Platform) (*debug.Service, error) {
	pool, err := p.Pool()
	if err != nil {
		return nil, err
	}
	files, err := fileService(p)
	if err != nil {
		return nil, err
	}
	return debug.New(debug.Deps{Store: drafts.New(pool), Blobs: draftBlobs{files}, Clock: p.Clock},
		debug.Options{MaxTime: seconds(p.Config.Run.MaxSeconds)}), nil
}

// draftBlobs keeps large values among the uploads of the account.
type draftBlobs struct{ files *file.Service }

// Put stores a value.
func (b draftBlobs) Put(ctx context.Context, tenantID, accountID string, data []byte) (string, error) {
	u, err := b.files.Upload(ctx, file.UploadRequest{
		Caller: file.Caller{TenantID: tenantID, UserID: accountID, Role: file.RoleAccount}, Name: "variable.json", MimeType: "application/json",
		Content: bytes.NewReader(data),
	})
	if err != nil {
		return "", err
	}
	return u.ID, nil
}

// Get returns a stored value.
func (b draftBlobs) Get(ctx context.Context, tenantID, uploadID string) ([]byte, error) {
	f := &value.File{TransferMethod: file.MethodLocalFile, RelatedID: uploadID}
	return b.files.ReadAll(ctx, tenantID, f, b.files.MaxUpload())
}

// URL is a signed address of a stored value.
func (b draftBlobs) URL(uploadID string) string { return b.files.Signer().Preview(uploadID) }
