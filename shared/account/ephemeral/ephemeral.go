// Package ephemeral is the seam for values that live for minutes or days and
// may be lost: refresh tokens, counters of failed logins, imports that wait for
// confirmation. Memory serves one process, Redis all of them, with the key
// names of the contract.
//
// Nothing whose loss matters belongs here; that is what the database is for.
// Every implementation passes the suite in ephemeraltest.
package ephemeral

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/redisdb"
)

// Store keeps values for a time. Implementations are safe for concurrent use.
type Store interface {
	// Set stores a value for ttl; ttl must be positive.
	Set(ctx context.Context, key, value string, ttl time.Duration) error
	// Get returns a value. Codes: NotFound.
	Get(ctx context.Context, key string) (string, error)
	// Take returns a value and deletes it; of several takers one gets it. Codes:
	// NotFound.
	Take(ctx context.Context, key string) (string, error)
	// Delete removes keys; those that are not there do not matter.
	Delete(ctx context.Context, keys ...string) error
	// Increment adds one to a counter and returns it. The first addition starts
	// its ttl.
	Increment(ctx context.Context, key string, ttl time.Duration) (int64, error)
}

// Memory keeps values in this process.
type Memory struct {
	clock clock.Clock

	mu     sync.Mutex
	values map[string]entry
}

type entry struct {
	value string
	count int64
	until time.Time
}

var (
	_ Store = (*Memory)(nil)
	_ Store = (*Redis)(nil)
)

// NewMemory returns an empty store; a nil clock means the machine's.
func NewMemory(c clock.Clock) *Memory {
	if c == nil {
		c = clock.System{}
	}
	return &Memory{clock: c, values: map[string]entry{}}
}

// Set stores a value.
func (m *Memory) Set(_ context.Context, key, value string, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	if len(m.values) >= 1024 { // expired entries that nobody asks for again
		for k, e := range m.values {
			if !now.Before(e.until) {
				delete(m.values, k)
			}
		}
	}
	m.values[key] = entry{value: value, until: now.Add(ttl)}
	return nil
}

func (m *Memory) live(key string) (entry, bool) {
	e, ok := m.values[key]
	if ok && !m.clock.Now().Before(e.until) {
		delete(m.values, key)
		return entry{}, false
	}
	return e, ok
}

// Get returns a value.
func (m *Memory) Get(_ context.Context, key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.live(key)
	if !ok {
		return "", missing()
	}
	return e.value, nil
}

// Take returns a value and deletes it.
func (m *Memory) Take(_ context.Context, key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.live(key)
	if !ok {
		return "", missing()
	}
	delete(m.values, key)
	return e.value, nil
}

// Delete removes keys.
func (m *Memory) Delete(_ context.Context, keys ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		delete(m.values, k)
	}
	return nil
}

// Increment adds one to a counter.
func (m *Memory) Increment(_ context.Context, key string, ttl time.Duration) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.live(key)
	if !ok {
		e.until = m.clock.Now().Add(ttl)
	}
	e.count++
	m.values[key] = e
	return e.count, nil
}

// Redis keeps values in Redis.
type Redis struct{ client *redisdb.Client }

// NewRedis returns a store on client, which stays the caller's to close.
func NewRedis(client *redisdb.Client) *Redis { return &Redis{client} }

// Set stores a value.
func (r *Redis) Set(ctx context.Context, key, value string, ttl time.Duration) error {
	return r.client.Do(ctx, "SET", key, value, "PX", millis(ttl)).Err()
}

// Get returns a value.
func (r *Redis) Get(ctx context.Context, key string) (string, error) {
	return found(r.client.Do(ctx, "GET", key).Text())
}

// Take returns a value and deletes it.
func (r *Redis) Take(ctx context.Context, key string) (string, error) {
	return found(r.client.Do(ctx, "GETDEL", key).Text())
}

// Delete removes keys.
func (r *Redis) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	args := make([]any, len(keys))
	for i, k := range keys {
		args[i] = k
	}
	return r.client.Do(ctx, "DEL", args...).Err()
}

// Increment adds one to a counter.
func (r *Redis) Increment(ctx context.Context, key string, ttl time.Duration) (int64, error) {
	replies, err := r.client.Transaction(ctx, redisdb.Cmd("INCR", key), redisdb.Cmd("PEXPIRE", key, millis(ttl), "NX"))
	if err != nil {
		return 0, err
	}
	for _, reply := range replies {
		if reply.Err() != nil {
			return 0, reply.Err()
		}
	}
	return replies[0].Int()
}

// millis is a time to live as Redis takes it: whole, and not 0.
func millis(ttl time.Duration) int64 { return max(ttl.Milliseconds(), 1) }

func found(value string, err error) (string, error) {
	if errors.Is(err, redisdb.ErrNil) {
		return "", missing()
	}
	return value, err
}

func missing() error { return errs.New(errs.NotFound, "Not found or expired.") }
