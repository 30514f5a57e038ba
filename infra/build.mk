# Builds Lambda functions. `sam build` calls build-<LogicalId> for each function
# of infra/template.yaml; ChatMessagesFunction is functions/chat-messages.
# Included by the Makefile at the root, where template.yaml's CodeUri points.

LAMBDA_GOARCH ?= arm64
# grpcnotrace: without it a dependency links html/template, and the linker has to keep every
# exported method (15 MB instead of 10).
LAMBDA_TAGS := lambda.norpc,aws,grpcnotrace

build-%Function:
	@name=$$(echo '$*' | sed -E 's/([a-z0-9])([A-Z])/\1-\2/g' | tr 'A-Z' 'a-z'); \
	CGO_ENABLED=0 GOOS=linux GOARCH=$(LAMBDA_GOARCH) go build -trimpath -tags $(LAMBDA_TAGS) \
		-ldflags '-s -w' -o '$(ARTIFACTS_DIR)/bootstrap' "./functions/$$name"
