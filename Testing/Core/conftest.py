"""Fixtures that several files use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from KPrismCore.geometry import VolumeGeometry
from KPrismCore.labelmaps import (
    Segment,
)
from KPrismCore.session import AnnotationSession
from KPrismCore.terminology import Code, Terminology
from Testing.Core.labelmap_samples import (
    GEOMETRIES,
    LIVER,
    box,
)
from Testing.Core.launcher_fixtures import *  # noqa: F403
from Testing.Core.segment_fixtures import a_place, a_tiny_model, ask  # noqa: F401
from Testing.Core.tiny import FakePredictor, random_volume
from Testing.Core.worker_samples import a_ray_session  # noqa: F401


@pytest.fixture
def no_large_files() -> Iterator[None]:
    """Files of this process end at 20 kB, as on a disk that becomes full."""
    resource = pytest.importorskip("resource", reason="needs limits of file sizes")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture(params=GEOMETRIES.values(), ids=GEOMETRIES.keys())
def a_geometry(request: pytest.FixtureRequest) -> VolumeGeometry:
    geometry: VolumeGeometry = request.param
    return geometry


@pytest.fixture
def a_tilted_geometry() -> VolumeGeometry:
    return GEOMETRIES["rotated"]


@pytest.fixture
def a_liver() -> Segment:
    return Segment("Liver", box(slice(1, 3), slice(0, 4), slice(2, 7)), "#dd8265", LIVER)


@pytest.fixture
def a_tumour_inside(a_liver: Segment) -> Segment:
    codes = Terminology(
        Code("49755003", "Morphologically Altered Structure"),
        Code("108369006", "Neoplasm"),
        anatomy=Code("10200004", "Liver"),
    )
    return Segment("Liver tumour", box(slice(2, 3), slice(1, 3), slice(3, 5)), "#90ee90", codes, "inprogress")


@pytest.fixture
def a_separate_spleen() -> Segment:
    return Segment("Spleen", box(slice(4, 5), slice(4, 6), slice(0, 2)), "#9d6ca2")


@pytest.fixture
def predictor() -> FakePredictor:
    return FakePredictor()


@pytest.fixture
def session(predictor: FakePredictor) -> AnnotationSession:
    made = AnnotationSession(predictor, random_volume())
    made.new_segment("one")
    return made
