# make alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PKG ?= ./...
ARGS ?=
TIMEOUT ?= 15m
RACE ?= -race
GOLANGCI_LINT := v2.15.0
GOVULNCHECK := v1.8.0
COMPOSE_SPEC := v2.16.2
BENCHSTAT := v0.0.0-20260908200009-22c9c6c9d4da
VULNDB ?= https://vuln.go.dev

LINT := bin/golangci-lint-$(GOLANGCI_LINT)
VULN := bin/govulncheck-$(GOVULNCHECK)
COMPOSE := bin/compose-spec-$(COMPOSE_SPEC)
GO_FILES = $$(find . -name '.?*' -prune -o -name '*.go' -print)
SCRIPTS = $$(grep -rlE '^\#!.*\bbash$$' scripts .ci)

.PHONY: help
help: ## List the targets
	@awk -F ' *:.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	echo
	echo '  e.g. make test PKG=./consumer ARGS="-run TestRetry -v", make demo ARGS="-h"'
	echo '  AMQP_URL=... uses a broker of yours; scripts/broker help tells how one is chosen'

.PHONY: demo
demo: ## Start a broker and run examples/import against it (ARGS)
	@scripts/broker up
	AMQP_URL=$$(scripts/broker url) go run ./examples/import $(ARGS)

.PHONY: console
console: ## Start a broker, a small failing app and the console, print its link; ^C ends them (ARGS, e.g. "-h")
	@scripts/broker status >/dev/null 2>&1 || trap 'scripts/broker down' EXIT # one that is up already stays up
	scripts/broker up
	AMQP_URL=$$(scripts/broker url) go run ./examples/practice $(ARGS)

SEEDS ?= 1

.PHONY: images
images: ## Run examples/images, with a worker in Node and ten kills, once for each seed (SEEDS=20, ARGS); BROKER=4.3 too
	@scripts/languages node
	scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	go build -o bin/ ./examples/images ./cmd/bunnicula
	for ((seed = 1; seed <= $(SEEDS); seed++)); do
	  echo "seed $$seed"
	  PATH="$(CURDIR)/bin:$$PATH" bin/images -node examples/images/node/worker.js -kills 10 -seed "$$seed" -fresh $(ARGS)
	done

.PHONY: test test-all
test: ## Tests, with the race detector and a broker, in some seven minutes (PKG, ARGS, TIMEOUT; RACE= without the detector)
test-all: ## Also those that take long, because they wait or because they repeat
test: SHORT := -short
test-all: MORE := redis-server=redis nginx
test test-all:
	@scripts/need cc=gcc,libc6-dev $(MORE) # the race detector is linked by a C compiler
	scripts/broker up
	vars=$$(scripts/broker env)
	if [ -z "$(SHORT)" ]; then
	  scripts/postgres up
	  vars+=$$'\n'$$(scripts/postgres env)
	fi
	eval "$$vars"
	RACE=$(RACE) scripts/racetest '$(PKG)' -ldflags=-w -count=1 -timeout $(TIMEOUT) $(SHORT) $(ARGS)

# One set of results for each broker's version; the page is made of all that there are.
RESULTS := .broker/results

.PHONY: faults
faults: ## Break everything, once, and count the messages (ARGS, e.g. "-run TestFaults/broker"); BROKER=4.3 too
	@scripts/need cc=gcc,libc6-dev
	BROKER_SETTINGS= scripts/broker up # as RabbitMQ comes
	vars=$$(scripts/broker env)
	eval "$$vars"
	rm -f "$(RESULTS)/faults-$(BROKER).jsonl"
	scripts/faults "$(RESULTS)/faults-$(BROKER).jsonl" $(ARGS)

.PHONY: reliability
reliability: ## Make docs/RELIABILITY.md of what "make faults" with each BROKER have measured
	@cat $(RESULTS)/faults-*.jsonl >$(RESULTS)/all.jsonl
	go test -count=1 ./internal/test/faults -run '^TestPage' -update -results "$(CURDIR)/$(RESULTS)/all.jsonl"

FOR ?= 10m
SEED ?= 0

.PHONY: soak
soak: ## Random faults for a while (FOR=30m, SEED=42 to play them again); BROKER=4.3 too
	@scripts/need cc=gcc,libc6-dev
	BROKER_SETTINGS= scripts/broker up # as RabbitMQ comes
	vars=$$(scripts/broker env)
	eval "$$vars"
	CGO_ENABLED=1 go test -race -count=1 -timeout 12h -v ./internal/test/faults -run '^TestSoak$$' -soak $(FOR) -seed $(SEED)

