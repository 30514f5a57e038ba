package lambdaemu

import (
	"context"
	"crypto/md5" //nolint:gosec // SQS names messages' checksums so; nothing relies on it
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"gocloud.dev/pubsub"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/ids"
)

const (
	// batchWindow is how long a batch waits for a second message.
	batchWindow = 20 * time.Millisecond
	// receiveBackoff is the pause after the queue could not be read.
	receiveBackoff = time.Second
)

// consumer is one event source mapping: it reads a queue and calls the function.
type consumer struct {
	e   *Emulator
	f   Function
	src QueueSource
	sub *pubsub.Subscription

	mu       sync.Mutex
	attempts map[string]int // by message id, until it is done
}

// consume runs until ctx ends and its batches are answered.
func (e *Emulator) consume(ctx context.Context, f Function, src QueueSource, sub *pubsub.Subscription) {
	c := &consumer{e: e, f: f, src: src, sub: sub, attempts: map[string]int{}}
	// As many batches as instances; the token is taken before a message is, so
	// that no message waits here while another consumer could have it.
	tokens := make(chan struct{}, e.opts.MaxInstances)
	var live sync.WaitGroup
	defer live.Wait()
	for {
		select {
		case tokens <- struct{}{}:
		case <-ctx.Done():
			return
		}
		batch := c.receive(ctx)
		if len(batch) == 0 {
			<-tokens
			if ctx.Err() != nil {
				return
			}
			continue
		}
		live.Go(func() {
			defer func() { <-tokens }()
			c.deliver(ctx, batch)
		})
	}
}

// receive returns the next batch, or nothing when the queue cannot be read.
func (c *consumer) receive(ctx context.Context) []*pubsub.Message {
	first, err := c.sub.Receive(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.e.opts.Logger.Error("queue cannot be read", "queue", c.src.Queue, "error", err)
			_ = clock.Sleep(ctx, c.e.opts.Clock, receiveBackoff) // the caller looks at ctx
		}
		return nil
	}
	batch := []*pubsub.Message{first}
	if c.src.BatchSize < 2 {
		return batch
	}
	wctx, cancel := context.WithTimeout(ctx, batchWindow)
	defer cancel()
	for len(batch) < c.src.BatchSize {
		m, err := c.sub.Receive(wctx)
		if err != nil {
			break
		}
		batch = append(batch, m)
	}
	return batch
}

// deliver calls the function and acknowledges what it has done.
func (c *consumer) deliver(ctx context.Context, batch []*pubsub.Message) {
	records := make([]map[string]any, len(batch))
	keys := make([]string, len(batch))
	for i, m := range batch {
		keys[i] = m.LoggableID
		if keys[i] == "" || keys[i] == "unknown" {
			keys[i] = ids.Random()
		}
		records[i] = c.record(keys[i], m)
	}
	payload, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		panic(err) // strings only
	}
	out, err := c.e.Invoke(ctx, c.f.Folder, payload)
	if err != nil && ctx.Err() == nil {
		c.e.opts.Logger.Warn("queue function failed", "function", c.f.Folder, "queue", c.src.Queue, "error", err)
	}
	failed, all := c.failures(out, err, keys)
	for i, m := range batch {
		if all || failed[keys[i]] {
			if m.Nackable() {
				m.Nack()
			}
			continue
		}
		c.mu.Lock()
		delete(c.attempts, keys[i])
		c.mu.Unlock()
		m.Ack()
	}
}

// failures reads the function's answer by Lambda's rules: an answer that is
// not understood, or names an unknown message, fails the whole batch.
func (c *consumer) failures(out []byte, err error, keys []string) (failed map[string]bool, all bool) {
	if err != nil {
		return nil, true
	}
	if !c.src.Partial {
		return nil, false
	}
	var answer struct {
		Failures []struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if trimmed := strings.TrimSpace(string(out)); trimmed != "" && trimmed != "null" && json.Unmarshal(out, &answer) != nil {
		return nil, true
	}
	known := map[string]bool{}
	for _, k := range keys {
		known[k] = true
	}
	failed = map[string]bool{}
	for _, f := range answer.Failures {
		if !known[f.ID] {
			return nil, true
		}
		failed[f.ID] = true
	}
	return failed, false
}

// record is a message as SQS hands it to a function, encoded as the Go CDK's
// SQS driver sends it.
func (c *consumer) record(id string, m *pubsub.Message) map[string]any {
	c.mu.Lock()
	c.attempts[id]++
	attempt := c.attempts[id]
	c.mu.Unlock()
	attrs := map[string]any{}
	add := func(k, v string) {
		attrs[k] = map[string]any{"dataType": "String", "stringValue": v, "stringListValues": []string{}, "binaryListValues": []string{}}
	}
	for k, v := range m.Metadata {
		add(escapeName(k), url.PathEscape(v))
	}
	body := string(m.Body)
	if !utf8.Valid(m.Body) {
		body = base64.StdEncoding.EncodeToString(m.Body)
		add("base64encoded", "true")
	}
	sum := md5.Sum([]byte(body)) //nolint:gosec // see above
	now := strconv.FormatInt(c.e.opts.Clock.Now().UnixMilli(), 10)
	return map[string]any{
		"messageId": id, "receiptHandle": ids.Token(32), "body": body, "md5OfBody": hex.EncodeToString(sum[:]),
		"attributes": map[string]string{
			"ApproximateReceiveCount": strconv.Itoa(attempt), "SentTimestamp": now,
			"ApproximateFirstReceiveTimestamp": now, "SenderId": account,
		},
		"messageAttributes": attrs, "eventSource": "aws:sqs", "awsRegion": region,
		"eventSourceARN": "arn:aws:sqs:" + region + ":" + account + ":" + stackName + "-" + c.src.Queue,
	}
}

func escapeName(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '_' || r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "__%#x__", r)
		}
	}
	return b.String()
}
