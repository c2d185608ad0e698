# `make train` needs nothing but python3 (3.11 or newer) and the network on its first run.
PYTHON ?= python3
BIN := .venv/bin
WORKDIR ?= runs/wgan_gp_digits
# Most of a test's time is compiling, which uses one core. A file stays in one process, so that what
# its tests share is made once. Further arguments of pytest: make test PYTEST_ARGS="-k wgan"
PROCESSES ?= 2
PYTEST_ARGS ?=
PYTEST := $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --max-worker-restart=1

.PHONY: train test test-slow lint docs bench clean

# Train WGAN-GP on the bundled digits, judge it and show it. The same command again resumes.
train: .venv/installed
	$(BIN)/python -m experiments.train --config=configs/wgan_gp.py --workdir=$(WORKDIR)
	$(BIN)/python -m experiments.evaluate --workdir=$(WORKDIR)
	$(BIN)/python -m experiments.sample --workdir=$(WORKDIR) --n=64 --out=$(WORKDIR)/samples.png
	$(BIN)/python -m experiments.sample --workdir=$(WORKDIR) --n=64 --beside_real --out=$(WORKDIR)/sheet.png
	@echo
	@echo "64 samples:            $(WORKDIR)/samples.png"
	@echo "real ones beside them: $(WORKDIR)/sheet.png, each side best first"
	@echo "what lies between:     $(BIN)/python -m experiments.sample --workdir=$(WORKDIR) --interpolate --out=between.gif"
	@echo "more samples:          $(BIN)/python -m experiments.sample --workdir=$(WORKDIR) --n=400 --out=more.png"
	@echo "the numbers again:     $(BIN)/python -m experiments.evaluate --workdir=$(WORKDIR)"
	@echo "curves in a browser:   $(PYTHON) -m pip install tensorboard && tensorboard --logdir=$(WORKDIR)"
	@echo "another recipe:        $(BIN)/python -m experiments.train --config=configs/autoencoder.py --workdir=runs/autoencoder"
	@echo
	@echo "Next, better pictures: half an hour on two cores, with sheets and validation on the way, in runs/fashion"
	@echo "(Fashion-MNIST of TFDS; to prepare it once: $(BIN)/python -m pip install -e '.[tfds-prepare]'):"
	@echo "  $(BIN)/python -m experiments.train --config=configs/wgan_gp_fashion.py --workdir=runs/fashion"

# Quick: see tests/conftest.py. What must be equal to the bit in programs of several forms is compiled
# as it is for users.
QUICK := GENJAX_TEST_COMPILE=quick
BITS := tests/contracts/test_resume.py tests/contracts/test_chunks_agree.py \
	tests/contracts/test_elastic.py

test: .venv/installed-test
	$(QUICK) $(PYTEST) -m "not slow and not long" $(PYTEST_ARGS)

# The slow tests that CI runs as well; those marked `long` are run by name.
test-slow: .venv/installed-test
	$(QUICK) $(PYTEST) -m "slow and not long" $(BITS:%=--ignore=%) $(PYTEST_ARGS)
	$(PYTEST) -m "slow and not long" $(BITS) $(PYTEST_ARGS)

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy

# The pages, into build/site; a broken link is an error.
docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

bench: .venv/installed-benchmarks
	$(BIN)/python -m benchmarks.run

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# JAX for the GPU of a machine that has one and the driver for it: of CUDA 13 from version 580 on.
DRIVER := $(shell nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -1 | cut -d. -f1)
CUDA := $(if $(DRIVER),$(shell test $(DRIVER) -ge 580 && echo cuda13 || echo cuda12))

# One environment. Each stamp is an installation, made again when pyproject.toml changes.
.venv/installed: EXTRA := $(CUDA:%=[%])
.venv/installed-test: EXTRA := [test$(CUDA:%=,%)]
.venv/installed-docs: EXTRA := [docs]
.venv/installed-benchmarks: EXTRA := [benchmarks]

.venv/installed .venv/installed-test .venv/installed-docs .venv/installed-benchmarks: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("genjax needs Python 3.11 or newer; this is " + sys.version.split()[0] + ": make PYTHON=python3.12 …")'
	@echo "installing genjax$(EXTRA) into .venv (a minute or two)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.$(EXTRA)'
	@touch $@
