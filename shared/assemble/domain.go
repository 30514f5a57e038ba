package assemble

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/app/redisbus"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/postgres/accounts"
	"github.com/millrace/millrace/shared/postgres/apps"
	"github.com/millrace/millrace/shared/postgres/history"
	"github.com/millrace/millrace/shared/postgres/providers"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/provider/openaicompat"
	"github.com/millrace/millrace/shared/run"
	runhistory "github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/secretbox"
)

// secrets seals what belongs to a tenant with the tenant's key.
func secrets(p *Platform) (*secretbox.Box, error) {
	return once(p, "secrets", func() (*secretbox.Box, error) {
		bucket, err := p.Bucket()
		if err != nil {
			return nil, err
		}
		return secretbox.Open(bucket, &secretbox.Options{Clock: p.Clock}), nil
	})
}

// shortLived keeps tokens and counters: in Redis where there is one.
func shortLived(p *Platform) (ephemeral.Store, error) {
	return once(p, "ephemeral", func() (ephemeral.Store, error) {
		rdb, err := p.Redis()
		if err != nil {
			return nil, err
		}
		if rdb == nil {
			return ephemeral.NewMemory(p.Clock), nil
		}
		return ephemeral.NewRedis(rdb), nil
	})
}

func accountService(p *Platform) (*account.Service, error) {
	return once(p, "accounts", func() (*account.Service, error) {
		if err := p.Config.Need("SECRET_KEY"); err != nil {
			return nil, err
		}
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		tokens, err := shortLived(p)
		if err != nil {
			return nil, err
		}
		box, err := secrets(p)
		if err != nil {
			return nil, err
		}
		s := p.Config.Security
		return account.New(accounts.New(pool), tokens, box, &account.Options{
			SecretKey: s.SecretKey, Issuer: s.DeploymentEditionName, InitPassword: s.InitPassword,
			AccessTTL: time.Duration(s.AccessTokenMinutes) * time.Minute, Lockout: seconds(s.LoginLockoutSeconds),
			RefreshTTL: time.Duration(s.RefreshTokenDays * 24 * float64(time.Hour)), Clock: p.Clock,
		}), nil
	})
}

func providerService(p *Platform) (*provider.Service, error) {
	return once(p, "providers", func() (*provider.Service, error) {
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		box, err := secrets(p)
		if err != nil {
			return nil, err
		}
		return provider.NewService(providers.New(pool), box, []*provider.Definition{openaicompat.Definition(p.Egress())},
			&provider.Options{Clock: p.Clock, ConsoleURL: p.Config.URLs.ConsoleAPI, Logger: p.Logger}), nil
	})
}

func appService(p *Platform) (*app.Service, error) {
	return once(p, "apps", func() (*app.Service, error) {
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		pending, err := shortLived(p)
		if err != nil {
			return nil, err
		}
		box, err := secrets(p)
		if err != nil {
			return nil, err
		}
		rdb, err := p.Redis()
		if err != nil {
			return nil, err
		}
		var bus app.Bus
		if rdb != nil {
			bus = redisbus.New(rdb)
		}
		s := app.New(apps.New(pool), box, pending, &app.Options{
			Clock: p.Clock, KeyTTL: cmp.Or(p.Config.Security.AppKeyCache, -1), EncryptDatasetIDs: p.Config.Security.EncryptDatasetIDs,
			Fetch: fetch(p.Egress()), DefaultLLM: defaultLLM(p),
			HasPlugin: func(_ context.Context, _, pluginID string) bool {
				return strings.HasPrefix(openaicompat.ID, pluginID+"/")
			},
			Bus: bus,
		})
		if bus != nil && p.Config.Security.AppKeyCache > 0 {
			// Keys and apps that others change are forgotten here at once, not when
			// they expire.
			ctx, cancel := context.WithCancel(context.Background())
			p.OnClose(func(context.Context) error { cancel(); return nil })
			go func() {
				if err := s.Listen(ctx); err != nil && ctx.Err() == nil {
					p.Logger.Warn("changes of other processes are seen late", "error", err)
				}
			}()
		}
		return s, nil
	})
}

// defaultLLM finds the model that new apps start with.
func defaultLLM(p *Platform) func(ctx context.Context, tenantID string) (app.DefaultLLM, error) {
	return func(ctx context.Context, tenantID string) (app.DefaultLLM, error) {
		models, err := providerService(p)
		if err != nil {
			return app.DefaultLLM{}, err
		}
		m, err := models.Default(ctx, tenantID, llm.TypeLLM)
		if err != nil {
			return app.DefaultLLM{}, errs.New(errs.NotFound, "")
		}
		return app.DefaultLLM{Provider: m.Provider(), Model: m.Name(), Mode: string(m.Schema().Mode())}, nil
	}
}

func graphSource(p *Platform) (run.GraphSource, error) { return appService(p) }

func historyService(p *Platform) (*runhistory.Service, error) {
	return once(p, "history", func() (*runhistory.Service, error) {
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		return runhistory.NewService(history.New(pool)), nil
	})
}

// fetchTime bounds the download of a document from a user's address.
const fetchTime = 10 * time.Second

// fetch downloads documents that users name by address.
func fetch(client *http.Client) func(ctx context.Context, url string, maxBytes int64) ([]byte, error) {
	return func(ctx context.Context, url string, maxBytes int64) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, fetchTime)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, errs.Wrap(errs.InvalidParam, err, "the address is not valid")
		}
		res, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close() //nolint:errcheck // read below
		if res.StatusCode != http.StatusOK {
			return nil, errs.Newf(errs.InvalidParam, "the address answered %s", res.Status)
		}
		return io.ReadAll(io.LimitReader(res.Body, maxBytes+1))
	}
}
