package assemble

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// memory shows conversations to llm nodes.
type memory struct{ chats *chat.Service }

// History returns the exchanges before the one that is being answered.
func (m memory) History(ctx context.Context, r *workflow.RunInfo, turns int) ([]llm.Message, error) {
	if r.ConversationID == "" {
		return nil, nil
	}
	scope := chat.Scope{TenantID: r.TenantID, AppID: r.AppID}
	past, err := m.chats.History(ctx, scope, r.ConversationID, turns)
	if err != nil {
		return nil, err
	}
	out := make([]llm.Message, 0, 2*len(past))
	for _, msg := range past {
		if msg.ID == r.MessageID {
			continue
		}
		out = append(out, llm.Message{Role: llm.RoleUser, Text: msg.Query}, llm.Message{Role: llm.RoleAssistant, Text: msg.Answer})
	}
	return out, nil
}

// maxPromptFile bounds a file that travels inside a prompt.
const maxPromptFile = 20 << 20

// promptFiles turns files into parts of prompts.
type promptFiles struct {
	files *file.Service
	asURL bool // send signed URLs instead of the content
}

// Part returns a file as a part of a message.
func (p promptFiles) Part(ctx context.Context, r *workflow.RunInfo, f *value.File, detail string) (llm.Part, error) {
	part := llm.Part{
		Type: llm.PartType(f.Type), MIMEType: f.MimeType, Format: strings.TrimPrefix(f.Extension, "."), Filename: f.Filename, Detail: detail,
	}
	if p.asURL {
		fresh, _ := p.files.Refresh(f).(*value.File)
		part.URL = fresh.URL
		return part, nil
	}
	data, err := p.files.ReadAll(ctx, r.TenantID, f, maxPromptFile)
	if err != nil {
		return llm.Part{}, err
	}
	part.Base64 = base64.StdEncoding.EncodeToString(data)
	return part, nil
}
