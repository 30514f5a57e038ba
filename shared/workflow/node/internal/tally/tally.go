// Package tally adds up what the passes of a container cost and how long they
// took, in the form in which the contract shows it.
//
// It decides nothing: see node/iteration and node/loop.
package tally

import (
	"strconv"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Tally sums up the passes of one execution of a container. The zero value is
// empty.
type Tally struct {
	usage     *workflow.Usage
	price     llm.Decimal
	durations map[int]float64
}

// Add takes the end of a pass.
func (t *Tally) Add(p workflow.PassEnd) {
	if t.durations == nil {
		t.durations = map[int]float64{}
	}
	t.durations[p.Index] = p.Elapsed
	if p.Usage == nil {
		return
	}
	if t.usage == nil {
		t.usage = &workflow.Usage{}
	}
	t.usage.PromptTokens += p.Usage.PromptTokens
	t.usage.CompletionTokens += p.Usage.CompletionTokens
	t.usage.TotalTokens += p.Usage.TotalTokens
	if p.Usage.Currency != "" {
		t.usage.Currency = p.Usage.Currency
	}
	if price, err := llm.ParseDecimal(p.Usage.TotalPrice); err == nil {
		t.price = t.price.Add(price)
	}
	t.usage.TotalPrice = t.price.String()
	t.usage.Object = addObjects(t.usage.Object, p.Usage.Object)
}

// addObjects adds two usage objects of the contract: counts, prices and
// latencies add up, everything else is the later one's.
func addObjects(sum, later *value.Object) *value.Object {
	if sum == nil || later == nil {
		if later == nil {
			return sum
		}
		return later
	}
	out := later.Clone()
	for _, key := range []string{"prompt_tokens", "completion_tokens", "total_tokens"} {
		a, _ := sum.Value(key).(int64)
		b, _ := later.Value(key).(int64)
		out.Set(key, a+b)
	}
	for _, key := range []string{"prompt_price", "completion_price", "total_price"} {
		a, err := llm.ParseDecimal(sum.String(key))
		b, err2 := llm.ParseDecimal(later.String(key))
		if err == nil && err2 == nil {
			out.Set(key, a.Add(b).String())
		}
	}
	a, _ := sum.Value("latency").(float64)
	b, _ := later.Value("latency").(float64)
	out.Set("latency", a+b)
	return out
}

// Usage is the sum of the passes, nil when none of them called a model.
func (t *Tally) Usage() *workflow.Usage { return t.usage }

// Metadata returns the totals of a container.
func (t *Tally) Metadata() *value.Object {
	tokens, price, currency := int64(0), "0.0", "USD"
	if t.usage != nil {
		tokens, price = t.usage.TotalTokens, t.usage.TotalPrice
		if t.usage.Currency != "" {
			currency = t.usage.Currency
		}
	}
	return value.Obj("total_tokens", tokens, "total_price", price, "currency", currency)
}

// Durations returns the seconds of each pass by its index.
func (t *Tally) Durations() *value.Object {
	out := value.NewObject(len(t.durations))
	for i, left := 0, len(t.durations); left > 0; i++ {
		if seconds, ok := t.durations[i]; ok {
			out.Set(strconv.Itoa(i), seconds)
			left--
		}
	}
	return out
}
