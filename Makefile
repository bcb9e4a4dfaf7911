# `make run` serves the bundled models; `make test` is what CI runs. `make help` lists the rest.
.DEFAULT_GOAL := help
CONFIG ?= config/cifar10.toml
CARGO ?= cargo
RUNTIME := .runtime/onnxruntime/libonnxruntime.so

.PHONY: help run build test bench bench-quick bench-parts format lint unit runtime python-packages install

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: build ## build, and serve the bundled CIFAR-10 models on 127.0.0.1:50051
	exec ./target/release/certimix serve $(CONFIG)

build: runtime ## fetch ONNX Runtime and build the release binary
	$(CARGO) build --release --locked

runtime: ## fetch ONNX Runtime's shared library, pinned and checked
	@python3 scripts/fetch_onnxruntime.py

python-packages: ## fetch the Python packages of the tests, pinned and checked: NVIDIA's client and ONNX's
	@python3 scripts/fetch_python_packages.py

install: build ## install `certimix` where cargo puts binaries
	$(CARGO) install --path . --locked

test: format lint unit ## formatting, lints as errors, every test

# Others: ARGS="--only a,h", ARGS="--server OTHER_BINARY --out FOLDER"; ARGS=--help lists them.
bench: runtime ## the server against the bare runtime, 20 minutes; writes docs/benchmarks.md and .json
	$(CARGO) bench --locked --bench serving -- $(ARGS)

bench-quick: runtime ## the same in 3 minutes, to see that it works; writes under target/benchmarks
	$(CARGO) bench --locked --bench serving -- --quick $(ARGS)

bench-parts: runtime ## time of certificates, noise and inference (docs/measurements.md)
	$(CARGO) bench --locked --bench certificate --bench noise --bench inference

format:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items --quiet

# nextest shows progress and times where it is installed; cargo's own runner is enough elsewhere.
unit: runtime python-packages
	@if $(CARGO) nextest --version >/dev/null 2>&1; \
	then $(CARGO) nextest run --locked; \
	else $(CARGO) test --locked --all-targets; fi
