package assemble

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"gocloud.dev/blob"
	"gocloud.dev/pubsub"
	"gocloud.dev/runtimevar"

	"github.com/millrace/millrace/shared/assemble/process"
	"github.com/millrace/millrace/shared/config"
	"github.com/millrace/millrace/shared/egress"
	"github.com/millrace/millrace/shared/pgqueue"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/redisdb"
	"github.com/millrace/millrace/shared/sandbox/invoke"
)

// Platform is what a process has opened. Parts are opened on first use, so that
// a cold start pays only for what its first request needs.
type Platform struct {
	*process.Process

	pool   func() (*pgxpool.Pool, error)
	redis  func() (*redisdb.Client, error)
	bucket func() (*blob.Bucket, error)
	egress func() *http.Client

	mu     sync.Mutex
	topics map[string]*pubsub.Topic
	shared map[string]any // parts that several functions of one process share
	caller func(context.Context) (invoke.Call, error)
}

// Option changes a platform that is being opened.
type Option func(*Platform)

// CallFunctions lets the function call others by name, through what open
// returns. open is called once, at the first call. What it links (a client of
// the platform's API) only those functions link that need it.
func CallFunctions(open func(context.Context) (invoke.Call, error)) Option {
	return func(p *Platform) { p.caller = open }
}

// Open prepares a platform; nothing is connected yet. Close it.
func Open(ctx context.Context, cfg config.Config, service string, opts ...Option) (*Platform, error) {
	proc, err := process.Open(ctx, cfg, service)
	if err != nil {
		return nil, err
	}
	return New(ctx, proc, opts...)
}

// New makes the platform of a process, which closes it. Settings that are URLs
// of a secret store (awssecretsmanager://, gcpsecretmanager://, ...) are read
// from there.
func New(ctx context.Context, proc *process.Process, opts ...Option) (*Platform, error) {
	c := &proc.Config
	for _, setting := range []*string{&c.Data.DatabaseURL, &c.Data.RedisURL, &c.Security.SecretKey, &c.Mail.SMTPPassword} {
		v, err := secretValue(ctx, *setting)
		if err != nil {
			return nil, err
		}
		*setting = v
	}
	p := &Platform{Process: proc, topics: map[string]*pubsub.Topic{}, shared: map[string]any{}}
	p.pool = sync.OnceValues(p.openPool)
	p.redis = sync.OnceValues(p.openRedis)
	p.bucket = sync.OnceValues(func() (*blob.Bucket, error) { return p.openBucket(ctx) })
	p.egress = sync.OnceValue(func() *http.Client { return p.newEgress(0, !p.Config.Egress.VerifyCertificate) })
	for _, o := range opts {
		o(p)
	}
	return p, nil
}

// secretValue reads a setting that names a secret store, and returns others as
// they are.
func secretValue(ctx context.Context, setting string) (string, error) {
	scheme, _, ok := strings.Cut(setting, "://")
	if !ok || !runtimevar.DefaultURLMux().ValidVariableScheme(scheme) {
		return setting, nil
	}
	v, err := runtimevar.OpenVariable(ctx, setting)
	if err != nil {
		return "", fmt.Errorf("settings: open %s secret: %w", scheme, err)
	}
	defer v.Close() //nolint:errcheck // it was read
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	snap, err := v.Latest(ctx)
	if err != nil {
		return "", fmt.Errorf("settings: read %s secret: %w", scheme, err)
	}
	text, ok := snap.Value.(string)
	if !ok {
		return "", fmt.Errorf("settings: the %s secret is no text; add decoder=string to its URL", scheme)
	}
	return text, nil
}

// Pool is the database.
func (p *Platform) Pool() (*pgxpool.Pool, error) { return p.pool() }

func (p *Platform) openPool() (*pgxpool.Pool, error) {
	if err := p.Config.Need("DATABASE_URL"); err != nil {
		return nil, err
	}
	pool, err := postgres.Open(context.Background(), p.Config.Data.DatabaseURL, &postgres.Options{
		MaxConns: p.Config.Data.PoolSize, Trace: p.Telemetry.Enabled(),
	})
	if err != nil {
		return nil, err
	}
	p.OnClose(func(context.Context) error { pool.Close(); return nil })
	return pool, nil
}

// Redis is nil where no Redis is configured.
func (p *Platform) Redis() (*redisdb.Client, error) { return p.redis() }

func (p *Platform) openRedis() (*redisdb.Client, error) {
	if p.Config.Data.RedisURL == "" {
		return nil, nil //nolint:nilnil // documented above
	}
	client, err := redisdb.Open(p.Config.Data.RedisURL, &redisdb.Options{Trace: p.Telemetry.RedisCommand, Clock: p.Clock})
	if err != nil {
		return nil, fmt.Errorf("settings: REDIS_URL must look like redis://host:6379/0: %w", err)
	}
	p.OnClose(func(context.Context) error { return client.Close() })
	return client, nil
}

// Bucket holds files and tenants' keys.
func (p *Platform) Bucket() (*blob.Bucket, error) { return p.bucket() }

func (p *Platform) openBucket(ctx context.Context) (*blob.Bucket, error) {
	if err := p.Config.Need("BLOB_URL"); err != nil {
		return nil, err
	}
	b, err := blob.OpenBucket(ctx, p.Config.Data.BlobURL)
	if err != nil {
		return nil, fmt.Errorf("settings: BLOB_URL: %w", err)
	}
	p.OnClose(func(context.Context) error { return b.Close() })
	return b, nil
}

// Egress is the client that dials out for users.
func (p *Platform) Egress() *http.Client { return p.egress() }

// newEgress makes an egress client; maxBytes 0 means the package's bound,
// insecure accepts any certificate.
func (p *Platform) newEgress(maxBytes int64, insecure bool) *http.Client {
	e := p.Config.Egress
	o := egress.Options{
		AllowPrivate: e.AllowPrivate, MaxBytes: maxBytes, Clock: p.Clock, InsecureSkipVerify: insecure,
		Timeouts: egress.Timeouts{
			Connect: seconds(e.ConnectSeconds), Read: seconds(e.ReadSeconds), Write: seconds(e.WriteSeconds),
		},
	}
	if p.Telemetry.Enabled() {
		o.Wrap = p.Telemetry.HTTPTransport
	}
	if u, err := url.Parse(e.ProxyURL); err == nil && e.ProxyURL != "" {
		o.Proxy = u
	}
	return egress.NewClient(o)
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// Topic opens a queue for sending.
func (p *Platform) Topic(ctx context.Context, queue string) (*pubsub.Topic, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.topics[queue]; ok {
		return t, nil
	}
	var topic *pubsub.Topic
	if p.Config.Data.QueueURL == "" {
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		topic = pgqueue.OpenTopic(pool, queue, nil)
	} else {
		var err error
		if topic, err = pubsub.OpenTopic(ctx, strings.ReplaceAll(p.Config.Data.QueueURL, "%s", queue)); err != nil {
			return nil, fmt.Errorf("settings: MILLRACE_QUEUE_URL: %w", err)
		}
	}
	p.topics[queue] = topic
	p.OnClose(topic.Shutdown)
	return topic, nil
}

// once builds a part that the functions of one process share.
func once[T any](p *Platform, name string, build func() (T, error)) (T, error) {
	p.mu.Lock()
	have, ok := p.shared[name]
	p.mu.Unlock()
	if ok {
		return have.(T), nil
	}
	v, err := build()
	if err != nil {
		return v, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if have, ok := p.shared[name]; ok {
		return have.(T), nil
	}
	p.shared[name] = v
	return v, nil
}
