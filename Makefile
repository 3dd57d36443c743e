# Needs make, bash and Python 3.11 or newer, or uv. Every target first brings the environment it needs up to date.

# The first Python on this machine that runs, is new enough and can make an environment. Yours: make PYTHON=...
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
VENV ?= .venv
RUN := $(VENV)/bin/python
# .venv has everything for development; .venv-demo has only what the demo needs.
DEMO := $(if $(wildcard $(VENV)/.stamp),$(VENV)/.stamp,$(VENV)-demo/.stamp)
DEMO_BATCH := $(if $(wildcard $(VENV)/.stamp),$(VENV)/.stamp,$(VENV)-demo/.stamp-batch)
# Programs started by tests reuse compiled modules.
unexport PYTHONDONTWRITEBYTECODE
WORKERS ?= 4
SEEDS ?= 1000

.DEFAULT_GOAL := help
.NOTPARALLEL:  # the steps of test share one environment, and pytest's closing line comes last
.PHONY: help demo demo-batch packages test test-all test-long pytest coverage simulate audit answers kills log-kills batch-kills batch-damage batch-lost batch-fleet batch-late claims machine deadlines memory bench bench-quick mutants check lint imports types drift generate contract-diff docs dist format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(DEMO) ## Run four operations, sync and async, against the emulator; files are saved in outputs/
	@$(dir $(DEMO))bin/python -m magic_hour_workflows.demo

demo-batch: $(DEMO_BATCH) ## Run a batch of 200 rows, with faults, against the emulator; media and report are saved in outputs/
	@$(dir $(DEMO_BATCH))bin/python -m magic_hour_workflows.demo_batch

check: $(VENV)/.stamp ## Lint, types, import rules, generated code, spelling and CI workflow, side by side
	@$(RUN) scripts/check.py

test: packages check pytest ## All checks and tests: make check, then the tests

# More workers than cores, because tests wait more than they work. In the order of the folders: pytest-xdist would begin
# with the modules of most tests, and those of few are the long ones.
ALL_TESTS = -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(LONG)
pytest: $(VENV)/.stamp ## The tests, or some of them: make pytest ARGS="-k name"
	@$(RUN) -m pytest $(or $(ARGS),$(ALL_TESTS))

test-long: LONG = --long
test-long: pytest ## The tests with all their cases, also those that make test skips

test-all: ## make test with its long cases on every Python from 3.11 that is installed: prints a line for each; run before a release
	@scripts/test_all.sh

PACKAGES ?= yes
packages: ## Install Chromium and PostgreSQL, for the tests of reports and fleets (Debian and Ubuntu, as root; not with PACKAGES=no)
	@scripts/packages.sh $(PACKAGES)

coverage: $(VENV)/.stamp ## The tests with branch coverage, which has to be 90 % (a third slower)
	@$(RUN) -m pytest $(ALL_TESTS) --cov --cov-report=term

lint: $(VENV)/.stamp ## Lint and format check
	@$(RUN) scripts/check.py lint

types: $(VENV)/.stamp ## mypy --strict, pyright, and that every public name of both client packages has a type
	@$(RUN) scripts/check.py mypy pyright

imports: $(VENV)/.stamp ## Import rules between and inside the packages
	@$(RUN) scripts/check.py imports

drift: $(VENV)/.stamp ## Are generated/, docs/reference/ and docs/promises-tests.md up to date?
	@$(RUN) scripts/check.py drift

generate: $(VENV)/.stamp ## spec/ + templates/ -> generated/, docs/reference/ and the emulator's copy of the contract
	@$(RUN) scripts/generate.py

contract-diff: $(VENV)/.stamp ## How another OpenAPI document of the service differs from ours: make contract-diff SPEC=FILE (ARGS=--all)
	@$(RUN) scripts/contract_diff.py "$(or $(SPEC),$(error which document? make contract-diff SPEC=FILE))" $(ARGS)

docs: $(VENV)/.stamp ## Write docs/promises-tests.md (make generate writes the reference pages)
	@$(RUN) scripts/promise_tests.py

format: $(VENV)/.stamp ## Sort imports and format
	@$(RUN) -m ruff check --quiet --fix --select I . && $(RUN) -m ruff format --quiet .

# --- the long campaigns: CONTRIBUTING.md, Campaigns ---

simulate: $(VENV)/.stamp ## Run the flows in a simulated world: make simulate SEEDS=10000, or one seed: SEED=7
	@PYTHONPATH=tests $(RUN) -m simulation --workers $(WORKERS) $(if $(SEED),--seed $(SEED) --trace,--seeds 1-$(SEEDS))

audit: $(VENV)/.stamp ## A thousand calls with faults: compares reported with charged jobs (CALLS=1000 SEED=0; some minutes)
	@$(RUN) tests/faults/audit.py --calls $(or $(CALLS),1000) --seed $(or $(SEED),0)

answers: $(VENV)/.stamp ## Over 1,300 truncated, broken and distorted responses to a paid create, in every kind of call (minutes)
	@PYTHONPATH=tests $(RUN) -m faults.answers $(ARGS)

kills: $(VENV)/.stamp ## kill -9 at every named point and at random moments (POINTS=20 RANDOM=200 SEED=0; a quarter of an hour)
	@$(RUN) tests/kill/campaign.py --points $(or $(POINTS),20) --random $(or $(RANDOM),200) --seed $(or $(SEED),0)

log-kills: $(VENV)/.stamp ## kill -9 of plain programs at random moments: the job log has every charged job, and saves it (KILLS=200 SEED=0; minutes)
	@$(RUN) tests/kill/log_kills.py --kills $(or $(KILLS),200) --seed $(or $(SEED),0)

