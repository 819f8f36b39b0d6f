# make run    the default study: results/report.html
# make test   all tests
# make bench  speed beside peers and limits, into docs/PERFORMANCE.md; real data by BENCH="--mnist mnist.npz --usps usps.npz"
# make bench-gpu   the same on a CUDA GPU, where there is one
# All make .venv from envs/requirements.txt when it is missing or older.

PYTHON ?= python3
BIN := .venv/bin
GPUS ?= $(shell nvidia-smi -L 2>/dev/null | wc -l)

.PHONY: run test lint bench bench-gpu clean

run: .venv/ready
	$(BIN)/snakemake --cores all --resources gpu=$(GPUS) --quiet rules
	@echo
	@cat results/tables/acc.md
	@echo
	@echo "Tables:  results/tables/*.{md,tex,csv}; every run: results/scores.csv"
	@echo "Figures: results/figures"
	@echo "All on one page, for your browser: results/report.html"

test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

bench: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt -c envs/requirements.txt
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks $(BENCH)

bench-gpu: .venv/ready
	$(BIN)/python -m benchmarks.gpu $(BENCH)

.venv/ready: envs/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "got `$(PYTHON) --version`, expected Python 3.11 or newer; call make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	touch $@

clean:
	rm -rf results .snakemake
