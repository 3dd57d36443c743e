# Needs make and any Python from 3.11 on, nothing else. Every target first brings .venv up to date.

# The first Python on this machine that runs, is new enough and can make an environment. Yours: make PYTHON=...
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
VENV ?= .venv
RUN := $(VENV)/bin/python
# Programs that tests start would compile all of the project anew, each of them.
unexport PYTHONDONTWRITEBYTECODE
WORKERS ?= 4
SEEDS ?= 1000

# pyright's wrapper asks the network for a newer version unless told not to. --verifytypes knows no --pythonpath, so
# pyright finds the environment through PATH.
PYRIGHT := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" PYRIGHT_PYTHON_IGNORE_WARNINGS=1 python -m pyright

.DEFAULT_GOAL := help
.NOTPARALLEL:  # the steps of test share one environment, and pytest's closing line comes last
.PHONY: help demo demo-batch packages test test-all test-long pytest coverage simulate audit answers kills batch-kills batch-damage batch-lost batch-fleet batch-late claims machine deadlines memory bench bench-quick mutants lint imports types generate docs check dist format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.stamp ## Run all four endpoints, sync and async, against the emulator; files land in outputs/
	@$(RUN) -m magic_hour_workflows.demo

demo-batch: $(VENV)/.stamp ## A batch of 200 rows, with faults, against the emulator; media and report land in outputs/
	@$(RUN) -m magic_hour_workflows.demo_batch

# Where it may be installed it is; elsewhere the tests that need it are skipped, and say so.
packages: ## Chromium and PostgreSQL for the tests of reports and fleets (Debian and Ubuntu, as root)
	@missing=; command -v chromium >/dev/null || missing=chromium; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="$$missing postgresql"; \
	[ -z "$$missing" ] || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; } || \
		echo "not installed: $$missing; the tests that need it are skipped"

test: packages lint types imports check pytest ## Everything that has to hold: lint, types, import rules, generated code, tests

# More workers than cores, because tests wait more than they work. In the order of the folders: pytest-xdist would begin
# with the modules of most tests, and those of few are the long ones.
ALL_TESTS = -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(LONG)
pytest: $(VENV)/.stamp ## The tests, or some of them: make pytest ARGS="-k name"
	@$(RUN) -m pytest $(or $(ARGS),$(ALL_TESTS))

coverage: $(VENV)/.stamp ## The tests with branch coverage, which has to be 90 % (a third slower)
	@$(RUN) -m pytest $(ALL_TESTS) --cov --cov-report=term

# test-all does so too: what make test leaves out is run before a release.
test-long: LONG = --long
test-long: pytest ## The tests with all their cases, also those that make test leaves out

simulate: $(VENV)/.stamp ## Play the flows against a pretended world: make simulate SEEDS=10000, or one seed: SEED=7
	@PYTHONPATH=tests $(RUN) -m simulation --workers $(WORKERS) $(if $(SEED),--seed $(SEED) --trace,--seeds 1-$(SEEDS))

audit: $(VENV)/.stamp ## A thousand calls under faults: told against charged (CALLS=1000 SEED=0; some minutes)
	@$(RUN) tests/faults/audit.py --calls $(or $(CALLS),1000) --seed $(or $(SEED),0)

answers: $(VENV)/.stamp ## Raw answers to a paid create, over 1,300 cut, broken and distorted ones, sync, async, in the terminal, in a batch (minutes)
	@PYTHONPATH=tests $(RUN) -m faults.answers $(ARGS)

kills: $(VENV)/.stamp ## kill -9 at every named point and at random moments (POINTS=20 RANDOM=200 SEED=0; a quarter of an hour)
	@$(RUN) tests/kill/campaign.py --points $(or $(POINTS),20) --random $(or $(RANDOM),200) --seed $(or $(SEED),0)

