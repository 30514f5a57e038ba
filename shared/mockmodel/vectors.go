package mockmodel

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/workflow/value"
)

const dims = 64

// Vector returns the unit vector that stands for a text: texts that share
// words are near each other.
func Vector(text string) []float64 {
	vec := make([]float64, dims)
	for _, word := range reWord.FindAllString(strings.ToLower(text), -1) {
		for salt, weight := range map[string]float64{"a": 1, "b": 0.5} {
			h := sha256.Sum256([]byte(salt + word))
			if h[1]&1 == 0 {
				weight = -weight
			}
			vec[int(h[0])%dims] += weight
		}
	}
	norm := 0.0
	for _, x := range vec {
		norm += x * x
	}
	norm = math.Sqrt(norm)
	if norm == 0 {
		vec[0], norm = 1, 1
	}
	for i, x := range vec {
		vec[i] = math.Round(x/norm*1e6) / 1e6
	}
	return vec
}

func (s *Server) embeddings(c *call) error {
	inputs, ok := c.body.Value("input").([]any)
	if text, one := c.body.Value("input").(string); one {
		inputs, ok = []any{text}, true
	}
	if !ok {
		inputs = nil
	}
	data, tokens := make([]any, 0, len(inputs)), 0
	for i, in := range inputs {
		text, isText := in.(string)
		if list, ok := in.([]any); !isText && ok {
			words := make([]string, len(list))
			for j, x := range list {
				words[j] = value.Str(x)
			}
			text = strings.Join(words, " ")
		}
		if m := reFailAny.FindStringSubmatch(text); m != nil {
			status, _ := strconv.Atoi(m[1])
			return &failure{status, "mock failure " + m[1]}
		}
		data = append(data, value.Obj("object", "embedding", "index", i, "embedding", vectorForm(text, c.body.String("encoding_format"))))
		tokens += count(text)
	}
	writeJSON(c.w, http.StatusOK, value.Obj("object", "list", "model", c.body.Value("model"), "data", data,
		"usage", value.Obj("prompt_tokens", tokens, "total_tokens", tokens)))
	return nil
}

func vectorForm(text, encoding string) any {
	vec := Vector(text)
	if encoding == "base64" {
		var b bytes.Buffer
		for _, x := range vec {
			_ = binary.Write(&b, binary.LittleEndian, float32(x))
		}
		return base64.StdEncoding.EncodeToString(b.Bytes())
	}
	out := make([]any, len(vec))
	for i, x := range vec {
		out[i] = x
	}
	return out
}

// similarity is the share of words that two texts have in common.
func similarity(query, doc string) float64 {
	set := func(s string) map[string]bool {
		out := map[string]bool{}
		for _, w := range reWord.FindAllString(strings.ToLower(s), -1) {
			out[w] = true
		}
		return out
	}
	q, d := set(query), set(doc)
	if len(q) == 0 || len(d) == 0 {
		return 0
	}
	common := 0
	for w := range q {
		if d[w] {
			common++
		}
	}
	return math.Round(float64(common)/float64(len(q)+len(d)-common)*1e4) / 1e4
}

func (s *Server) rerank(c *call) error {
	list, _ := c.body.Value("documents").([]any)
	docs := make([]string, len(list))
	tokens := 0
	for i, x := range list {
		switch d := x.(type) {
		case string:
			docs[i] = d
		case *value.Object:
			docs[i] = d.String("text")
		}
		tokens += count(docs[i])
	}
	type scored struct {
		index int
		score float64
	}
	ranking := make([]scored, len(docs))
	for i, d := range docs {
		ranking[i] = scored{i, similarity(c.body.String("query"), d)}
	}
	slices.SortStableFunc(ranking, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	if top := intOf(c.body.Value("top_n")); top > 0 && top < len(ranking) {
		ranking = ranking[:top]
	}
	results := make([]any, len(ranking))
	for i, r := range ranking {
		results[i] = value.Obj("index", r.index, "relevance_score", r.score, "document", value.Obj("text", docs[r.index]))
	}
	writeJSON(c.w, http.StatusOK, value.Obj("id", "rerank-"+shortHash(value.From(docs)), "model", c.body.Value("model"),
		"results", results, "usage", value.Obj("total_tokens", tokens)))
	return nil
}

func (s *Server) speech(c *call) error {
	n := max(1, count(c.body.String("input")))
	kind, data := "audio/mpeg", bytes.Repeat(append([]byte{0xff, 0xfb, 0x90, 0}, make([]byte, 413)...), n)
	if c.body.String("response_format") == "wav" {
		kind, data = "audio/wav", wave(0.05*float64(n))
	}
	c.w.Header().Set("Content-Type", kind)
	c.w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, err := c.w.Write(data)
	return err
}

// wave makes a short tone.
func wave(seconds float64) []byte {
	const rate = 8000
	var data, b bytes.Buffer
	for i := range int(seconds * rate) {
		_ = binary.Write(&data, binary.LittleEndian, int16(8000*math.Sin(float64(i)/5)))
	}
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+data.Len()))
	b.WriteString("WAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(rate), uint32(rate * 2), uint16(2), uint16(16)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(data.Len()))
	return append(b.Bytes(), data.Bytes()...)
}

func (s *Server) moderations(c *call) error {
	texts, _ := c.body.Value("input").([]any)
	if one, ok := c.body.Value("input").(string); ok {
		texts = []any{one}
	}
	results := make([]any, 0, len(texts))
	for _, t := range texts {
		bad, score := strings.Contains(strings.ToLower(value.Str(t)), "violence"), 0.0
		if bad {
			score = 0.9
		}
		results = append(results, value.Obj("flagged", bad, "categories", value.Obj("violence", bad, "hate", false),
			"category_scores", value.Obj("violence", score, "hate", 0.0)))
	}
	writeJSON(c.w, http.StatusOK, value.Obj("id", "modr-"+shortHash(texts), "model", c.body.Value("model"), "results", results))
	return nil
}
