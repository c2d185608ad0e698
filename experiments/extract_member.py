"""`python -m experiments.extract_member`: see `genjax/cli/extract_member.py`."""

import sys

from genjax.cli.extract_member import main

if __name__ == "__main__":
    sys.exit(main())
