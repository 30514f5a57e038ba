// Package identity is the console's edge of people and workspaces: the routes
// of the function console-identity (first-time setup, login, tokens, account,
// workspaces, members, features).
//
// It decides nothing about accounts, that is package account, and reads no
// cookies itself, that is package console. Registration, invitations, login by
// mail or by other services, and changes of address have no routes here, so
// that a router answers 501 for them. Icons of model providers lie below this
// function's paths but belong to shared/api/console/providers.
//
// START HERE: Routes.
package identity
