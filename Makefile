# make run    the default study: results/report.html
# make test   all tests
# make results   every table of docs that is made of the rows in docs/results
# make docs   the documentation site: build/site; `.venv/bin/mkdocs serve` shows it while you write
# make notebooks   the examples of docs run anew, with their outputs
# make bench  speed beside peers and limits, into docs/PERFORMANCE.md; real data by BENCH="--mnist mnist.npz --usps usps.npz"
# make bench-gpu   the same on a CUDA GPU, where there is one
# Tests take three workers: those that wait for Snakemake and SLURM leave one of two cores idle.
# All make .venv from envs/requirements.txt when it is missing or older. For another Python, PYTHON=python3.13 VENV=.venv-3.13;
# for some tests, TESTS="tests/methods tests/test_spec.py -k alpha".

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
GPUS ?= $(shell nvidia-smi -L 2>/dev/null | wc -l)

.PHONY: run test lint results docs notebooks bench bench-gpu clean

run: $(VENV)/ready
	$(BIN)/snakemake --cores all --resources gpu=$(GPUS)
	@echo
	@cat results/tables/acc.md
	@echo
	@echo "Tables:  results/tables/*.{md,tex,csv}; every run: results/scores.csv"
	@echo "Figures: results/figures"
	@echo "All on one page, for your browser: results/report.html"

test: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(TESTS)

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

results: $(VENV)/ready
	$(BIN)/python -m docs.results

docs: $(VENV)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

notebooks: $(VENV)/docs
	OMP_NUM_THREADS=1 PYTHONPATH=$(CURDIR) $(BIN)/jupyter execute --NotebookClient.record_timing=False --inplace docs/examples/*.ipynb

bench: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt -c envs/requirements.txt
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks $(BENCH)

bench-gpu: $(VENV)/ready
	$(BIN)/python -m benchmarks.gpu $(BENCH)

$(VENV)/ready: envs/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "got `$(PYTHON) --version`, expected Python 3.11 or newer; call make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	touch $@

$(VENV)/docs: docs/requirements.txt $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r docs/requirements.txt -c envs/requirements.txt
	touch $@

clean:
	rm -rf results .snakemake
