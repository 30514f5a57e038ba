package lambdaemu

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

const (
	jsonType        = "application/json"
	messageVariable = "$context.error.messageString"
)

// refusal is an answer that the gateway gives by itself: API Gateway's name for
// it, and what it says unless the template has words of its own.
type refusal struct {
	kind    string
	status  int
	message string
}

var (
	missingToken     = refusal{"MISSING_AUTHENTICATION_TOKEN", http.StatusForbidden, "Missing Authentication Token"}
	requestTooLarge  = refusal{"REQUEST_TOO_LARGE", http.StatusRequestEntityTooLarge, "Request Too Long"}
	timedOut         = refusal{"INTEGRATION_TIMEOUT", http.StatusGatewayTimeout, "Endpoint request timed out"}
	apiConfiguration = refusal{"API_CONFIGURATION_ERROR", http.StatusInternalServerError, "Internal server error"}
	// integrationError is for a function that failed or answered with nonsense; API Gateway has no
	// name for it but the default.
	integrationError = refusal{"DEFAULT_5XX", http.StatusBadGateway, "Internal server error"}
)

// refuse answers in the template's words for that kind, else in those for all
// errors of the client or of the server, else in API Gateway's.
func (g *gateway) refuse(w http.ResponseWriter, r refusal) {
	responses := g.e.opts.Template.GatewayResponses
	own, ok := responses[r.kind]
	if !ok && r.status < http.StatusInternalServerError {
		own, ok = responses["DEFAULT_4XX"]
	} else if !ok {
		own, ok = responses["DEFAULT_5XX"]
	}
	if own.Status != 0 {
		r.status = own.Status
	}
	if !ok || own.Template == "" {
		own.Template = `{"message":` + messageVariable + `}`
	}
	message, err := json.Marshal(r.message)
	if err != nil {
		panic(err) // a string
	}
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, strings.ReplaceAll(own.Template, messageVariable, string(message))) // nobody to tell
}
