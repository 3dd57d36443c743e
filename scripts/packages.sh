#!/usr/bin/env bash
# Install what some tests need besides Python: Chromium (reports) and PostgreSQL (fleets). Without them these tests are
# skipped and say so. `make test` starts with this; it changes the machine only as root, and not with PACKAGES=no.
set -euo pipefail
missing=()
command -v chromium >/dev/null || missing+=(chromium)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing+=(postgresql)
if [ ${#missing[@]} = 0 ]; then exit; fi
if [ "${1:-yes}" = no ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "not installed: ${missing[*]} (as root on Debian or Ubuntu, make packages does it); the tests that need them are skipped"
  exit
fi
echo "Installing ${missing[*]} with apt-get; make test PACKAGES=no leaves them out ..."
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
  echo "not installed: ${missing[*]}; the tests that need them are skipped"
