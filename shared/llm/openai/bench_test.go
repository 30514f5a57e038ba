package openai_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/llm/llmtest"
	"github.com/millrace/millrace/shared/llm/openai"
	"github.com/millrace/millrace/shared/mockmodel"
)

// BenchmarkStream compares a whole streamed answer of 100 words read by hand
// with one read through Model: the difference is what the client costs.
func BenchmarkStream(b *testing.B) {
	srv := httptest.NewServer(mockmodel.New(nil).Handler())
	b.Cleanup(srv.Close)
	b.Run("byhand", func(b *testing.B) {
		for b.Loop() {
			resp, err := srv.Client().Post(srv.URL+"/v1/chat/completions", "application/json",
				bytes.NewReader([]byte(`{"model":"m","stream":true,"messages":[{"role":"user","content":"COUNT 100"}]}`)))
			if err != nil || resp.StatusCode != http.StatusOK {
				b.Fatal(err)
			}
			lines := bufio.NewScanner(resp.Body)
			for lines.Scan() {
			}
			_ = resp.Body.Close()
		}
	})
	d, err := openai.New(srv.Client(), openai.Config{BaseURL: srv.URL + "/v1"})
	if err != nil {
		b.Fatal(err)
	}
	m := llm.New("p", llmtest.Schema(), d, nil)
	req := llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Text: "COUNT 100"}}}
	for name, all := range map[string]bool{"model": true, "firsttoken": false} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s, err := m.Stream(b.Context(), req)
				if err != nil {
					b.Fatal(err)
				}
				for {
					c, err := s.Next()
					if errors.Is(err, io.EOF) || (!all && c.Text != "") {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				_ = s.Close()
			}
		})
	}
}
