package redisdb

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// target is where and as whom to connect.
type target struct {
	network, address string
	options          []redis.DialOption
}

// parseURL reads an address. Errors do not repeat it: it holds a password.
func parseURL(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, errors.New("redis: the URL cannot be read")
	}
	t := target{network: "tcp"}
	query := u.Query()
	db := query.Get("db")
	query.Del("db")
	switch u.Scheme {
	case "redis", "rediss":
		host, port := u.Hostname(), u.Port()
		if host == "" {
			host = "localhost"
		}
		if port == "" {
			port = "6379"
		}
		t.address = net.JoinHostPort(host, port)
		if path := strings.Trim(u.Path, "/"); path != "" {
			db = path
		}
		if u.Scheme == "rediss" {
			skip, _ := strconv.ParseBool(query.Get("skip_verify"))
			query.Del("skip_verify")
			t.options = append(t.options, redis.DialUseTLS(true), redis.DialTLSSkipVerify(skip))
		}
	case "unix":
		if t.network, t.address = "unix", u.Path; t.address == "" {
			return target{}, errors.New("redis: a unix:// URL needs the path of a socket")
		}
	default:
		return target{}, fmt.Errorf("redis: unknown scheme %q, want redis, rediss or unix", u.Scheme)
	}
	for name := range query {
		return target{}, fmt.Errorf("redis: unknown option %q in the URL", name)
	}
	if db != "" {
		n, err := strconv.Atoi(db)
		if err != nil || n < 0 {
			return target{}, fmt.Errorf("redis: the database must be a number, not %q", db)
		}
		t.options = append(t.options, redis.DialDatabase(n))
	}
	if password, ok := u.User.Password(); ok {
		t.options = append(t.options, redis.DialUsername(u.User.Username()), redis.DialPassword(password))
	}
	return t, nil
}
