"""`python -m plugrad_conformance`."""

import sys

from plugrad_conformance import scope

# Before the table of cases is imported: that happens once.
scope.narrow(*scope.peek(sys.argv[1:]))

from plugrad_conformance.command import main  # noqa: E402

sys.exit(main())
