"""`python -m evosearch` is `evosearch`."""

from __future__ import annotations

import sys

from evosearch.cli import main

sys.exit(main())
