"""`python -m plugrad_bench`."""

import sys

from plugrad_bench.command import main

sys.exit(main())
