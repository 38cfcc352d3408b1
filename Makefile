# The front door; the work is done by scripts/ and Meson. `make help` says what there is.
.DEFAULT_GOAL := release
PREFIX ?= /usr/local
SECS ?= 20

.PHONY: help release asan clang test format docs lint layers fuzz bench demo install uninstall deb clean deps

help: ## Shows this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

release: ## Builds build/release/ironcron (the default)
	@scripts/deps build
	@scripts/build release
	@echo build/release/ironcron

asan: ## Builds everything with the address and undefined-behaviour sanitizers in build/asan
	@scripts/deps build test
	@scripts/build asan

test: ## Runs every test; T=cron runs one suite, unit test or integration test file
	@scripts/test $(T)

lint: ## The quick checks: layers, style, format, docs
	@scripts/test layers style format docs

docs: release ## Writes the pages that the program prints: docs/cli.md, docs/configuration.md
	@tools/check_docs.py --write

layers: ## Checks that folders include only what they may
	@tools/check_layers.py && echo layers: ok

format: ## Formats all C sources
	@scripts/deps test
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

fuzz: ## Fuzzes one parser: F=cron SECS=20
	@scripts/deps build test fuzz
	@scripts/fuzz $(F) $(SECS)

bench: ## Runs the benchmarks and prints their ratios; B=metrics runs one
	@scripts/deps build run bench
	@bench/run $(B)

demo: ## Builds, runs real jobs for about a minute and judges them
	@scripts/demo

install: release ## Installs program, manual, completions, unit, documentation (PREFIX=/usr/local, DESTDIR)
	@PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) scripts/install

uninstall: ## Takes away what `make install` has put there; configuration and store stay
	@PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) scripts/install uninstall

deb: ## Builds Debian packages in build/deb
	@scripts/deps build deb
	@scripts/deb

deps: ## Installs the packages for building and testing
	@scripts/deps

clean: ## Removes build/release, build/asan, build/clang, build/fuzz and build/deb
	@rm -rf build/release build/asan build/clang build/fuzz build/deb
