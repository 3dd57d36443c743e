"""`python -m magic_hour_workflows` is the command `magic-hour`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
