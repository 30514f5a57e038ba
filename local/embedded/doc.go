// Package embedded starts the services a laptop lacks: a private PostgreSQL
// server for one data folder ([Start]) and a Redis-compatible server inside the
// process ([StartRedis]).
//
// It is not how a deployment gets its database: functions are given
// DATABASE_URL and REDIS_URL, and whoever sets those locally never comes here.
// It knows nothing of the product's schema either; that is migrations.
//
// Where to go next: postgres.go for the life of the server, binaries.go for
// where its programs come from, account.go for running it as root, and
// local/embedded/pgtest for databases in tests.
package embedded
