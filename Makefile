# `make` lists the targets. All of them work in .venv/, which is made from the lock files.
PYTHON ?= python3
BIN := .venv/bin

# Variables of `make mosaic`; they reach the shell through the environment, so any file name or pattern is safe.
OUT ?= mosaics
export INPUT OUT PREFIX PROFILE LOG_LEVEL WORKERS IMAGE OPTIONS
# With IMAGE= nothing is installed here; it is the name of an image for podman or docker, or a .sif file.
SETUP := $(if $(IMAGE),,.venv/.stamp)
HSTMOSAIC := $(if $(IMAGE),container/run.sh "$$IMAGE",$(BIN)/hstmosaic)
# Simulated exposures need no alignment, so the demo always skips it.
RUN_OPTIONS = $(strip $(if $(INPUT),$(if $(filter-out 0,$(SKIP_ALIGN)),-s),-s) $(if $(PREFIX),-o "$$PREFIX") \
    $(if $(PROFILE),--profile "$$PROFILE") $(if $(LOG_LEVEL),-l "$$LOG_LEVEL") $(if $(WORKERS),--workers "$$WORKERS") \
    $(if $(filter-out 0,$(REPLACE)),--replace) $(if $(filter command,$(firstword $(origin OPTIONS))),$$OPTIONS))

RUN = $(HSTMOSAIC) run "$${INPUT:-demo/list.txt}" --output-dir "$$OUT" $(RUN_OPTIONS)
# Messages of hstmosaic name its options.
NAMES := make mosaic: for -o use PREFIX=, for --output-dir OUT=, for --replace REPLACE=1, for -s SKIP_ALIGN=1, \
    for others OPTIONS='--catalog gaia.ecsv'

# A misspelt variable would be ignored without a word.
KNOWN := PYTHON INPUT OUT PREFIX SKIP_ALIGN REPLACE PROFILE LOG_LEVEL WORKERS OPTIONS IMAGE UV LOCK_OPTIONS PYTEST_OPTIONS \
    ENGINE BASE_IMAGE APT_SOURCES PIP_CONF CA_BUNDLE ARCHIVE SIF SIF_OPTIONS
GIVEN := $(foreach name,$(filter-out MAKE% -% .%,$(.VARIABLES)),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
UNKNOWN := $(filter-out $(KNOWN),$(GIVEN))
$(if $(UNKNOWN),$(error unknown variable $(UNKNOWN): use one of $(KNOWN)))

.DELETE_ON_ERROR:
.PHONY: help venv mosaic image sif test test-quick test-slurm test-image test-pythons lint bench docs changelog lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

venv: .venv/.stamp  ## install hstmosaic in .venv/ (PYTHON=python3.12 chooses the Python)

mosaic: $(SETUP) $(if $(INPUT),,demo/list.txt)  ## mosaic INPUT=list.txt [PREFIX= OUT= SKIP_ALIGN=1 REPLACE=1 PROFILE= LOG_LEVEL= WORKERS= OPTIONS= IMAGE=], or a demo
	@$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,echo $(RUN))
	@$(RUN) || { code=$$?; echo "$(NAMES)" >&2; exit $$code; }

image:  ## build the image with podman or docker (settings: container/build.sh)
	container/build.sh $(if $(IMAGE),"$$IMAGE")

sif:  ## make build/hstmosaic.sif from the image, for Apptainer (settings: container/build-sif.sh)
	container/build-sif.sh $(if $(IMAGE),"$$IMAGE")

test: .venv/.dev-stamp  ## run all tests except those of the image (those of Slurm only where it is installed)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not image" $(PYTEST_OPTIONS)

test-slurm: .venv/.dev-stamp  ## run the tests on a real Slurm (Debian: apt install slurm-wlm munge)
	$(BIN)/python -m pytest -n auto --dist loadfile -m slurm tests/slurm

test-image: .venv/.dev-stamp  ## build the image and test it, also with Apptainer and Slurm (minutes; needs root on Debian)
	$(BIN)/python -m pytest -m image tests/image