batch-kills: $(VENV)/.stamp ## kill -9 of a batch at random moments, with the guard and without (KILLS=100 ROWS=300 SEED=0; a quarter of an hour)
	@$(RUN) tests/batch/killing/campaign.py --kills $(or $(KILLS),100) --rows $(or $(ROWS),300) --seed $(or $(SEED),0)

batch-damage: $(VENV)/.stamp ## 1,000 saved files damaged, removed and exchanged: all found, all fetched again for nothing (DAMAGES=1000 SEED=0; a minute)
	@PYTHONPATH=tests $(RUN) -m batch.damage --damages $(or $(DAMAGES),1000) --seed $(or $(SEED),0)

batch-lost: $(VENV)/.stamp ## The database of a running batch removed, moved, replaced, damaged, full: nothing unreported, nothing paid twice (RUNS=200 SEED=0; minutes)
	@PYTHONPATH=tests $(RUN) -m batch.lost --runs $(or $(RUNS),200) --seed $(or $(SEED),0)

batch-fleet: $(VENV)/.stamp ## A batch on PostgreSQL: one worker killed, one stopped, one added (ROWS=1000 RATE=600; minutes)
	@PYTHONPATH=tests $(RUN) tests/batch/fleet/campaign.py --rows $(or $(ROWS),1000) --rate $(or $(RATE),600)

batch-late: $(VENV)/.stamp ## Workers stopped in the middle of their tries, on PostgreSQL: none sends when its row is another's (REPETITIONS=20; minutes)
	@PYTHONPATH=tests $(RUN) tests/batch/fleet/late.py --repetitions $(or $(REPETITIONS),20)

claims: $(VENV)/.stamp ## The claims of a batch in a pretended world, with clocks nobody can trust: make claims SCHEDULES=2000 (two minutes)
	@PYTHONPATH=tests $(RUN) tests/batch/claiming/campaign.py --schedules $(or $(SCHEDULES),2000)

machine: $(VENV)/.stamp ## Any sequence of calls, faults and restarts, by Hypothesis: make machine EXAMPLES=500
	@MACHINE_EXAMPLES=$(or $(EXAMPLES),500) $(RUN) -m pytest tests/machine -q -s --timeout 3600 --show-capture=no

# A subshell for each version, found by name or among pyenv's; a version this machine lacks is named and skipped.
test-all: ## make test, and the long cases, on each of Python 3.11, 3.12 and 3.13 that is installed
	@found=; for v in 3.11 3.12 3.13; do \
		python=; for p in "python$$v" "$$(pyenv root 2>/dev/null)/versions/$$v".*/bin/python; do \
			"$$p" -c 'import venv, ensurepip' >/dev/null 2>&1 && python=$$p && break; done; \
		if [ -z "$$python" ]; then echo "== Python $$v: not installed, skipped"; continue; fi; \
		found=yes; echo "== Python $$v"; \
		$(MAKE) --no-print-directory test PYTHON="$$python" VENV=".venv-$$v" LONG=--long || exit 1; \
	done; [ -n "$$found" ] || { echo "None of Python 3.11, 3.12 and 3.13 is installed"; exit 1; }

lint: $(VENV)/.stamp ## Lint and format check
	@$(RUN) -m ruff check --quiet . && $(RUN) -m ruff format --check --quiet . && echo "lint: ok"

# Two side by side, each busy on one core; each tells what it found when it is its turn.
types: $(VENV)/.stamp ## mypy --strict, pyright, and that every public name of both client packages has a type
	@report=$$(mktemp); { $(RUN) -m mypy; } >"$$report" 2>&1 & mypy=$$!; \
	$(PYRIGHT); pyright=$$?; \
	for p in magic_hour_client magic_hour_workflows; do \
		told=$$($(PYRIGHT) --ignoreexternal --verifytypes $$p) || { pyright=1; echo "$$told"; continue; }; \
		echo "$$p: every public name is typed"; done; \
	wait $$mypy; mypy=$$?; cat "$$report"; rm -f "$$report"; \
	[ "$$mypy" = 0 ] && [ "$$pyright" = 0 ]