batch-kills: $(VENV)/.stamp ## kill -9 of a batch at random moments, with the guard and without (KILLS=100 ROWS=300 SEED=0; a quarter of an hour)
	@PYTHONPATH=tests $(RUN) -m batch.killing.kill_campaign --kills $(or $(KILLS),100) --rows $(or $(ROWS),300) --seed $(or $(SEED),0)

batch-damage: $(VENV)/.stamp ## 1,000 saved files damaged, removed and swapped: all found and downloaded again at no charge (DAMAGES=1000 SEED=0; a minute)
	@PYTHONPATH=tests $(RUN) -m batch.file_damage --damages $(or $(DAMAGES),1000) --seed $(or $(SEED),0)

batch-lost: $(VENV)/.stamp ## The database of a running batch removed, moved, replaced, damaged, full: nothing unreported, nothing paid twice (RUNS=200 SEED=0; minutes)
	@PYTHONPATH=tests $(RUN) -m batch.database_loss --runs $(or $(RUNS),200) --seed $(or $(SEED),0)

batch-fleet: $(VENV)/.stamp ## A batch on PostgreSQL: one worker killed, one stopped, one added (ROWS=1000 RATE=600; minutes)
	@PYTHONPATH=tests $(RUN) -m batch.fleet.scenario --rows $(or $(ROWS),1000) --rate $(or $(RATE),600)

batch-late: $(VENV)/.stamp ## Workers stopped in the middle of their attempts, on PostgreSQL: none sends a row that belongs to another (REPETITIONS=20; minutes)
	@PYTHONPATH=tests $(RUN) tests/batch/fleet/late.py --repetitions $(or $(REPETITIONS),20)

claims: $(VENV)/.stamp ## The claims of a batch in a simulated world with unreliable clocks: make claims SCHEDULES=2000 (two minutes)
	@PYTHONPATH=tests $(RUN) -m batch.claiming.seeded_bugs --schedules $(or $(SCHEDULES),2000)

machine: $(VENV)/.stamp ## Any sequence of calls, faults and restarts, by Hypothesis: make machine EXAMPLES=500
	@MACHINE_EXAMPLES=$(or $(EXAMPLES),500) $(RUN) -m pytest tests/machine -q -s --timeout 3600 --show-capture=no

mutants: $(VENV)-mutants/.stamp ## Does a test fail for every wrong decision? For one file: make mutants ARGS="_flows/wait.py"
	@$(VENV)-mutants/bin/python scripts/mutants.py $(ARGS)

deadlines: $(VENV)/.stamp ## Do calls end in time? timeout=1, 5 and 20 under every fault, and Ctrl-C; minutes
	@PYTHONPATH=tests $(RUN) tests/safety/deadlines.py $(ARGS)

SIZE ?= 2G
memory: $(VENV)/.stamp ## Peak memory and stalls of the event loop while 2 GiB are uploaded and downloaded: make memory SIZE=256M
	@$(RUN) benchmarks/transfers_memory.py --size $(SIZE) $(ARGS)

bench: $(VENV)-bench/.stamp ## Compare with raw httpx, the vendor's SDK and curl; writes benchmarks/RESULTS.md (20 to 25 minutes; ROWS="import/* jobs/200*")
	@PYTHONPATH=.:tests $(VENV)-bench/bin/python -m benchmarks $(if $(ROWS),--rows $(ROWS)) $(ARGS)

bench-quick: $(VENV)-bench/.stamp ## The same rows, smaller and fewer times, in under two minutes; writes nothing
	@PYTHONPATH=.:tests $(VENV)-bench/bin/python -m benchmarks --quick $(if $(ROWS),--rows $(ROWS)) $(ARGS)

# Each wheel is built from its sdist, so each sdist is complete. Without isolation: .venv has the pinned build backend.
dist: $(VENV)/.stamp ## sdists and wheels of both distributions in dist/, checked as for an upload to an index
	@rm -rf dist
	@$(RUN) -m build --no-isolation --outdir dist .
	@$(RUN) -m build --no-isolation --outdir dist emulator
	@$(RUN) -m twine check --strict dist/*

clean: ## Remove caches and reports; environments stay (rm -rf .venv* to start over)
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov build dist
	@find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +

# --- environments ---

PROJECT := pyproject.toml emulator/pyproject.toml constraints.txt

$(VENV)/.stamp: $(PROJECT)
	@scripts/environment.sh $(VENV) "$(PYTHON)" -e ./emulator -e '.[batch,emulator,generate,cli]' --group dev
	@touch $@

$(VENV)-demo/.stamp: $(PROJECT)
	@scripts/environment.sh $(VENV)-demo "$(PYTHON)" -e ./emulator -e '.[emulator]'
	@touch $@

$(VENV)-demo/.stamp-batch: $(PROJECT)
	@scripts/environment.sh $(VENV)-demo "$(PYTHON)" -e ./emulator -e '.[batch,cli,emulator]'
	@touch $@

# mutmut has its own environment, so that it does not decide any version of .venv.
$(VENV)-mutants/.stamp: $(PROJECT) tests/mutants/constraints.txt
	@scripts/environment.sh $(VENV)-mutants "$(PYTHON)" -c tests/mutants/constraints.txt -e ./emulator -e '.[batch,cli,emulator]' --group mutants
	@touch $@

# What is compared shares one environment, so that all of it uses the same httpx.
$(VENV)-bench/.stamp: $(PROJECT) benchmarks/constraints.txt
	@scripts/environment.sh $(VENV)-bench "$(PYTHON)" -c benchmarks/constraints.txt -e '.[cli,generate]' --group bench
	@touch $@