UPGRADE_FROM ?= b6aeeff

.PHONY: upgrade
upgrade: ## Kill workers of an earlier commit and of today side by side (UPGRADE_FROM, SEED=42 to play it again); BROKER=4.3 too
	@scripts/need cc=gcc,libc6-dev
	scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	UPGRADE_FROM=$(UPGRADE_FROM) CGO_ENABLED=1 go test -race -count=1 -timeout $(TIMEOUT) -v ./internal/test/upgrade -run '^TestRolling' -seed $(SEED) $(ARGS)

.PHONY: bench
bench: ## Measure us beside the raw client and other libraries (ARGS, e.g. "-quick", "-run consume", "-h"); BROKER=4.3 too
	@scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	go build -C bench -o ../bin/bench .
	others='-others bin/bench-others'
	go build -C bench/others -o ../../bin/bench-others . || { echo '!!! bench/others is not built: measured without other libraries'; others=; }
	bin/bench $$others $(ARGS)

.PHONY: performance
performance: ## Make the tables of docs/PERFORMANCE.md of docs/performance/*.json, which are what "make bench" left on each broker
	@go build -C bench -o ../bin/bench .
	bin/bench -page docs/PERFORMANCE.md
	for json in docs/performance/*.json; do bin/bench -show "$$json" -out "$(RESULTS)" >/dev/null && cp "$(RESULTS)/bench.svg" "$${json%.json}.svg"; done
	for json in docs/performance/growth/*.json; do
	  plot=processes
	  [[ $$json != */memory-* ]] || plot=memory
	  bin/bench -show "$$json" -out "$(RESULTS)" >/dev/null && cp "$(RESULTS)/$$plot.svg" "$${json%.json}.svg"
	done

.PHONY: bench-gate
bench-gate: ## What a message costs must not grow: allocations, and CPU beside the raw client's (ARGS=-update keeps the new)
	@go test -C bench -count=1 -v . -run '^TestGate$$' $(ARGS)

PARTS := ./consumer ./publisher ./internal/link ./internal/sending ./topology ./monitoring ./monitoring/statsd ./monitoring/prometheus ./monitoring/otel ./monitoring/sentry ./control ./codec ./use ./internal/wire

.PHONY: bench-parts
bench-parts: ## Measure the parts that need no broker, and compare with the time before (ARGS, e.g. "-bench Acker")
	@mkdir -p $(RESULTS)
	cd $(RESULTS)
	go test -C "$(CURDIR)" -run '^$$' -bench . -benchmem -count=6 $(ARGS) $(PARTS) | tee parts.new.txt
	[ ! -e parts.txt ] || mv parts.txt parts.previous.txt
	mv parts.new.txt parts.txt
	[ ! -e parts.previous.txt ] || go run golang.org/x/perf/cmd/benchstat@$(BENCHSTAT) parts.previous.txt parts.txt

.PHONY: bench-codecs
bench-codecs: ## Measure JSON libraries, with and without encoding/json/v2 (ARGS, e.g. "-benchtime 3s")
	@cd bench/codecs
	go test -count=1 -bench . $(ARGS)
	echo 'GOEXPERIMENT=jsonv2, where encoding/json is made of v2:'
	GOEXPERIMENT=jsonv2 go test -count=1 -bench . $(ARGS)

LANGUAGES ?= node ruby python php

.PHONY: languages
languages: ## Run the programs of docs/LANGUAGES.md, and examples/images with Node, beside Go (LANGUAGES="node java", ARGS); BROKER=4.3 too
	@scripts/need cc=gcc,libc6-dev
	scripts/languages $(LANGUAGES)
	scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	LANGUAGES="$(LANGUAGES)" CGO_ENABLED=1 go test -race -count=1 -timeout $(TIMEOUT) $(ARGS) ./internal/test/languages

.PHONY: redis
redis: ## Limits and marks in Redis: servers that fail, and fleets whose processes are killed (ARGS); BROKER=4.3 too
	@scripts/need redis-server=redis
	scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	go test -count=1 -timeout $(TIMEOUT) $(ARGS) ./use/redis

# Elsewhere a test that needs PostgreSQL has it in its name.
WITH_POSTGRES := ./outbox/... ./internal/test/pgtest ./internal/outboxlook ./cmd/bunnicula/internal/database
ALSO_POSTGRES := ./cmd/bunnicula ./examples/outbox

