"""Fixtures of the host's own tests."""

from __future__ import annotations

from SlicerHost.fixtures import *  # noqa: F403

# Test files import `qt` and `ctk`, as modules do.
boot()  # noqa: F405
