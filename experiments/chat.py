"""`python -m experiments.chat`: see `genjax/cli/chat.py`."""

import sys

from genjax.cli.chat import main

if __name__ == "__main__":
    sys.exit(main())
