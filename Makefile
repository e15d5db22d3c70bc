# xtci: everything a developer runs. make help lists it.

# The version that a build carries: the tag or commit it was made from.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

GO      ?= go
LINTER  ?= github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
LDFLAGS := -s -w -buildid= -X main.version=$(VERSION)

# More for go test, such as TESTFLAGS=-race (which needs a C compiler).
TESTFLAGS ?=
CGO       := $(if $(findstring -race,$(TESTFLAGS)),1,0)

.PHONY: help build test lint demo bench fuzz soak golden clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | expand -t 12

build: ## build bin/xtci, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/xtci ./cmd/xtci

test: ## run all tests
	@sh tools/testdeps.sh
	CGO_ENABLED=$(CGO) $(GO) test -timeout 30m $(TESTFLAGS) ./...

lint: ## run the linters
	$(GO) vet ./...
	$(GO) run $(LINTER) run

demo: build ## replay the recorded sample campaign, publish and review it, in ./demo
	@sh tools/demo.sh bin/xtci demo

bench: ## measure the speeds that the documents promise
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench . -benchmem ./...

fuzz: ## fuzz every parser of outside input, 20 s each
	@sh tools/fuzz.sh 20s

soak: ## kill the test DB under load for a minute
	CGO_ENABLED=0 $(GO) test ./cmd/xtci -run TestSoak -soak 1m -v

golden: ## write the golden files anew
	CGO_ENABLED=0 $(GO) test ./cmd/... ./artifacts/... ./installer/... -update

clean: ## remove what was built
	rm -rf bin demo dist
