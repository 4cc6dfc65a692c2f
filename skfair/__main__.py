"""``python -m skfair``: what skfair does from the command line."""

import sys

from .audit._command import main

if __name__ == "__main__":
    sys.exit(main())
