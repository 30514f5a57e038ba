// Package dsl reads and writes the YAML form of apps: the text itself (Parse,
// Dump), its version rules (Compare), and the checks that an app document must
// pass before anything is stored (Read).
//
// The contract's files are YAML 1.1 as its server writes it, and people compare
// and version them, so Dump keeps that exact layout and Parse resolves plain
// scalars by the same rules. Values are those of package workflow/value, whose
// objects keep their key order.
//
// It stores nothing and knows no workspace: importing and exporting apps is in
// package app.
package dsl
