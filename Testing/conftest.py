"""Order of the tests, and no silent skips in CI."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

# the tests' networks are so small that several threads only wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")

ACCEPTED_SKIPS = ("needs ../shared", "needs a GPU", "needs 3D Slicer")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, and last those that slow others down; a stable sort keeps the order otherwise."""
    items.sort(key=lambda item: (item.get_closest_marker("slow") is not None, *_views(item)))


def _views(item: pytest.Item) -> tuple[bool, bool]:
    """Whether a test needs more than three slice views, or any: they stay, and cost time at every reset."""
    names = getattr(item, "fixturenames", ())
    return "more_views" in names, "layout_manager" in names


def pytest_collection_finish() -> None:
    """Spare the thousands of collected tests and all that was imported the search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """In CI, turn a skip without an accepted reason into a failure."""
    report = yield
    fail_unexpected_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """In CI, turn a module that skips itself without an accepted reason into an error."""
    report = yield
    fail_unexpected_skip(report)
    return report


def fail_unexpected_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make the report a failure if it is a skip that must not happen in CI (CI=true)."""
    expected_failure = hasattr(report, "wasxfail")
    if os.environ.get("CI") != "true" or not report.skipped or expected_failure:
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(ACCEPTED_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"Skipped in CI, where it must run: {reason}"
