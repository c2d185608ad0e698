"""`python -m experiments.from_hugging_face`: see `genjax/cli/from_hugging_face.py`."""

import sys

from genjax.cli.from_hugging_face import main

if __name__ == "__main__":
    sys.exit(main())
