.DEFAULT_GOAL := help
.PHONY: help run demo test race lint verify bench conformance sam-validate

help: ## list the targets
	@awk 'BEGIN{FS=":.*## "} /^[a-zA-Z_-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## start everything on one port (go run ./local)
	go run ./local

demo: ## the same, with an account, a model and example apps
	go run ./local demo

test: ## all tests; needs Go alone
	go test ./...

race: ## all tests with the race detector, in random order
	go test -race -shuffle=on ./...

lint: ## golangci-lint with the project's configuration
	golangci-lint run ./...

verify: ## what a change must pass before it is sent
	test -z "$$(gofmt -l .)"
	go vet ./...
	go mod tidy -diff
	$(MAKE) lint race

conformance: ## recorded conversations with the contract, against a server of its own
	go test ./conformance -count=1

bench: ## compare with the limits of this machine; prints ratios
	go run ./bench

sam-validate: ## check the deployment template (needs aws-sam-cli and cfn-lint)
	sam validate --lint --template infra/template.yaml
	cfn-lint infra/template.yaml

-include infra/build.mk