test-pythons: .venv/.dev-stamp  ## run fast tests on Python 3.12 and 3.13 and with the oldest dependencies (build/pythons has them)
	.ci/pythons install
	.ci/pythons test

test-quick: .venv/.dev-stamp  ## run the tests that need no drizzlepac (about 5 minutes on 2 cores)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not upstream and not slow and not slurm and not image"

lint: .venv/.dev-stamp  ## check style, types and imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: .venv/.dev-stamp  ## compare with drizzlepac's make_custom_mosaic; writes build/bench.json (more than an hour)
	$(BIN)/python tests/bench_plan.py
	mkdir -p build
	$(BIN)/python tests/bench.py --json build/bench.json
	$(BIN)/python tests/bench_align.py
	$(BIN)/python tests/bench_kernel.py
	$(BIN)/python tests/bench_boxes.py
	$(BIN)/python tests/bench_huge.py
	$(BIN)/python tests/bench_growth.py

docs: .venv/.dev-stamp  ## build the site in docs/_build/html
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html docs docs/_build/html

changelog: .venv/.dev-stamp  ## print the next section of the changelog, which is made from changes/
	$(BIN)/towncrier build --draft

UV ?= uv
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK_OPTIONS)

lock:  ## write the lock files from pyproject.toml (needs uv; LOCK_OPTIONS=--upgrade)
	$(COMPILE) pyproject.toml --group build -o container/lock.txt
	sed -i '/^photutils==/i # photutils <3: drizzlepac 3.11 reads columns that photutils 3 renamed, and hides the KeyError.' container/lock.txt
	sed -i '/^spherical-geometry==/i # spherical_geometry <1.4: stsci.skypac calls a method that 1.4.0 dropped; sky matching then fails silently.' container/lock.txt
	$(COMPILE) --group dev -c container/lock.txt -o container/lock-dev.txt
	$(COMPILE) --group test -c container/lock-dev.txt -o container/lock-test.txt
	$(COMPILE) --group sbom -o container/lock-sbom.txt
	$(COMPILE) --resolution lowest-direct pyproject.toml --group build --group test -o container/lock-oldest.txt

clean:  ## remove what make created, except mosaics
	rm -rf .venv build dist demo docs/_build .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find src tests -name __pycache__ -prune -exec rm -rf {} +
	rm -rf src/*.egg-info src/hstmosaic/tasks/*/*.so

.venv/.locked: container/lock.txt
	@test "$$(uname -s)" = Linux || { echo "make: hstmosaic needs Linux; elsewhere, use an image (docs/images.md)"; exit 1; }
	@command -v "$(PYTHON)" > /dev/null || \
	    { echo "make: $(PYTHON) not found: install Python 3.11 or later, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "make: $$("$(PYTHON)" --version 2>&1) is too old: name Python 3.11 or later: make PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null || \
	    { echo "make: $(PYTHON) cannot make virtual environments: install its venv module (Debian: apt install python3-venv)"; exit 1; }
	@echo "Installing in .venv/ (about 1 GB, a minute or two) ..."
	@"$(PYTHON)" -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --require-hashes -r container/lock.txt
	@touch $@

# Edited C is compiled again.
.venv/.stamp: .venv/.locked pyproject.toml setup.py $(wildcard src/hstmosaic/tasks/*/*.[ch])
	@$(BIN)/python -m pip install -qq --no-build-isolation --no-deps -e .
	@touch $@

.venv/.dev-stamp: .venv/.stamp container/lock-dev.txt
	@echo "Installing the tools for development ..."
	@$(BIN)/python -m pip install -qq --require-hashes -r container/lock-dev.txt
	@touch $@

# Simulated once; remove demo/ to have it made again.
# The list is written last. The next step that simulate prints is the one that make takes.
demo/list.txt: | $(SETUP)
	@$(HSTMOSAIC) simulate demo | sed -u '/^next: /d'
	@test -e $@
