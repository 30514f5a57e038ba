// Package sites looks up apps' pages by their public code. Everything else
// about pages is package apps'.
package sites

import (
	"context"

	"github.com/millrace/millrace/shared/postgres"
)

// Store looks pages up.
type Store struct{ db postgres.Querier }

// New returns a store on db.
func New(db postgres.Querier) *Store { return &Store{db} }

// HasSite reports whether there is a page with that code that people may open.
// The code is what the public knows of a page, so no tenant is asked for.
func (st *Store) HasSite(ctx context.Context, code string) (bool, error) {
	var ok bool
	err := st.db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM sites s JOIN apps a ON a.id = s.app_id
		WHERE s.code = $1 AND s.status = 'normal' AND a.status = 'normal' AND a.enable_site)`, code).Scan(&ok)
	return ok, postgres.Error(err, "")
}
