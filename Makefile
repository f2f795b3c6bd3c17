# make run      serve ./hubbub-data on http://localhost:8000; installs what a server needs in .venv-run
# make test     run all tests (installs what they need in .venv)
# make prove    run all tests with the long ones in full; takes hours
# make lowest   run the tests of the server with the lowest supported versions of its packages
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
RUN := .venv-run
BUILD := .venv-build
LOWEST := .venv-lowest
DOCS := .venv-docs

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup web python run client test prove lowest check docs contract bench lock image chart clean

setup: $(VENV)/installed web

python:
	@test -n "$(PYTHON)" || { echo "Hubbub needs Python 3.11 or newer, and none is on the PATH."; exit 1; }

$(VENV)/installed: requirements/dev.txt pyproject.toml hatch_build.py src/hubbub/version.py | python
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

web: $(VENV)/installed
	@$(BIN)/python scripts/node.py fresh

# A server's packages alone, and the sources of this folder. `.venv-run/bin/python -m hubbub` is the command line.
$(RUN)/installed: requirements/runtime.txt | python
	@echo "Creating a Python environment in $(RUN) …"
	@$(PYTHON) -m venv --clear $(RUN)
	@echo "Installing the $$(grep -c == requirements/runtime.txt) packages that a server needs …"
	@$(RUN)/bin/python -m pip install --quiet --require-hashes --requirement requirements/runtime.txt
	@echo "$(CURDIR)/src" >"$$($(RUN)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/hubbub.pth"
	@touch $@

# Node.js, for a machine that has none.
$(BUILD)/installed: requirements/build.txt | python
	@echo "Installing Node.js in $(BUILD) …"
	@$(PYTHON) -m venv --clear $(BUILD)
	@$(BUILD)/bin/python -m pip install --quiet --require-hashes --requirement requirements/build.txt
	@touch $@

client: $(RUN)/installed
	@$(RUN)/bin/python scripts/node.py is-fresh || { \
	    python=$(RUN)/bin/python; \
	    $$python scripts/node.py has-node || { $(MAKE) --no-print-directory $(BUILD)/installed; python=$(BUILD)/bin/python; }; \
	    echo "Building the web client …"; \
	    $$python scripts/node.py fresh; \
	}

run: client
	@echo "Starting the server. Ctrl-C ends it."
	@exec $(RUN)/bin/python -m hubbub serve $(ARGS)

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

# ARGS replaces the chosen tests. PYTHON=python3.13 chooses another Python.
lowest: $(VENV)/installed
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) $(LOWEST)
	$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --require-hashes --requirement requirements/lowest-test.txt
	$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --no-deps --no-build-isolation --editable .
	$(LOWEST)/bin/python -m pytest --numprocesses $(or $(WORKERS),2) --dist loadfile -p no:cacheprovider -p no:anyio $(or $(ARGS),$(LOWEST_TESTS))

# test_openapi.py resets a cache that older versions of FastAPI do not have. The plugin of older versions of anyio warns.
LOWEST_TESTS := tests/cli tests/client tests/gateways tests/http tests/manager tests/mounted tests/plain_text tests/storage --ignore=tests/http/test_openapi.py

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
	$(COMPILE) pyproject.toml --extra server --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --all-extras --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --extra cluster --constraint requirements/dev.txt --output-file requirements/image.txt
	$(COMPILE) --group build --constraint requirements/dev.txt --output-file requirements/build.txt
	$(COMPILE) --group docs --constraint requirements/dev.txt --output-file requirements/docs.txt
	$(COMPILE) pyproject.toml --extra cluster --resolution lowest-direct --output-file requirements/lowest.txt
	$(COMPILE) pyproject.toml --extra cluster --group test --constraint requirements/lowest.txt --output-file requirements/lowest-test.txt
	$(COMPILE) pyproject.toml --extra server --group beside --output-file requirements/beside.txt

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

image: web
	sh scripts/image $(BASE)

chart: $(VENV)/installed
	sh scripts/chart

clean:
	rm -rf $(VENV) $(RUN) $(BUILD) $(LOWEST) $(DOCS) .fonts .fonts.log build dist web/node_modules src/hubbub/web_dist bench/out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench examples scripts -name __pycache__ -type d -prune -exec rm -rf {} +
