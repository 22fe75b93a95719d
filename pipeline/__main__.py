"""``python -m pipeline``: the command line, for launchers that start a module."""

import sys

from pipeline.cli import main

sys.exit(main())
