package assemble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"gocloud.dev/blob"
	"gocloud.dev/pubsub"
	"gocloud.dev/runtimevar"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/config"
	"github.com/millrace/millrace/shared/egress"
	"github.com/millrace/millrace/shared/pgqueue"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/telemetry"
)

// Platform is what a process has opened. Parts are opened on first use, so that
// a cold start pays only for what its first request needs.
type Platform struct {
	Config    config.Config
	Clock     clock.Clock
	Logger    *slog.Logger
	Telemetry *telemetry.Telemetry

	pool   func() (*pgxpool.Pool, error)
	redis  func() (redis.UniversalClient, error)
	bucket func() (*blob.Bucket, error)
	egress func() *http.Client

	mu     sync.Mutex
	topics map[string]*pubsub.Topic
	shared map[string]any // parts that several functions of one process share
	closer []func(context.Context) error
}

// Open prepares a platform; nothing is connected yet. Settings that are URLs of
// a secret store (awssecretsmanager://, gcpsecretmanager://, ...) are read from
// there. Close it.
func Open(ctx context.Context, cfg config.Config, service string) (*Platform, error) {
	for _, setting := range []*string{&cfg.Data.DatabaseURL, &cfg.Data.RedisURL, &cfg.Security.SecretKey} {
		v, err := secretValue(ctx, *setting)
		if err != nil {
			return nil, err
		}
		*setting = v
	}
	p := &Platform{
		Config: cfg, Clock: clock.System{}, Logger: newLogger(cfg.Observe),
		topics: map[string]*pubsub.Topic{}, shared: map[string]any{},
	}
	tel, err := telemetry.Start(ctx, telemetry.Options{
		Enabled: cfg.Observe.OTelEnabled, ServiceName: service, OTLPEndpoint: cfg.Observe.OTLPEndpoint,
		Headers: telemetryHeaders(cfg.Observe),
	})
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	p.Telemetry = tel
	p.closer = append(p.closer, tel.Shutdown)
	p.pool = sync.OnceValues(p.openPool)
	p.redis = sync.OnceValues(p.openRedis)
	p.bucket = sync.OnceValues(func() (*blob.Bucket, error) { return p.openBucket(ctx) })
	p.egress = sync.OnceValue(func() *http.Client { return p.newEgress(0, !cfg.Egress.VerifyCertificate) })
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

func newLogger(o config.Observe) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if o.LogFormat == "json" {
		return slog.New(telemetry.LogHandler(slog.NewJSONHandler(os.Stderr, opts)))
	}
	return slog.New(telemetry.LogHandler(slog.NewTextHandler(os.Stderr, opts)))
}

func telemetryHeaders(o config.Observe) map[string]string {
	if o.OTLPAPIKey == "" {
		return nil
	}
	return map[string]string{"Authorization": "Bearer " + o.OTLPAPIKey}
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
	p.onClose(func(context.Context) error { pool.Close(); return nil })
	return pool, nil
}

// Redis is nil where no Redis is configured.
func (p *Platform) Redis() (redis.UniversalClient, error) { return p.redis() }

func (p *Platform) openRedis() (redis.UniversalClient, error) {
	if p.Config.Data.RedisURL == "" {
		return nil, nil //nolint:nilnil // documented above
	}
	opts, err := redis.ParseURL(p.Config.Data.RedisURL)
	if err != nil {
		return nil, fmt.Errorf("settings: REDIS_URL must look like redis://host:6379/0: %w", err)
	}
	client := redis.NewClient(opts)
	if err := p.Telemetry.InstrumentRedis(client); err != nil {
		return nil, err
	}
	p.onClose(func(context.Context) error { return client.Close() })
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
	p.onClose(func(context.Context) error { return b.Close() })
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
	p.closer = append(p.closer, topic.Shutdown)
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

func (p *Platform) onClose(f func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closer = append(p.closer, f)
}

// Close closes what was opened, the newest first.
func (p *Platform) Close(ctx context.Context) error {
	p.mu.Lock()
	list := p.closer
	p.closer = nil
	p.mu.Unlock()
	var all error
	for i := len(list) - 1; i >= 0; i-- {
		all = errors.Join(all, list[i](ctx))
	}
	return all
}
