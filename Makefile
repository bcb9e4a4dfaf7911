# `make run` serves the bundled models. CI runs `make test`. `make help` lists the other targets.
.DEFAULT_GOAL := help
CONFIG ?= config/cifar10.toml
CARGO ?= cargo
RUNTIME := .runtime/onnxruntime/libonnxruntime.so

FUZZ_SECONDS ?= 8

.PHONY: help run build test report-test fuzz bench bench-quick bench-parts soak control-loop format lint unit runtime python-packages install
.PHONY: deploy-tools check-deploy image image-test deny

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 17

run: build ## build and serve the bundled CIFAR-10 models on 127.0.0.1:50051
	exec ./target/release/certimix serve $(CONFIG)

build: runtime ## fetch ONNX Runtime and build the release binary
	$(CARGO) build --release --locked

runtime: ## fetch ONNX Runtime's shared library and check its hash
	@python3 scripts/fetch_onnxruntime.py

python-packages: ## fetch the Python packages of the tests and check their hashes
	@python3 scripts/fetch_python_packages.py

ENGINE ?= docker

image: ## build the container image `certimix` (ENGINE=podman for another engine)
	$(ENGINE) build --tag certimix --build-arg REVISION=$$(git rev-parse HEAD) $(ARGS) .

image-test: ## run the image, call it and stop it
	deploy/image/smoke_test.py --engine "$(ENGINE)" $(ARGS)

deny: ## check the crates' licences, sources and known faults (needs cargo-deny)
	$(CARGO) deny check

install: build ## install `certimix` into cargo's folder of binaries
	$(CARGO) install --path . --locked

test: format lint unit ## formatting, lints as errors, every test

# The unit tests write the pages. Without Chromium the check says so and passes.
report-test: ## open the pages of `certimix report` in a headless Chromium (needs Node.js and Chromium)
	$(CARGO) test --locked --lib report
	cd tests/browser && npm ci --ignore-scripts --no-audit --no-fund
	node tests/browser/report.mjs target/report/*.html

fuzz: runtime ## run each fuzz target for FUZZ_SECONDS=8 (fuzz/README.md)
	CERTIMIX_FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --locked --lib fuzzing::targets -- --nocapture

# ARGS passes arguments on: ARGS="--only a,h", ARGS="--server OTHER_BINARY --out FOLDER". ARGS=--help lists them.
bench: runtime python-packages ## compare the server with the bare runtime (20 minutes); writes docs/benchmarks.md and .json
	$(CARGO) bench --locked --bench serving -- $(ARGS)

bench-quick: runtime python-packages ## a short `make bench` (3 minutes); writes under target/benchmarks
	$(CARGO) bench --locked --bench serving -- --quick $(ARGS)

bench-parts: runtime ## time certificates, noise and inference (docs/measurements.md)
	$(CARGO) bench --locked --bench certificate --bench noise --bench inference

# ARGS="--minutes 5" makes a short run, which writes under target/soak. ARGS=--help lists the arguments.
soak: runtime ## an hour under honest and abusive load; writes docs/soak.md, .json and .svg
	$(CARGO) bench --locked --bench soak -- $(ARGS)

# ARGS="--plot docs" draws docs/control_loop.png and .svg (needs matplotlib). ARGS=--help lists the arguments.
control-loop: build python-packages ## keep a simulated car in its lane under attack (examples/control_loop.py)
	PYTHONPATH=clients/python/src:.runtime/python python3 -s examples/control_loop.py $(ARGS)

deploy-tools: ## install the pinned Python tools of the deployment checks into .runtime/deploy-tools
	@python3 scripts/install_deploy_tools.py

# ARGS="--only kubernetes" runs one check, ARGS=--allow-missing skips those whose tools are missing. ARGS=--help lists the arguments.
check-deploy: build python-packages deploy-tools ## check the files under deploy/ with the real tools; needs no cluster
	@python3 deploy/checks/run.py $(ARGS)

format:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

# nextest shows progress and times. Without it, cargo's own runner runs the same tests.
unit: runtime python-packages
	@if $(CARGO) nextest --version >/dev/null 2>&1; \
	then $(CARGO) nextest run --locked --workspace; \
	else $(CARGO) test --locked --workspace --all-targets; fi
