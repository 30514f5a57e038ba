package openai

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/millrace/millrace/shared/llm"
)

// Embed asks for vectors, in batches that the server takes.
func (d *Driver) Embed(ctx context.Context, req *llm.EmbedRequest) (*llm.EmbedResult, error) {
	out := &llm.EmbedResult{Vectors: make([][]float32, 0, len(req.Texts))}
	prefix := d.cfg.DocumentPrefix
	if req.Query {
		prefix = d.cfg.QueryPrefix
	}
	size := max(d.cfg.EmbedBatch, 1)
	for start := 0; start < len(req.Texts); start += size {
		batch := make([]string, 0, size)
		for _, text := range req.Texts[start:min(start+size, len(req.Texts))] {
			batch = append(batch, prefix+text)
		}
		if err := d.embedBatch(ctx, req, batch, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (d *Driver) embedBatch(ctx context.Context, req *llm.EmbedRequest, batch []string, out *llm.EmbedResult) error {
	body := map[string]any{"model": d.model(req.Model), "input": batch}
	if d.cfg.EncodingFormat != "" {
		body["encoding_format"] = d.cfg.EncodingFormat
	}
	if u := d.user(req.User); u != "" {
		body["user"] = u
	}
	var got struct {
		Data []struct {
			Index     int             `json:"index"`
			Embedding json.RawMessage `json:"embedding"`
		} `json:"data"`
		Usage usage `json:"usage"`
	}
	if err := d.call(ctx, "/embeddings", body, &got, ""); err != nil {
		return err
	}
	vectors := make([][]float32, len(batch))
	for _, e := range got.Data {
		if e.Index < 0 || e.Index >= len(batch) {
			return &llm.Error{Kind: llm.KindServer, Message: "a vector for a text that was not sent"}
		}
		v, err := vector(e.Embedding)
		if err != nil {
			return &llm.Error{Kind: llm.KindServer, Message: "a vector cannot be read", Cause: err}
		}
		vectors[e.Index] = v
	}
	for i, v := range vectors {
		if v == nil {
			return &llm.Error{Kind: llm.KindServer, Message: fmt.Sprintf("no vector for text %d of %d", i+1, len(batch))}
		}
	}
	out.Vectors = append(out.Vectors, vectors...)
	out.Tokens += got.Usage.TotalTokens
	return nil
}

// vector reads a list of numbers or base64 of little-endian float32.
func vector(raw json.RawMessage) ([]float32, error) {
	var list []float32
	if err := json.Unmarshal(raw, &list); err == nil {
		return list, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[i*4:]))
	}
	return out, nil
}

// Rerank asks for the order of documents by relevance.
func (d *Driver) Rerank(ctx context.Context, req *llm.RerankRequest) (*llm.RerankResult, error) {
	out := &llm.RerankResult{}
	if len(req.Documents) == 0 {
		return out, nil
	}
	body := map[string]any{"model": d.model(req.Model), "query": req.Query, "documents": req.Documents, "return_documents": true}
	if req.TopN > 0 {
		body["top_n"] = req.TopN
	}
	var got struct {
		Results []struct {
			Index int     `json:"index"`
			Score float64 `json:"relevance_score"`
		} `json:"results"`
	}
	if err := d.call(ctx, "/rerank", body, &got, ""); err != nil {
		return nil, err
	}
	for _, r := range got.Results {
		if r.Index < 0 || r.Index >= len(req.Documents) {
			return nil, &llm.Error{Kind: llm.KindServer, Message: "ranked a document that was not sent"}
		}
		if req.ScoreThreshold == nil || r.Score >= *req.ScoreThreshold {
			out.Documents = append(out.Documents, llm.RankedDocument{Index: r.Index, Text: req.Documents[r.Index], Score: r.Score})
		}
	}
	return out, nil
}
