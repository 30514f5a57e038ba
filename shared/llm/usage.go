package llm

import "time"

// Usage is what a call cost. The order of its fields is the contract's: it can
// be seen where usage is streamed as text.
type Usage struct {
	PromptTokens        int      `json:"prompt_tokens"`
	PromptUnitPrice     Decimal  `json:"prompt_unit_price"`
	PromptPriceUnit     Decimal  `json:"prompt_price_unit"`
	PromptPrice         Decimal  `json:"prompt_price"`
	CompletionTokens    int      `json:"completion_tokens"`
	CompletionUnitPrice Decimal  `json:"completion_unit_price"`
	CompletionPriceUnit Decimal  `json:"completion_price_unit"`
	CompletionPrice     Decimal  `json:"completion_price"`
	TotalTokens         int      `json:"total_tokens"`
	TotalPrice          Decimal  `json:"total_price"`
	Currency            string   `json:"currency"`
	Latency             float64  `json:"latency"`
	TimeToFirstToken    *float64 `json:"time_to_first_token"`
	TimeToGenerate      *float64 `json:"time_to_generate"`
}

// EmptyUsage is the usage of a call that never happened.
func EmptyUsage() Usage { return Usage{Currency: "USD"} }

// Pricing is a model's price table: tokens × price × unit.
type Pricing struct {
	Input    Decimal `json:"input"`
	Output   Decimal `json:"output"`
	Unit     Decimal `json:"unit"`
	Currency string  `json:"currency"`
}

const priceScale = 7

// TokenUsage prices a call's tokens; a nil table makes every price 0.
func TokenUsage(pricing *Pricing, promptTokens, completionTokens int) Usage {
	u := EmptyUsage()
	u.PromptTokens, u.CompletionTokens = promptTokens, completionTokens
	u.TotalTokens = promptTokens + completionTokens
	if pricing == nil {
		return u
	}
	u.Currency = pricing.Currency
	u.PromptUnitPrice, u.PromptPriceUnit = pricing.Input, pricing.Unit
	u.CompletionUnitPrice, u.CompletionPriceUnit = pricing.Output, pricing.Unit
	u.PromptPrice = pricing.Input.MulInt(promptTokens).Mul(pricing.Unit).Round(priceScale)
	u.CompletionPrice = pricing.Output.MulInt(completionTokens).Mul(pricing.Unit).Round(priceScale)
	u.TotalPrice = u.PromptPrice.Add(u.CompletionPrice)
	return u
}

// Add sums up several calls: tokens and prices add up, the rest is the last
// call's.
func (u Usage) Add(last Usage) Usage {
	if u.TotalTokens == 0 {
		return last
	}
	sum := last
	sum.PromptTokens += u.PromptTokens
	sum.CompletionTokens += u.CompletionTokens
	sum.TotalTokens += u.TotalTokens
	sum.PromptPrice = u.PromptPrice.Add(last.PromptPrice)
	sum.CompletionPrice = u.CompletionPrice.Add(last.CompletionPrice)
	sum.TotalPrice = u.TotalPrice.Add(last.TotalPrice)
	return sum
}

// seconds rounds a duration the way latencies are stored.
func seconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Second)
}
