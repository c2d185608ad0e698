"""`python -m experiments.latent`: see `genjax/cli/latent.py`."""

import sys

from genjax.cli.latent import main

if __name__ == "__main__":
    sys.exit(main())
