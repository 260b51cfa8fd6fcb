"""None survives PySide6 on every Python."""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QLabel

CALLS = 20_000


def test_none_outlives_many_calls_of_qt(host):
    label = QLabel()
    for _ in range(CALLS):
        label.setText("liver")

    assert sys.getrefcount(None) > CALLS
