package embedded

import "log/slog"

// Source says where the PostgreSQL programs come from.
type Source string

// The two sources. Prefer in [Options] names the one to try first; the other is
// the fallback.
const (
	// SourceEmbedded is the build downloaded once into the cache folder.
	SourceEmbedded Source = "embedded"
	// SourceSystem is a PostgreSQL installed on this machine.
	SourceSystem Source = "system"
)

// Options says how to run the private PostgreSQL. Only DataDir is required.
type Options struct {
	// DataDir is the folder that holds everything of this server.
	DataDir string
	// CacheDir keeps downloaded programs; empty means [DefaultCacheDir].
	CacheDir string
	// Prefer is the source of the programs to try first; empty means SourceEmbedded.
	Prefer Source
	// MirrorURL is a Maven repository to download from instead of the public one.
	MirrorURL string
	// Port is the TCP port on 127.0.0.1; 0 takes a free one.
	Port int
	// Fast gives up durability for speed. For tests alone: a crash of the
	// machine may lose everything.
	Fast bool
	// Seed is a folder with an initialised cluster to copy instead of running
	// initdb. It must have been made with the same Password.
	Seed string
	// Password is the password for a new data folder; empty makes a random one.
	Password string
	// Settings are further server settings (name to value).
	Settings map[string]string
	// Progress hears what takes longer than a moment; nil hears nothing.
	Progress func(string)
	// Logger hears what matters to an operator; nil hears nothing.
	Logger *slog.Logger
}

// Database is the database [Postgres.URL] names.
const Database = "millrace"
