package conformance

import (
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow/value"
)

const uuidPattern = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`

// The patterns of values that differ from run to run; compiled once, never
// changed. Where a value counts only when nothing of its kind stands beside
// it, the pattern takes the whole run of such characters and the code looks at
// its form.
var (
	reUUID       = regexp.MustCompile(uuidPattern)
	reWholeUUID  = regexp.MustCompile(`\A` + uuidPattern + `\z`)
	reSiteCode   = regexp.MustCompile(`\A[A-Za-z0-9]{16}\z`)
	reValidation = regexp.MustCompile(`\d+ validation errors? for `)
	reURIHint    = regexp.MustCompile(`(?s)\s*You have requested this URI \[.*$`)
	reJWT        = regexp.MustCompile(`eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}`)
	reKey        = regexp.MustCompile(`\b(app|dataset|ds)-[A-Za-z0-9]{20,32}\b`)
	reMaskedKey  = regexp.MustCompile(`\b(app|dataset)-(?:\*{3}|\.{3})[A-Za-z0-9]{4,32}\b`)
	reSignature  = regexp.MustCompile(`timestamp=\d+&nonce=[0-9a-f]+&sign=[\w%=-]+`)
	reHex64      = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	reHexRun     = regexp.MustCompile(`[0-9a-f-]{32,}`)
	reFileRef    = regexp.MustCompile(`dify-file-ref:[\w+/=-]+`)
	reISO        = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?`)
	reDigitRun   = regexp.MustCompile(`\d{20,}`)
	reWebhook    = regexp.MustCompile(`(triggers/webhook(?:-debug)?/)([\p{L}\p{N}_-]{24,})`)
	reWordRun    = regexp.MustCompile(`[\p{L}\p{N}_.-]+`)
	reTimestamp  = regexp.MustCompile(`\A1[6-9]\d{8}(?:\.\d+)?\z`)
	reDuration   = regexp.MustCompile(`(\\?"(?:latency|time_to_first_token|time_to_generate|elapsed_time)\\?":\s*)-?\d[\d.e-]*`)
	reNumeric    = regexp.MustCompile(`\A-?\d+(\.\d+)?\z`)
)

// volatile reports whether numbers under a key are durations.
func volatile(key string) bool {
	switch key {
	case "elapsed_time", "latency", "time_to_first_token", "time_to_generate", "provider_response_latency", "total_time",
		"time_cost", "started_at_ms", "tps", "token_per_second", "duration", "indexing_latency":
		return true
	}
	return false
}

// opaque reports whether texts under a key are made anew each time.
func opaque(key string) bool {
	switch key {
	case "form_token", "hash", "access_token", "refresh_token", "csrf_token", "app_base_url", "server_code", "webhook_id":
		return true
	}
	return false
}

// literal is a text of this run and what stands for it in recordings.
type literal struct{ text, placeholder string }

// normaliser replaces what differs from run to run by placeholders. Uuids stay:
// the comparer matches them by identity.
type normaliser struct{ literals []literal }

func newNormaliser(literals []literal) *normaliser {
	n := &normaliser{}
	for _, l := range literals {
		if l.text != "" {
			n.literals = append(n.literals, l)
		}
	}
	// The longest first, so that none is cut by a shorter one.
	slices.SortStableFunc(n.literals, func(a, b literal) int {
		return utf8.RuneCountInString(b.text) - utf8.RuneCountInString(a.text)
	})
	return n
}

func (n *normaliser) text(s, key string) string {
	if opaque(key) && s != "" && !reWholeUUID.MatchString(s) {
		return "<" + key + ">"
	}
	if key == "code" && reSiteCode.MatchString(s) && strings.ToLower(s) != s {
		return "<site-code>"
	}
	if strings.Contains(s, "errors.pydantic.dev") || reValidation.MatchString(s) {
		return "<validation-detail>"
	}
	for _, l := range n.literals {
		s = strings.ReplaceAll(s, l.text, l.placeholder)
	}
	if key == "message" {
		s = strings.TrimRight(reURIHint.ReplaceAllString(s, ""), ".")
	}
	s = reJWT.ReplaceAllString(s, "<jwt>")
	s = reKey.ReplaceAllString(s, "<${1}-key>")
	s = reMaskedKey.ReplaceAllString(s, "<${1}-key-masked>")
	s = reSignature.ReplaceAllString(s, "<sig>")
	s = reHex64.ReplaceAllString(s, "<hex64>")
	s = reHexRun.ReplaceAllStringFunc(s, func(run string) string {
		if len(run) == 32 && !strings.Contains(run, "-") {
			return "<hex32>"
		}
		return run
	})
	s = reFileRef.ReplaceAllString(s, "<file-ref>")
	s = reISO.ReplaceAllString(s, "<iso>")
	s = reDigitRun.ReplaceAllStringFunc(s, func(run string) string {
		if len(run) == 20 && strings.HasPrefix(run, "20") {
			return "<batch>"
		}
		return run
	})
	s = replaceWebhooks(s)
	s = reWordRun.ReplaceAllStringFunc(s, func(run string) string {
		if reTimestamp.MatchString(run) {
			return "<ts>"
		}
		return run
	})
	return reDuration.ReplaceAllString(s, "${1}<num>")
}

func replaceWebhooks(s string) string {
	return reWebhook.ReplaceAllStringFunc(s, func(found string) string {
		m := reWebhook.FindStringSubmatch(found)
		if utf8.RuneCountInString(m[2]) == 24 {
			return m[1] + "<webhook_id>"
		}
		return found
	})
}

// value normalises deeply; key is the name under which v stands.
func (n *normaliser) value(v any, key string) any {
	switch v := v.(type) {
	case *value.Object:
		out := value.NewObject(v.Len())
		for k, x := range v.All() {
			if strings.HasSuffix(key, "_duration_map") {
				out.Set(n.text(k, ""), "<num>")
			} else {
				out.Set(n.text(k, ""), n.value(x, k))
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = n.value(x, key)
		}
		return out
	case string:
		if volatile(key) && reNumeric.MatchString(v) {
			return "<numstr>"
		}
		return n.text(v, key)
	}
	if f, ok := number(v); ok {
		switch {
		case volatile(key):
			return "<num>"
		case f > 1.5e9 && f < 4.2e9:
			return "<ts>"
		case f > 1.5e12 && f < 4.2e12:
			return "<ts-ms>"
		}
	}
	return v
}

// number returns numbers of any kind; booleans are none.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	}
	return 0, false
}