.PHONY: postgres
postgres: ## The tests that need PostgreSQL (ARGS); BROKER=4.3 too
	@scripts/need cc=gcc,libc6-dev
	scripts/broker up
	scripts/postgres up
	vars=$$(scripts/broker env && scripts/postgres env)
	eval "$$vars"
	scripts/racetest '$(WITH_POSTGRES)' -count=1 -timeout $(TIMEOUT) $(ARGS)
	scripts/racetest '$(ALSO_POSTGRES)' -count=1 -timeout $(TIMEOUT) -run PostgreSQL $(ARGS)

.PHONY: outbox
outbox: ## Kill apps, relays, brokers and databases, and compare the accounts (SEEDS=20, SEED=7 the first, ARGS); BROKER=4.3 too
	@scripts/broker up
	scripts/postgres up
	vars=$$(scripts/broker env && scripts/postgres env)
	eval "$$vars"
	go test -count=1 -timeout 4h -v ./internal/test/outbox -run '^TestKilled' -seeds $(SEEDS) -seed $(SEED) $(ARGS)

.PHONY: flatmap
flatmap: ## Run examples/flatmap while workers, broker and database are killed, and compare with a plain run (SEEDS=20, SEED=7 the first, ARGS); BROKER=4.3 too
	@scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	go test -count=1 -timeout 4h -v ./examples/flatmap -run '^TestKilled' -seeds $(SEEDS) -seed $(SEED) $(ARGS)

.PHONY: pipeline-speed
pipeline-speed: ## A pipeline of three stages beside the same work on the raw client, in turns (ARGS); BROKER=4.3 too
	@scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	go test -count=1 -v -timeout 1h ./pipeline -run '^TestSpeed' $(ARGS)

.PHONY: keys
keys: ## Kill, cut off and move whatever consumes partitions, and compare the order within each key (SEEDS=20, SEED=7 the first, ARGS="-variant shared"); BROKER=4.3 too
	@scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	go test -count=1 -timeout 4h -v ./internal/test/partitions -run '^TestKilled|^TestPartitionsGo|^TestTheFirst' -seeds $(SEEDS) -seed $(SEED) $(ARGS)

.PHONY: console-kills
console-kills: ## Kill each operation of the console, and compare what is in its queues (SEEDS=100, SEED=7 the first, ARGS); BROKER=4.3 too
	@scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	go test -count=1 -timeout 4h -v ./console/internal/operation -run 'Killed' $(ARGS) -args -seeds $(SEEDS) -seed $(SEED)

MESSAGES ?= 20000
SLACK ?= 1

.PHONY: console-load
console-load: ## Measure the console beside its bounds: MESSAGES=700000 parked ones; SLACK=3 on a busy machine (ARGS="-rounds 1", "-settle"); BROKER=4.3 too
	@scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	go test -count=1 -timeout 4h -v ./internal/test/consoleload -messages $(MESSAGES) -slack $(SLACK) $(ARGS)

.PHONY: fleet
fleet: ## Give orders to twenty processes, and kill them, their broker and their stream (ARGS="-processes 50"); BROKER=4.3 too
	@scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	go test -count=1 -timeout $(TIMEOUT) -v ./internal/test/fleet -run '^TestTheWhole' $(ARGS)

BROWSER := go test -C console/browsertest -count=1 -timeout $(TIMEOUT)

.PHONY: console-browser
console-browser: ## The console's pages in Chromium: policy, accessibility, place, keys, without scripts (ARGS); BROKER=4.3 too
	@scripts/need chromium
	scripts/axe
	scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	$(BROWSER) $(ARGS) .

.PHONY: console-pictures
console-pictures: ## Make docs/console/*.png: the console's pages in Chromium, light and dark; look at each
	@scripts/need chromium
	scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	$(BROWSER) $(ARGS) -run '^TestPictures$$' . -pictures "$(CURDIR)/docs/console"

.PHONY: outbox-speed
outbox-speed: ## Relays and Put beside a bare publish and a bare INSERT, on PostgreSQL, in some 15 minutes (ARGS); BROKER=4.3 too
	@scripts/broker up
	scripts/postgres up
	vars=$$(scripts/broker env && scripts/postgres env)
	eval "$$vars"
	go test -count=1 -v -timeout 1h ./outbox -run '^TestSpeed|^TestPutCosts' $(ARGS)

.PHONY: batch
batch: ## Rows into SQLite in batches beside one at a time, in turns (ARGS); BROKER=4.3 too
	@scripts/broker up
	vars=$$(scripts/broker env)
	eval "$$vars"
	go test -count=1 -v $(ARGS) ./examples/batch -run AsFast

.PHONY: mutants
mutants: ## Break each promise in the sources on purpose, and see that the tests notice
	@scripts/broker up
	scripts/postgres up
	vars=$$(scripts/broker env && scripts/postgres env)
	eval "$$vars"
	go test -count=1 -timeout 45m -tags mutants -parallel 4 -v ./internal/test/mutants $(ARGS)

