# Berth: one target for each thing people do here. `make` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SILENT:

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export LC_ALL := C.UTF-8

.PHONY: help
help: ## List the targets
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## The service in containers

.PHONY: demo demo-down
demo: controller ## Start the whole service in containers on this machine and print its URL
	ansible-playbook -i inventories/lab playbooks/lab/demo.yml || { \
	  echo "The demo is not up: put right what the last message above names, then run make demo again."; \
	  exit 1; } >&2
	cat .lab/summary.txt

demo-down: controller ## Remove the demo's containers, network and volumes
	ansible-playbook -i inventories/lab playbooks/lab/destroy.yml

## Checks

.PHONY: lint unit golden screenshots lab test test-full bench
lint: dev ## Lint and type-check Python, YAML, roles and playbooks
	ruff check
	ruff format --check
	mypy
	yamllint --strict .
	ansible-lint --offline --strict

unit: dev ## Run the tests that need no container: unit, render, contract
	pytest

golden: dev ## Write the golden files of tests/render anew; look at the diff before you commit
	BERTH_UPDATE_GOLDEN=1 pytest tests/render

screenshots: ## Take the browser's newest pictures into docs/images and the users' guide
	cp build/test-results/browser/form.png docs/images/form.png
	cp build/test-results/browser/notebook.png docs/images/lab.png
	cp build/test-results/browser/guide/*.webp src/berth/hub/static/guide/

lab: browser ## Run the shards that are due, each in a lab: the core always, others as their inputs changed
	python -m tests.shards due

test: lint unit lab ## What CI runs

test-full: lint unit browser ## Every shard, before anything is called done (BERTH_RESUME=1 goes on after a cut)
	python -m tests.shards full

bench: browser ## Measure beside the peers and write docs/benchmarks.md
	python -m tests.bench

## The work place

.PHONY: controller dev browser venv lock clean
venv: dev ## Prepare .venv with everything that the targets here need

controller:
	requirements/install controller

dev:
	requirements/install dev

browser: dev
	{ command -v chromium && command -v chromedriver && command -v curl; } >/dev/null || requirements/debian chromium chromium-driver curl
	tests/browser/install

lock: dev ## Compile all locks anew with the newest versions that the .in files allow
	requirements/compile

clean: ## Remove .venv, caches and builds; a running demo stays
	rm -rf .venv .cache .ansible .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -not -path './.lab/*' -prune -exec rm -rf {} +
