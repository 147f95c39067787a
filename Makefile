# Everything runs in .venv, which the first target that needs it creates.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# For `make demo ARGS="--port 9000"` and `make bench ARGS="callbacks --json"`.
ARGS ?=
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses=8

.PHONY: demo test fuzz test-services lint bench browser

$(READY): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Xinqiao needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-c constraints.txt -e '.[dev,embedded]'
	touch $@

demo: $(READY)
	$(BIN)/xinqiao demo $(ARGS)

test: $(READY) browser
	$(PYTEST) --cov --cov-report= $(ARGS)
	$(BIN)/coverage report --include='domain/*' --fail-under=100
	$(BIN)/coverage report --fail-under=95

# New examples for the property tests, many more than a run before a merge has time for.
fuzz: $(READY)
	HYPOTHESIS_PROFILE=fuzz $(PYTEST) $$(grep -rl '^@given' tests) -m hypothesis $(ARGS)

test-services: $(READY) browser
	$(BIN)/python .ci/with_services.py $(PYTEST) $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint templates --lint --quiet

bench: $(READY)
	$(BIN)/xinqiao bench $(ARGS)

browser:
	@.ci/browser >/dev/null
