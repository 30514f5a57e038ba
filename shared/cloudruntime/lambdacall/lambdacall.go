// Package lambdacall calls a Lambda function by name and waits for its answer.
// It is the AWS side of package sandbox/invoke's Call and knows nothing of what
// is called. Binaries for other clouds do not link it.
package lambdacall

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"go.opentelemetry.io/otel/propagation"
)

// Caller calls functions of one account and region.
type Caller struct {
	client *lambda.Client
	trace  propagation.TextMapPropagator
}

// Open returns a Caller with the credentials and region that the platform gives
// the process. It connects on the first call.
func Open(ctx context.Context) (*Caller, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("lambda: read the platform's configuration: %w", err)
	}
	return New(cfg), nil
}

// New returns a Caller with a configuration made elsewhere.
func New(cfg aws.Config) *Caller {
	return &Caller{
		client: lambda.NewFromConfig(cfg, func(o *lambda.Options) {
			// A call whose answer was lost may have been run; the caller decides
			// whether to repeat it.
			o.RetryMaxAttempts = 1
		}),
		trace: propagation.TraceContext{},
	}
}

// FunctionError says that the function ran and failed.
type FunctionError struct {
	Function string
	Type     string `json:"errorType"`
	Message  string `json:"errorMessage"`
}

// Error names the function and what it said.
func (e *FunctionError) Error() string { return e.Function + ": " + e.Type + ": " + e.Message }

// Invoke calls function with payload, both JSON. The caller's trace goes along.
// A function that failed is a *FunctionError.
func (c *Caller) Invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	in := &lambda.InvokeInput{FunctionName: aws.String(function), Payload: payload}
	carrier := propagation.MapCarrier{}
	if c.trace.Inject(ctx, carrier); len(carrier) > 0 {
		custom, err := json.Marshal(map[string]any{"custom": carrier})
		if err != nil {
			return nil, fmt.Errorf("lambda: encode trace context: %w", err)
		}
		in.ClientContext = aws.String(base64.StdEncoding.EncodeToString(custom))
	}
	out, err := c.client.Invoke(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("lambda: call %s: %w", function, err)
	}
	if out.FunctionError != nil {
		fe := &FunctionError{Function: function, Type: aws.ToString(out.FunctionError)}
		_ = json.Unmarshal(out.Payload, fe) // what cannot be read is described by the type
		return nil, fe
	}
	return out.Payload, nil
}
