# make alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PKG ?= ./...
ARGS ?=
TIMEOUT ?= 10m
GOLANGCI_LINT := v2.15.0

LINT := bin/golangci-lint-$(GOLANGCI_LINT)
GO_FILES = $$(find . -name '.?*' -prune -o -name '*.go' -print)
SCRIPTS = $$(grep -rlE '^\#!.*\bbash$$' scripts .ci)

.PHONY: help
help: ## List the targets
	@awk -F ' *:.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	echo
	echo '  e.g. make test PKG=./consumer ARGS="-run TestRetry -v", make demo ARGS="-h"'
	echo '  AMQP_URL=... uses a broker of yours; scripts/broker help tells how one is chosen'

.PHONY: demo
demo: ## Start a broker and run examples/import against it (ARGS)
	@scripts/broker up
	AMQP_URL=$$(scripts/broker url) go run ./examples/import $(ARGS)

.PHONY: test
test: ## All tests, with the race detector and a broker (PKG, ARGS, TIMEOUT)
	@scripts/need cc=gcc,libc6-dev # the race detector is linked by a C compiler
	scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	CGO_ENABLED=1 go test -race -count=1 -timeout $(TIMEOUT) $(ARGS) $(PKG)

.PHONY: test-4
test-4: ## The same with RabbitMQ 4 (Linux, as root)
	@BROKER=4 $(MAKE) --no-print-directory test

.PHONY: check
check: check-format check-vet check-lint check-scripts check-tidy ## Format, vet, lint, scripts, go.mod

.PHONY: check-format
check-format:
	@echo gofmt
	bad=$$(gofmt -l $(GO_FILES))
	[ -z "$$bad" ] || { echo "not formatted, run make format:"; echo "$$bad"; exit 1; }

.PHONY: check-vet
check-vet:
	@echo go vet
	go vet ./...

.PHONY: check-lint
check-lint: $(LINT)
	@echo golangci-lint
	$(LINT) run ./...

.PHONY: check-scripts
check-scripts:
	@echo shellcheck
	scripts/need shellcheck
	shellcheck $(SCRIPTS)

.PHONY: check-tidy
check-tidy:
	@echo go mod tidy
	go mod tidy -diff

.PHONY: format
format: ## Format the Go files
	@gofmt -w $(GO_FILES)

.PHONY: broker-up
broker-up: ## Start a broker (BROKER=4 for RabbitMQ 4) and print its URL
	@scripts/broker up
	scripts/broker url

.PHONY: broker-down
broker-down: ## Stop it
	@scripts/broker down

.PHONY: clean
clean: ## Stop the private brokers, delete their data and what was built
	@unset AMQP_URL
	export BUNNICULA_BROKER=private
	scripts/broker wipe
	BROKER=4 scripts/broker wipe
	rm -rf --one-file-system .broker bin

# Built here, and not a tool in go.mod: its hundreds of dependencies are not ours.
$(LINT):
	@echo "building golangci-lint $(GOLANGCI_LINT) (once, a minute or two)"
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv bin/golangci-lint $@
