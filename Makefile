# Each target does the set-up it needs: on a fresh machine `make demo` or `make test` is all there is to type.
# Needed beforehand: Python 3.11+ with venv, git 2.38+, Node.js 20+ with npm (for the real Codex and Claude Code).

.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# The first of these that is new enough; `make PYTHON=/path/to/python` says otherwise. The interpreter beneath a virtual
# environment is taken: .venv may be the active one, and cannot make itself anew.
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
ifndef PYTHON
PYTHON := $(shell for p in $(PYTHONS); do \
	$$p -c 'import sys; sys.version_info < (3, 11) and sys.exit(1); print(sys._base_executable)' 2>/dev/null && break; \
	done)
endif

VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready
AGENTS := node_modules/.ready
UV := uv==0.13.9
WORKERS ?= auto

# What runs git-cto finds it, and the pinned agents, before any other.
WITH_TOOLS := PATH="$(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$$PATH"
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore
export PYTHONUTF8 := 1
# Nobody else's packages, and no other environment's idea of where to install.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV PIP_TARGET PIP_PREFIX PIP_USER
# An empty HOME would have pip and npm keep their caches in a folder called ~; without one they ask the system.
ifeq ($(strip $(HOME)),)
unexport HOME
endif

define check-python
[ -n "$(PYTHON)" ] || { \
	echo "git-cto needs Python 3.11 or newer, and none of $(PYTHONS) is." >&2; \
	echo "Next: install one, or say where it is: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "git-cto needs Python 3.11 or newer, and $(PYTHON) is older, or does not run." >&2; \
	echo "Next: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "$(PYTHON) cannot make virtual environments: its venv module is missing." >&2; \
	echo "Next: install it (on Debian and Ubuntu: sudo apt-get install python3-venv)" >&2; exit 1; }
endef

define check-npm
command -v npm >/dev/null && command -v node >/dev/null || { \
	echo "npm is missing: it brings the real Codex and Claude Code, pinned, into node_modules/." >&2; \
	echo "Next: install Node.js 20 or newer" >&2; exit 1; }
endef

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- what people type -------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(READY) $(AGENTS) ## the whole loop on a throw-away repository, with scripted answers
	$(WITH_TOOLS) git-cto demo

.PHONY: test
test: lint $(AGENTS) ## lint, then every test, with coverage
	$(WITH_TOOLS) python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report term

.PHONY: lint
lint: $(READY) ## ruff, mypy --strict and the import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(READY) ## formats the code and mends what ruff can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

.PHONY: bench
bench: $(READY) $(AGENTS) ## the benchmarks, as ratios with medians
	$(WITH_TOOLS) python -m benchmarks

.PHONY: comments
comments: $(READY) ## pictures of the pull request comment in every state (needs chromium)
	$(BIN)/python -m tests.render.pictures build/comments

.PHONY: docs
docs: $(READY) ## writes the generated documentation again: commands, schemas, man page
	$(BIN)/python docs/generate.py

# dev.lock is for work on git-cto, action.lock for the runners of its users: the same versions, without the tools.
COMPILE = .venv-lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-config --no-emit-index-url --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) --quiet

.PHONY: lock
lock: .venv-lock/.ready ## pins the dependencies again; UPGRADE=1 moves them to the newest
	$(COMPILE) --group dev --output-file requirements/dev.lock
	$(COMPILE) --constraint requirements/dev.lock --output-file requirements/action.lock
	@$(check-npm)
	npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts

.PHONY: wheel
wheel: build check-wheel ## builds the wheel and tries it in an environment of its own

.PHONY: clean
clean: ## removes all that make has made
	rm -rf $(VENV) .venv-lock build dist node_modules .coverage .coverage.* \
		.hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# --- the wheel --------------------------------------------------------------------------------------------------------

.PHONY: build
build: $(READY)
	rm -rf dist
	$(BIN)/python -m hatchling build -t wheel -d dist

# Needs only a Python and dist/*.whl, as CI has it on every version of Python.
.PHONY: check-wheel
check-wheel:
	@$(check-python)
	rm -rf build/wheel
	"$(PYTHON)" -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet dist/*.whl
	build/wheel/bin/python -m pip check
	build/wheel/bin/git-cto --version
	test -s build/wheel/share/man/man1/git-cto.1

# --- set-up: each stamp is newer than what it was made from -----------------------------------------------------------

$(LOCKED): requirements/dev.lock
	@$(check-python)
	"$(PYTHON)" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.lock
	@touch $@

$(READY): $(LOCKED) pyproject.toml src/git_cto/__init__.py
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Install scripts stay off. The one that is needed puts Claude Code's native program, which npm has fetched and checked
# against the lock, where its `claude` points to.
$(AGENTS): package.json package-lock.json
	@$(check-npm)
	npm ci --ignore-scripts --no-audit --no-fund
	node node_modules/@anthropic-ai/claude-code/install.cjs
	@touch $@

.venv-lock/.ready: Makefile
	@$(check-python)
	"$(PYTHON)" -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet '$(UV)'
	@touch $@
