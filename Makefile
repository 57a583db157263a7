# GNU make. Every path here is relative: make splits words at spaces, and the project may lie in a
# folder that has some.

PYTHON_IN_VENV := .venv/bin/python
MANAGE := $(PYTHON_IN_VENV) manage.py
WITH_POSTGRES := $(PYTHON_IN_VENV) -m config.local with-postgres
INSTALL := sh config/local/install.sh
export PYTHON # make PYTHON=… chooses the interpreter for a new .venv

.DEFAULT_GOAL := help
.PHONY: help run demo-batch test test-slow soak check check-database bench screenshots requirements migrations \
	openapi errors clients clean install-local install-dev

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

# `exec` makes the launcher a child of make itself, which it then follows.
run: install-local ## run the whole stack until Ctrl-C (PORT=8000 DATA_DIR=.data DATABASE_URL=)
	@exec $(PYTHON_IN_VENV) -m config.local run --with-parent $$PPID

demo-batch: install-local ## play a batch against the running stack (ARGS="--contacts 150 --retry 1")
	@exec $(PYTHON_IN_VENV) -m config.local.demo_batch $(ARGS)

test: install-dev ## run the quick tests (ARGS="-k name")
	@exec $(WITH_POSTGRES) -- $(PYTHON_IN_VENV) -m pytest -n auto --dist worksteal -m "not slow" $(ARGS)

test-slow: install-dev ## run the tests that kill processes, drive a browser or fill tables
	@exec $(WITH_POSTGRES) -- $(PYTHON_IN_VENV) -m pytest -m slow $(ARGS)

soak: install-dev ## long property tests of the dialer
	@exec env SOAK=1 $(WITH_POSTGRES) -- $(PYTHON_IN_VENV) -m pytest -n auto \
		tests/batches/dialer/test_properties.py $(ARGS)

check: install-dev ## lint, types, migrations, deployment settings, OpenAPI file, lock files
	$(PYTHON_IN_VENV) -m ruff check .
	$(PYTHON_IN_VENV) -m ruff format --check .
	@if grep -nE '^[^#]*(index-url|find-links|trusted-host|://)' requirements/*.txt; then \
		echo "A lock file names an index or a host." >&2; exit 1; fi
	@$(WITH_POSTGRES) -- $(MAKE) --no-print-directory check-database

check-database: # the part of `check` that wants DATABASE_URL
	$(PYTHON_IN_VENV) -m mypy
	$(MANAGE) makemigrations --check --dry-run
	$(MANAGE) lintmigrations --ignore-initial-migrations --quiet ignore
	@echo "manage.py check --deploy"
	@random() { $(PYTHON_IN_VENV) -c "import secrets; print(secrets.token_urlsafe($$1))"; }; \
	DJANGO_SETTINGS_MODULE=config.settings.production SECRET_KEY=$$(random 48) \
	CREDENTIAL_PEPPERS=1:$$(random 48) ENCRYPTION_KEYS=$$(random 32)= \
	ALLOWED_HOSTS=outdial.example TRUSTED_PROXY_COUNT=1 \
	EMAIL_URL=smtp://mail.outdial.example PUBLIC_BASE_URL=https://outdial.example \
	$(MANAGE) check --deploy --fail-level WARNING
	@echo "docs/openapi.yaml"
	@fresh=$$(mktemp); trap 'rm -f "$$fresh"' EXIT; \
	$(MANAGE) spectacular --validate --fail-on-warn --file "$$fresh" && \
	diff -u docs/openapi.yaml "$$fresh" || { echo "Run make openapi." >&2; exit 1; }

bench: install-dev ## measure against limits, on a durable database (ARGS="create_batch --rounds 20")
	@exec $(WITH_POSTGRES) --durable -- $(PYTHON_IN_VENV) -m tests.benchmarks $(ARGS)

screenshots: install-dev ## a picture of every main page of the back office (SCREENSHOTS=screenshots)
	@exec $(WITH_POSTGRES) -- $(PYTHON_IN_VENV) -m pytest -s tests/browser/screenshots.py $(ARGS)

# dev first, the others constrained by it: all lock files agree on every version.
requirements: ## compile the lock files again (needs uv; ARGS=--upgrade)
	@command -v uv >/dev/null || { echo "make requirements needs uv: https://docs.astral.sh/uv" >&2; exit 1; }
	@for name in dev base local production; do \
		constraint=; [ $$name = dev ] || constraint="--constraint requirements/dev.txt"; \
		uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
			--no-emit-find-links --generate-hashes $$constraint $(ARGS) \
			requirements/$$name.in --output-file requirements/$$name.txt || exit 1; \
	done

migrations: install-dev ## write migrations for changed models
	@exec $(WITH_POSTGRES) -- $(MANAGE) makemigrations $(ARGS)

openapi: install-dev ## write docs/openapi.yaml
	@exec $(WITH_POSTGRES) -- $(MANAGE) spectacular --validate --fail-on-warn --file docs/openapi.yaml

errors: install-dev ## write docs/errors.md
	$(PYTHON_IN_VENV) -m config.api.error_page > docs/errors.md

clients: install-dev ## Python and TypeScript clients in build/clients, lint of docs/openapi.yaml (needs npm's registry)
	$(PYTHON_IN_VENV) -m tests.clients.generate

clean: ## remove .venv, .data (the local database), build and caches
	rm -rf .venv .data build staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install-local:
	@$(INSTALL) local

install-dev:
	@$(INSTALL) dev
