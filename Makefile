# make run      serve ./hubbub-data on http://localhost:8000
# make test     run all tests (installs what they need)
# make prove    run all tests with the long ones in full; takes hours
# make check    run all static checks
# make setup    create a development install in .venv and build the web client
# make contract generate the lists of commands, events and models, contract/, the web client's types, limits and permissions, and docs/protocol.md from the code
# make bench    run the measurements of docs/performance.md
# make docs     build the documentation site into build/site, and fail on dead links
# make lock     regenerate requirements/*.txt from pyproject.toml
# make image    build the container image with Buildah and start it once (needs root)
# make chart    render the Helm chart for the tests, after a change of it
# make clean    remove everything the others create

PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(shell $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
DOCS := .venv-docs

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup web run test prove check docs contract bench lock image chart clean

setup: $(VENV)/installed web

$(VENV)/installed: requirements/dev.txt pyproject.toml hatch_build.py
	@test -n "$(PYTHON)" || { echo "Hubbub needs Python 3.11 or newer, and none is on the PATH."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

web: $(VENV)/installed
	@$(BIN)/python scripts/node.py fresh

run: setup
	$(BIN)/hubbub serve $(ARGS)

# A value would make each of the hundreds of processes that the tests start compile the code again.
test prove: export PYTHONDONTWRITEBYTECODE =
test prove: export WORKERS ?= 2
prove: export HUBBUB_PROVE = 1
test prove: setup $(DOCS)/installed
	@sh scripts/chromium
	@sh scripts/fonts
	@sh scripts/proxies
	@sh scripts/filesystems
	$(BIN)/python -m scripts.tests $(ARGS)
	$(if $(HUBBUB_PROVE),$(BIN)/python -m scripts.rings $(ARGS))
	$(BIN)/python scripts/node.py test

# Fast checks first.
check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m scripts.sizes
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.contract --check
	$(BIN)/mypy
	$(BIN)/python scripts/node.py check
	$(MAKE) --no-print-directory docs

# An environment of its own: the theme has 13,000 files, which `make run` and `make test` do not need.
docs: export NO_MKDOCS_2_WARNING = 1
docs: $(DOCS)/installed
	$(DOCS)/bin/mkdocs build  # --quiet would hide warnings from strict mode

$(DOCS)/installed: requirements/docs.txt
	@test -n "$(PYTHON)" || { echo "Hubbub needs Python 3.11 or newer, and none is on the PATH."; exit 1; }
	test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --require-hashes --requirement requirements/docs.txt
	@touch $@

contract: $(VENV)/installed
	$(BIN)/python -m scripts.contract

bench: setup
	$(BIN)/python -m bench $(ARGS)

lock: $(VENV)/installed
	$(BIN)/uv pip compile pyproject.toml $(LOCK) --output-file requirements/runtime.txt
	$(BIN)/uv pip compile pyproject.toml --group dev $(LOCK) --constraint requirements/runtime.txt --output-file requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --extra postgresql --extra nats $(LOCK) --constraint requirements/dev.txt --output-file requirements/image.txt
	$(BIN)/uv pip compile --group build $(LOCK) --constraint requirements/dev.txt --output-file requirements/build.txt
	$(BIN)/uv pip compile --group docs $(LOCK) --constraint requirements/dev.txt --output-file requirements/docs.txt

image: web
	sh scripts/image $(BASE)

chart: $(VENV)/installed
	sh scripts/chart

LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

clean:
	rm -rf $(VENV) $(DOCS) .fonts .fonts.log build dist web/node_modules src/hubbub/web_dist bench/out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench examples scripts -name __pycache__ -type d -prune -exec rm -rf {} +
