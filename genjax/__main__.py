"""`python -m genjax`: see `genjax/cli/main.py`."""

import sys

from genjax.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
