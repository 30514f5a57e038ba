package usage_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/usage"
)

func TestPeriods(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 31, 23, 59, 0, 0, time.FixedZone("east", 3600))
	for period, want := range map[string][2]string{
		usage.Day:   {"2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"},
		usage.Month: {"2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		usage.Total: {"1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
	} {
		s := usage.State{Budget: usage.Budget{Period: period}, PeriodStart: usage.PeriodStart(period, at)}
		require.Equal(t, want[0], s.PeriodStart.Format(time.RFC3339), period)
		require.Equal(t, want[1], s.ResetsAt().Format(time.RFC3339), period)
	}
}

func TestExceeded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tokens, spent int64
		price, paid   string
		want          bool
	}{
		"below":         {10, 9, "", "5", false},
		"reached":       {10, 10, "", "0", true},
		"price below":   {0, 999, "0.1", "0.0999999", false},
		"price reached": {0, 0, "0.1", "0.10", true},
		"price above":   {0, 0, "9", "10", true},
		"tiny":          {0, 0, "1", "1E-7", false},
		"either":        {10, 0, "1", "2", true},
	} {
		s := usage.State{Budget: usage.Budget{Tokens: c.tokens, Price: c.price}, SpentTokens: c.spent, SpentPrice: c.paid}
		require.Equal(t, c.want, s.Exceeded(), name)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	s := usage.State{Budget: usage.Budget{ID: "b", Period: usage.Total, Tokens: 5, Price: "1", Currency: "EUR"}, SpentTokens: 7, SpentPrice: "0.5"}
	require.Equal(t, "budget_exceeded: The total budget b of the workspace is used up: 7 of 5 tokens and 0.5 of 1 EUR; it does not reset.", usage.Explain(s.StopReason()))
	for _, other := range []string{"", "User requested stop.", "budget_exceeded {"} {
		require.Equal(t, other, usage.Explain(other))
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"1E-7": "0.0000001", "0.50": "0.5", "3": "3", "0": "0", "0.0000": "0", "12.3400": "12.34"} {
		require.Equal(t, want, usage.Plain(llm.MustDecimal(in)), in)
	}
}
