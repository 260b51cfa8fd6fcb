"""Every file is on a list of CMake; index entries, icon and addresses agree."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import struct
import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from package_lists import LISTS, ROOT
from SlicerHost.boot import boot

boot()

from KPrismSlicerLib import SampleImages  # noqa: E402


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def cmake_value(name):
    """What the top CMake file sets, with its own variables put in."""
    found = dict(re.findall(r'^set\((\w+) "([^"]*)"\)$', text("CMakeLists.txt"), re.MULTILINE))
    value = found[name]
    while "${" in value:
        value = re.sub(r"\$\{(\w+)\}", lambda hit: found[hit[1]], value)
    return value


def s4ext():
    lines = [line for line in text("KPrismSlicer.s4ext").splitlines() if line and not line.startswith("#")]
    return dict(line.split(" ", 1) for line in lines)


def catalogue_entry():
    return json.loads(text("KPrismSlicer.json"))


@pytest.mark.parametrize("files", LISTS, ids=lambda files: files.variable)
def test_the_list_of_cmake_is_what_the_tree_has(files):
    listed = files.listed()
    missing, gone = sorted(set(files.wanted()) - set(listed)), sorted(set(listed) - set(files.wanted()))
    assert (missing, gone) == ([], []), "run: python3 Testing/package_lists.py"
    assert len(set(listed)) == len(listed)


def test_the_folder_of_the_module_has_one_script():
    """Slicer takes every script in a module path for a module."""
    assert [path.name for path in (ROOT / "KPrismSlicer").glob("*.py")] == ["KPrismSlicer.py"]


@pytest.mark.parametrize(
    "field", ["HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"]
)
def test_the_older_index_entry_says_what_cmake_says(field):
    assert s4ext()[field.lower()] == cmake_value(f"EXTENSION_{field}")


def test_the_index_entry_names_the_home():
    assert catalogue_entry()["scm_url"] == s4ext()["scmurl"] == cmake_value("EXTENSION_HOMEPAGE")


def test_the_index_entry_has_the_category_of_cmake():
    assert catalogue_entry()["category"] == cmake_value("EXTENSION_CATEGORY")


def test_the_index_entry_has_the_dependencies_of_cmake():
    assert catalogue_entry()["build_dependencies"] == cmake_value("EXTENSION_DEPENDS").split()


def test_the_index_entry_has_no_field_outside_the_schema():
    known = {
        "$schema", "category", "scm_url", "scm_revision", "scm_type", "build_dependencies",
        "dicom_support_rule", "build_subdirectory", "enabled", "tier",
    }  # fmt: skip
    assert set(catalogue_entry()) <= known


def test_the_index_entry_bears_the_name_of_the_project():
    assert re.search(r"project\((\w+)", text("CMakeLists.txt"))[1] == "KPrismSlicer"


def test_the_module_names_the_home_of_cmake():
    script = ast.parse(text("KPrismSlicer/KPrismSlicer.py"))
    values = [node.value.value for node in script.body if isinstance(node, ast.Assign)
              and getattr(node.targets[0], "id", "") == "HOME"]  # fmt: skip
    assert values == [cmake_value("EXTENSION_HOMEPAGE")]


@pytest.mark.parametrize(
    ("name", "size"), [("KPrismSlicer.png", (128, 128)), ("KPrismPhantom.png", (260, 280))]
)
def test_the_picture_has_the_size_that_slicer_asks_for(name, size):
    head = (ROOT / "Resources" / "Icons" / name).read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == size


def test_the_addresses_of_pictures_end_in_files_of_this_tree():
    base = cmake_value("KPRISM_RAW") + "/"
    assert (ROOT / cmake_value("EXTENSION_ICONURL").removeprefix(base)).is_file()


SAMPLE_FIELDS = {
    "category", "sampleName", "uris", "fileNames", "nodeNames", "customDownloader", "thumbnailFileName",
    "loadFileTypes", "loadFiles", "loadFileProperties", "checksums", "loadFileType",
}  # fmt: skip


@pytest.fixture
def sample_module(monkeypatch):
    """Slicer's module SampleData as far as it is used; `sources` has what was registered."""
    module = ModuleType("SampleData")

    class SampleDataLogic:
        sources: ClassVar[list] = []

        @classmethod
        def registerCustomSampleDataSource(cls, **source):  # noqa: N802
            assert set(source) <= SAMPLE_FIELDS
            cls.sources.append(source)

    module.SampleDataLogic = SampleDataLogic
    monkeypatch.setitem(sys.modules, "SampleData", module)
    return SampleDataLogic


def test_the_sample_comes_from_this_computer(sample_module):
    SampleImages.registerSampleImages()
    (source,) = sample_module.sources
    assert source["uris"].startswith("file:///")


def test_the_sample_has_the_checksum_of_its_file(sample_module):
    SampleImages.registerSampleImages()
    path = ROOT / "Resources" / "Samples" / SampleImages.FILE
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert sample_module.sources[0]["checksums"] == f"SHA256:{digest}"


def test_the_sample_has_a_thumbnail(sample_module):
    SampleImages.registerSampleImages()
    assert Path(sample_module.sources[0]["thumbnailFileName"]).is_file()


def test_without_the_module_sample_data_nothing_is_registered(monkeypatch, scene):
    monkeypatch.setitem(sys.modules, "SampleData", None)
    assert SampleImages.registerSampleImages() is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


def test_the_sample_has_the_liver_where_it_is_said_to_be():
    image = SampleImages.phantom()
    i, j, k = SampleImages.LIVER_IJK
    assert np.abs(image[k, j - 2 : j + 3, i - 2 : i + 3] - 110).max() < 40
