// Package console is what all parts of the console's API share: who makes a
// request. It reads the session's cookies, compares CSRF tokens, checks that
// the first-time setup is done, and what the caller's role allows.
//
// It serves no routes; those are in its subfolders, one for each function of
// the console. Accounts, passwords and tokens themselves are package account.
//
// START HERE: Auth and its method Session in auth.go.
package console
