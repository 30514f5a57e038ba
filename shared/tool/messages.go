package tool

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool/driver"
)

// store keeps the content of a message and returns it as the file that it
// became. A picture that cannot be had becomes a note about that.
func (s *Service) store(ctx context.Context, call *Call, m Message) (Message, error) {
	switch m.Type {
	case driver.Blob:
		return s.save(ctx, call, m.Data, m.MIMEType)
	case driver.Image:
		data, mimeType, err := s.fetch(ctx, m.Text)
		if err == nil {
			return s.save(ctx, call, data, mimeType)
		}
		if ctx.Err() != nil {
			return m, ctx.Err()
		}
		return Message{Type: driver.Words, Text: fmt.Sprintf("Failed to download image: %s: %s", m.Text, errs.Public(err).Message)}, nil
	}
	return m, nil
}

func (s *Service) fetch(ctx context.Context, url string) ([]byte, string, error) {
	if s.opts.Fetch == nil {
		return nil, "", errs.New(errs.NotImplemented, "downloads are not available here")
	}
	return s.opts.Fetch(ctx, url)
}

func (s *Service) save(ctx context.Context, call *Call, data []byte, mimeType string) (Message, error) {
	if s.opts.Files == nil {
		return Message{}, errs.New(errs.NotImplemented, "Files of tools cannot be kept here.")
	}
	if mimeType == "" {
		mimeType = "application/octet-stream"
	}
	f, err := s.opts.Files.SaveToolFile(ctx, call.TenantID, call.UserID, call.ConversationID, mimeType, data)
	if err != nil {
		return Message{}, err
	}
	m := Message{Type: driver.FileLink, Text: f.URL, MIMEType: mimeType, File: f}
	if strings.Contains(mimeType, "image") {
		m.Type = driver.ImageLink
	}
	return m, nil
}
