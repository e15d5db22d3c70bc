# xtci: everything a developer runs. make help lists it.

# The version that a build carries: the tag or commit it was made from.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

GO      ?= go
LINTER  ?= github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
LDFLAGS := -s -w -buildid= -X main.version=$(VERSION)

# More for go test, such as TESTFLAGS=-v.
TESTFLAGS ?=

# What runs tests, and which packages': CI has others (.ci/run).
GOTEST   ?= $(GO) test
PACKAGES ?= ./...

.PHONY: help build test race test-jenkins test-jenkins-e2e test-public lint demo picture bench fuzz soak golden dist dist-check clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | expand -t 14

build: ## build bin/xtci, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/xtci ./cmd/xtci

test: ## run all tests
	@sh tools/testdeps.sh
	CGO_ENABLED=0 $(GOTEST) -timeout 40m $(TESTFLAGS) $(PACKAGES)

race: ## run the tests with the race detector, but for the longest
	@sh tools/testdeps.sh
	CGO_ENABLED=1 $(GOTEST) -timeout 40m -race -short $(PACKAGES)

test-jenkins: ## run the contract tests on a real Jenkins: XTCI_TEST_JENKINS_URL, _USER, _PASSWORD
	@test -n "$$XTCI_TEST_JENKINS_URL" || { echo 'name a Jenkins with XTCI_TEST_JENKINS_URL, XTCI_TEST_JENKINS_USER and XTCI_TEST_JENKINS_PASSWORD' >&2; exit 2; }
	CGO_ENABLED=0 $(GO) test ./jenkins -run '^TestContract' -count 1 -parallel 2 -timeout 30m -v

test-jenkins-e2e: export XTCI_TEST_JENKINS_IMAGE := $(XTCI_TEST_JENKINS_IMAGE)
test-jenkins-e2e: ## run the end-to-end tests with a real Jenkins in the stack: XTCI_TEST_JENKINS_IMAGE
	@test -n "$$XTCI_TEST_JENKINS_IMAGE" || { echo 'name an image with XTCI_TEST_JENKINS_IMAGE, such as opnfv/xtesting-jenkins:lts-slim' >&2; exit 2; }
	CGO_ENABLED=0 $(GO) test ./cmd/xtci -run '^(TestEndToEnd|TestLeftRunningAndFollowedAgain)$$' -count 1 -timeout 60m -v

test-public: export XTCI_TEST_PUBLIC := $(XTCI_TEST_PUBLIC)
test-public: ## read all playbooks of checkouts, compare their jobs with the role's: XTCI_TEST_PUBLIC=DIR:DIR
	@test -n "$$XTCI_TEST_PUBLIC" || { echo 'name checkouts with XTCI_TEST_PUBLIC, parted by colons (docs/playbooks.md)' >&2; exit 2; }
	CGO_ENABLED=0 $(GO) test ./cmd/xtci -run '^TestPublicPlaybooks$$' -count 1 -timeout 120m -v

lint: ## run the linters
	$(GO) vet ./...
	$(GO) run $(LINTER) run
	@command -v shellcheck >/dev/null || echo 'NOT LINTED, WITHOUT SHELLCHECK (apt-get install shellcheck): the scripts of jobs and of tools/'
	@! command -v shellcheck >/dev/null || shellcheck -S warning tools/*.sh .ci/run
	CGO_ENABLED=0 $(GO) test -count 1 -run TestScriptsPassShellcheck ./jenkins

demo: build ## the whole thing on Docker, or a replay without: report and archive in ./demo
	@sh tools/demo.sh bin/xtci demo

picture: build ## make docs/report.png anew, with Chromium
	@sh tools/report-picture.sh bin/xtci docs/report.png

bench: ## measure the speeds that the documents promise
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench . -benchmem ./...

fuzz: ## fuzz every parser of outside input, 20 s each
	@sh tools/fuzz.sh 20s

soak: ## kill the test DB under load for a minute
	CGO_ENABLED=0 $(GO) test ./cmd/xtci -run TestSoak -soak 1m -v

golden: ## write the golden files anew
	CGO_ENABLED=0 $(GO) test ./cmd/... ./config/... ./artifacts/... ./installer/... ./jenkins -update

dist: ## make tarballs, packages, SBOMs and checksums, in ./dist
	@VERSION='$(VERSION)' GO='$(GO)' sh tools/dist.sh dist

dist-check: ## make the last commit's twice, and compare every byte: PARTS='tar sbom deb rpm' ARCHS='amd64 arm64'
	@GO='$(GO)' PARTS='$(PARTS)' ARCHS='$(ARCHS)' sh tools/distcheck.sh

clean: ## remove what was built
	rm -rf bin demo dist
