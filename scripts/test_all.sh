#!/usr/bin/env bash
# `make test` with its long cases on every Python version of the list: one closing line for each, and a last one for all.
#
# Versions are found by name or among pyenv's; one that is not installed is named and skipped. The whole output of each
# run is in build/test-<version>.log.
set -euo pipefail
cd "$(dirname "$0")/.."
versions="3.11 3.12 3.13 3.14"

mkdir -p build
passed="" failed=""
for version in $versions; do
  python=
  for candidate in "python$version" "$(pyenv root 2>/dev/null || true)/versions/$version".*/bin/python; do
    if "$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1; then python=$candidate; break; fi
  done
  if [ -z "$python" ]; then echo "Python $version: not installed, skipped"; continue; fi
  log=build/test-$version.log
  if make --no-print-directory test PYTHON="$python" VENV=".venv-$version" LONG=--long >"$log" 2>&1; then
    passed="$passed $version"
  else
    failed="$failed $version"
    tail -n 40 "$log"
  fi
  echo "Python $version: $(tail -n 1 "$log")"
done
if [ -n "$failed" ]; then echo "test-all: failed on$failed"; exit 1; fi
if [ -z "$passed" ]; then echo "test-all: none of Python $versions is installed"; exit 1; fi
echo "test-all: passed on$passed"
