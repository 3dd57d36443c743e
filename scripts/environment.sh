#!/usr/bin/env bash
# Create or update a virtual environment with the exact versions of constraints.txt.
#
#     scripts/environment.sh FOLDER PYTHON REQUIREMENT...      (the arguments of `pip install`)
#
# uv does it in seconds where it is installed; otherwise Python's own venv and pip do. Either says what it installs.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 python=$2
shift 2

if uv --version >/dev/null 2>&1; then
  echo "Setting up $folder with uv ..."
  test -x "$folder/bin/python" || uv venv --quiet --clear --python "${python:->=3.11}" "$folder"
  uv pip install --quiet --python "$folder/bin/python" -c constraints.txt "$@"
  exit
fi

test -n "$python" || { echo "No Python 3.11 or newer (with venv) found: make PYTHON=/path/to/python"; exit 1; }
echo "Setting up $folder with $python (once; uv, where installed, is much faster) ..."
test -x "$folder/bin/python" || "$python" -m venv "$folder"
messages=$(mktemp)
trap 'rm -f "$messages"' EXIT
install() {  # prints the name of each package as pip gets to it, and everything pip printed if it fails
  "$folder/bin/python" -m pip install --no-input --disable-pip-version-check -c constraints.txt "$@" 2>&1 |
    tee "$messages" | awk '
      /^ *(Collecting|Processing) / { sub(/.*\//, "", $2); sub(/[-<>=!~;].*/, "", $2)
        printf "%s %s", (n++ % 10 ? "" : (n > 1 ? "\n " : " ")), $2; fflush() }
      /^Installing collected/ { printf "%s  installing ...", (n ? "\n" : ""); n++; fflush() }
      END { if (n) print "" }' ||
    { cat "$messages"; exit 1; }
}
case " $* " in *" --group "*) install --quiet pip ;; esac  # needs pip 25.1; a new environment may have an older one
install "$@"