.PHONY: check
check: check-format check-vet check-lint check-scripts check-compose check-tidy check-surface check-vulnerabilities ## Format, vet, lint, scripts, docker-compose.yml, go.mod, exported API, known vulnerabilities

.PHONY: check-format
check-format:
	@echo gofmt
	bad=$$(gofmt -l $(GO_FILES))
	[ -z "$$bad" ] || { echo "not formatted, run make format:"; echo "$$bad"; exit 1; }

.PHONY: check-vet
check-vet:
	@echo go vet
	go vet ./...
	go vet -tags mutants ./internal/test/mutants
	go -C bench vet ./...
	go -C bench/others vet ./...
	go -C console/browsertest vet ./...
	# It compiles all dependencies for each, and nothing of that is run: so without optimizations.
	for os in darwin windows; do GOOS=$$os go vet -gcflags='all=-N -l' ./... ; done

.PHONY: check-lint
check-lint: $(LINT)
	@echo golangci-lint
	$(LINT) run ./...
	(cd bench && ../$(LINT) run ./...)
	(cd bench/others && ../../$(LINT) run ./...)
	cd console/browsertest && ../../$(LINT) run ./...

.PHONY: check-scripts
check-scripts:
	@echo shellcheck
	scripts/need shellcheck
	shellcheck $(SCRIPTS)

# By the schema of the Compose Specification, whose library Docker's own plugin uses. It needs no engine.
.PHONY: check-compose
check-compose: $(COMPOSE)
	@echo docker-compose.yml
	COMPOSE_PROFILES=console,metrics,postgres $(COMPOSE) docker-compose.yml >/dev/null

.PHONY: check-tidy
check-tidy:
	@echo go mod tidy
	go mod tidy -diff
	go -C bench mod tidy -diff
	go -C bench/others mod tidy -diff
	go -C console/browsertest mod tidy -diff

# What users get: how many modules come along, and the exported API, which "make api" writes down anew.
.PHONY: check-surface
check-surface:
	@echo modules and API
	go test -count=1 ./internal/test/dependencies ./internal/test/api

# What is found fails. A database out of reach (it is not a Go module, and no proxy has it) is said aloud
# and does not: nothing was checked then, and nothing is claimed.
.PHONY: check-vulnerabilities
check-vulnerabilities: $(VULN)
	@echo govulncheck
	status=0
	said=$$($(VULN) -db "$(VULNDB)" ./... 2>&1) || status=$$?
	if [[ $$status = 1 && $$said = *'fetching vulnerabilities: '* ]]; then
	  echo '!!! govulncheck: vulnerability database not reachable, not checked:'
	  echo "!!! $${said##*fetching vulnerabilities: }"
	elif [ "$$status" != 0 ]; then
	  echo "$$said"
	  exit 1
	fi

.PHONY: api
api: ## Keep a change of the exported API (internal/test/api/testdata)
	@go test -count=1 ./internal/test/api -update

.PHONY: format
format: ## Format the Go files
	@gofmt -w $(GO_FILES)

.PHONY: broker-up
broker-up: ## Start a broker (BROKER=4.3 for RabbitMQ 4.3) and print its URL
	@scripts/broker up
	scripts/broker url

.PHONY: broker-down
broker-down: ## Stop it
	@scripts/broker down

.PHONY: clean
clean: ## Stop the private brokers and the private PostgreSQL, delete their data and what was built
	@unset AMQP_URL BUNNICULA_POSTGRES
	export BUNNICULA_BROKER=private
	scripts/broker wipe
	for version in 3.10 4.0 4.3; do BROKER=$$version scripts/broker wipe; done
	scripts/postgres wipe
	rm -rf --one-file-system .broker bin

# Built here, and not a tool in go.mod: its hundreds of dependencies are not ours.
$(LINT):
	@echo "building golangci-lint $(GOLANGCI_LINT) (once, a minute or two)"
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv bin/golangci-lint $@

$(VULN):
	@echo "building govulncheck $(GOVULNCHECK) (once)"
	GOBIN=$(CURDIR)/bin go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK)
	mv bin/govulncheck $@

$(COMPOSE):
	@echo "building the Compose Specification's reference $(COMPOSE_SPEC) (once)"
	GOBIN=$(CURDIR)/bin/compose go install github.com/compose-spec/compose-go/v2/cmd@$(COMPOSE_SPEC)
	mv bin/compose/cmd $@
	rmdir bin/compose
