"""`python -m vsr` is `vsr-train`, for where the script is not on PATH."""

import sys

from vsr.cli import main

sys.exit(main())
