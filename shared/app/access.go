package app

import (
	"context"
	"time"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// Bus tells other processes to forget what they keep of an app or key. Messages
// may be lost: what is kept expires by itself.
type Bus interface {
	// Publish tells everybody who listens.
	Publish(ctx context.Context, key string) error
	// Listen calls forget for every message until ctx ends.
	Listen(ctx context.Context, forget func(key string)) error
}

// maxCached bounds what is kept in memory of each kind.
const maxCached = 4096

type cachedAccess struct {
	kind   string
	access Access
	until  time.Time
}

// Listen takes in what other processes change until ctx ends. Without a Bus it
// returns at once.
func (s *Service) Listen(ctx context.Context) error {
	if s.opts.Bus == nil {
		return nil
	}
	return s.opts.Bus.Listen(ctx, s.forget)
}

func (s *Service) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	delete(s.keys, key)
	for token, c := range s.keys {
		if c.access.App.ID == key {
			delete(s.keys, token)
		}
	}
}

// changed forgets what is kept of an app or key, here and elsewhere.
func (s *Service) changed(ctx context.Context, key string) error {
	s.forget(key)
	if s.opts.Bus == nil {
		return nil
	}
	return s.opts.Bus.Publish(ctx, key)
}

// ByKey returns what an app's key opens. Codes: Unauthorized (no such key),
// Forbidden (the app is gone, off or its workspace archived).
func (s *Service) ByKey(ctx context.Context, token string) (Access, error) {
	a, err := s.access(ctx, TokenApp, token)
	if err != nil {
		return Access{}, err
	}
	switch {
	case a.AppMissing:
		return Access{}, errs.New(errs.Forbidden, "The app no longer exists.")
	case a.App.Status != StatusNormal:
		return Access{}, errs.New(errs.Forbidden, "The app's status is abnormal.")
	case !a.App.EnableAPI:
		return Access{}, errs.New(errs.Forbidden, "The app's API service has been disabled.")
	case a.TenantStatus == account.Archived:
		return Access{}, errs.New(errs.Forbidden, "The workspace's status is archived.")
	}
	return a, nil
}

// ByDatasetKey returns the workspace that a knowledge key opens. Codes:
// Unauthorized.
func (s *Service) ByDatasetKey(ctx context.Context, token string) (Access, error) {
	return s.access(ctx, TokenDataset, token)
}

func (s *Service) access(ctx context.Context, kind, token string) (Access, error) {
	now := s.now()
	s.mu.Lock()
	have, ok := s.keys[token]
	version := s.version
	s.mu.Unlock()
	if ok && now.Before(have.until) && have.kind == kind {
		return have.access, nil
	}
	a, err := s.store.Access(ctx, kind, token, now)
	if errs.Is(err, errs.NotFound) {
		return Access{}, errs.New(errs.Unauthorized, "Access token is invalid")
	}
	if err != nil {
		return Access{}, err
	}
	if s.opts.KeyTTL > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.keys) >= maxCached {
			clear(s.keys)
		}
		// What changed while the row was read must not come back from the read.
		if s.version == version {
			s.keys[token] = cachedAccess{kind, a, now.Add(s.opts.KeyTTL)}
		}
	}
	return a, nil
}

// The types of end users.
const (
	EndUserService = "service-api"
	EndUserBrowser = "browser"
)

// AnonymousSession is the session of calls that name no user.
const AnonymousSession = "DEFAULT-USER"

// EndUser returns the end user of an app that calls itself session, and makes
// it at its first call; "" means nobody in particular.
func (s *Service) EndUser(ctx context.Context, tenantID, appID, kind, session string) (EndUser, error) {
	anonymous := session == "" || session == AnonymousSession
	if session == "" {
		session = AnonymousSession
	}
	key := tenantID + "/" + appID + "/" + kind + "/" + session
	s.mu.Lock()
	u, ok := s.users[key]
	s.mu.Unlock()
	if ok {
		return u, nil
	}
	now := s.now()
	u, err := s.store.EndUser(ctx, EndUser{
		ID: ids.Random(), TenantID: tenantID, AppID: appID, Type: kind, SessionID: session, ExternalUserID: session, IsAnonymous: anonymous,
		CreatedAt: now, UpdatedAt: now,
	})
	if err != nil {
		return EndUser{}, err
	}
	// End users never change and are never deleted while their app is there, so
	// they are kept without a time limit.
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.users) >= maxCached {
		clear(s.users)
	}
	s.users[key] = u
	return u, nil
}

// EndUserByID returns an end user of an app. Codes: NotFound.
func (s *Service) EndUserByID(ctx context.Context, tenantID, appID, id string) (EndUser, error) {
	return s.store.EndUserByID(ctx, tenantID, appID, id)
}