imports: $(VENV)/.stamp ## Import rules between and inside the packages
	@report=$$($(VENV)/bin/lint-imports --no-logo) || { echo "$$report"; exit 1; }; echo "imports: ok"

generate: $(VENV)/.stamp ## spec/ + templates/ -> generated/ and docs/reference/
	@$(RUN) scripts/generate.py

docs: generate ## The reference pages (they come with generate)

check: $(VENV)/.stamp ## Is generated/ exactly what spec/ and templates/ give?
	@$(RUN) scripts/generate.py --check

mutants: $(VENV)-mutants/.stamp ## Does a test fail for every decision made wrong? Or ask of one file: make mutants ARGS="flows/wait.py"
	@$(VENV)-mutants/bin/python scripts/mutants.py $(ARGS)

deadlines: $(VENV)/.stamp ## Do calls end when they are told to? timeout=1, 5 and 20 under every fault, and Ctrl-C; minutes
	@PYTHONPATH=tests $(RUN) tests/safety/deadlines.py $(ARGS)

SIZE ?= 2G
memory: $(VENV)/.stamp ## Peak memory and stalls of the event loop while 2 GiB go up and down: make memory SIZE=256M
	@$(RUN) benchmarks/transfers_memory.py --size $(SIZE) $(ARGS)

bench: $(VENV)-bench/.stamp ## Beside raw httpx, the vendor's SDK and curl; writes benchmarks/RESULTS.md (20 to 25 minutes; ROWS="import/* jobs/200*")
	@PYTHONPATH=.:tests $(VENV)-bench/bin/python -m benchmarks $(if $(ROWS),--rows $(ROWS)) $(ARGS)

bench-quick: $(VENV)-bench/.stamp ## The same rows, smaller and fewer times, in under two minutes; writes nothing
	@PYTHONPATH=.:tests $(VENV)-bench/bin/python -m benchmarks --quick $(if $(ROWS),--rows $(ROWS)) $(ARGS)

# The wheel is built from the sdist, so the sdist is complete. The path is relative: pip splits a list of paths at spaces.
dist: $(VENV)/.stamp ## sdist and wheel in dist/, and that an index would take them
	@rm -rf dist
	@PIP_CONSTRAINT=constraints.txt $(RUN) -m build --outdir dist .
	@$(RUN) -m twine check --strict dist/*

format: $(VENV)/.stamp ## Sort imports and format
	@$(RUN) -m ruff check --quiet --fix --select I . && $(RUN) -m ruff format --quiet .

clean: ## Remove caches and reports; environments stay (rm -rf .venv* to start over)
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov build dist
	@find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +

$(VENV)/.stamp: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer (with venv) found: make PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@test -x $(RUN) || "$(PYTHON)" -m venv $(VENV)
	@$(RUN) -m pip install -qq -c constraints.txt -e '.[batch,emulator,generate,cli,dev]'
	@touch $@

# mutmut wants no part in what people develop with, nor a say in its versions.
$(VENV)-mutants/.stamp: constraints.txt tests/mutants/constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer (with venv) found: make PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up $(VENV)-mutants (once, about a minute) ..."
	@test -x $(VENV)-mutants/bin/python || "$(PYTHON)" -m venv $(VENV)-mutants
	@$(VENV)-mutants/bin/python -m pip install -qq -c constraints.txt -c tests/mutants/constraints.txt \
		-e '.[batch,cli,emulator]' hypothesis mutmut pytest pytest-timeout trio
	@touch $@

# What is compared shares one environment, so that all of it stands on the same httpx.
$(VENV)-bench/.stamp: pyproject.toml constraints.txt benchmarks/constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer (with venv) found: make PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up $(VENV)-bench (once, about a minute) ..."
	@test -x $(VENV)-bench/bin/python || "$(PYTHON)" -m venv $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip install -qq -c constraints.txt -c benchmarks/constraints.txt -e '.[cli,generate]' magic_hour
	@touch $@
