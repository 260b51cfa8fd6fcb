"""The classes of a run: those of the table that its configuration names, else those found in its data."""

from __future__ import annotations

import colorsys
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from KPrismCore.atomic import atomic_path
from KPrismCore.catalogue import Catalogue, load_catalogue
from KPrismCore.class_table import COLUMNS, ClassEntry
from KPrismCore.modalities import OTHER, modality_group
from KPrismCore.preprocess import DEFAULT_PREPROCESSING
from KPrismCore.terminology import TISSUE, UNSPECIFIED, Code, Terminology
from KPrismCore.training.data import TaskSampler, read_classes
from KPrismCore.training.packs import ImageSet
from KPrismCore.training.settings import ALL, MODES, TrainingSettings
from KPrismCore.training.tasks import Classes

CLASSES = Path(__file__).resolve().parents[2] / "Resources" / "Classes"
RUN_CLASSES = "classes.csv"
_GOLDEN = 0.618034


@dataclass(eq=False)
class _Group:
    """Labels of one meaning: by set and name, how often they are shown, and in what."""

    names: Counter[str] = field(default_factory=Counter)
    sources: dict[str, None] = field(default_factory=dict)
    subjects: set[tuple[str, str]] = field(default_factory=set)
    modalities: dict[str, None] = field(default_factory=dict)
    terminology: Terminology | None = None


def class_file(named: str, run: Path) -> Path | None:
    """The class table of a run: that in its folder, else the named one of Resources/Classes, if any."""
    own = run / RUN_CLASSES
    if own.is_file():
        return own
    return CLASSES / named if named else None


def run_catalogue(named: str, run: Path) -> Catalogue:
    """The classes that a run's checkpoint knows by name; none where it has no table.

    Args:
        named: as `run_classes` takes it.
        run: folder of the run.

    Raises:
        InputFileError: the class file is not there, or is none.
    """
    path = class_file(named, run)
    return load_catalogue(path) if path else Catalogue(())


def run_classes(
    named: str, sets: Sequence[ImageSet], run: Path, report: Callable[[str], None] = print
) -> dict[int, dict[str, list[str]]]:
    """The classes to train; see `read_classes` for the form.

    Where the configuration names no table, or one that has nothing to do with the data, the classes found in
    the data are written into the run's folder, from where a continued run and `export` take them.

    Args:
        named: file name in Resources/Classes, or empty.
        sets: the whole image sets.
        run: folder of the run.
        report: where to say that the classes are those of the data.

    Raises:
        TrainingDataError: the table is malformed.
        OutputFileError: it cannot be written.
    """
    path = class_file(named, run)
    classes = read_classes(path) if path else {}
    if path == run / RUN_CLASSES:
        return classes
    if _concerns(classes, sets):
        if others := [image_set.name for image_set in _unconcerned(classes, sets)]:
            report(f"Not trained by name, since {named} has no class of them: {', '.join(others)}.")
        return classes
    found = found_classes(sets)
    write_classes(run / RUN_CLASSES, found)
    report(f"The classes are those of the data: {', '.join(entry.name for entry in found)}.")
    return read_classes(run / RUN_CLASSES)


def data_classes(named: str, sets: Sequence[ImageSet]) -> Catalogue:
    """The classes of the named table of Resources/Classes whose sets are there, or those found in other data.

    Raises:
        InputFileError: the class file is not there, or is none.
    """
    table = CLASSES / named if named else None
    classes = read_classes(table) if table else {}
    if table is None or not _concerns(classes, sets):
        return found_classes(sets)
    known = (entry for entry in load_catalogue(table) if _concerns({0: classes[entry.index]}, sets))
    return Catalogue(tuple(known))


def named_classes(sampler: TaskSampler, settings: TrainingSettings) -> list[int] | None:
    """Indices of the classes that a run trains by name; None where it is not for these data to say.

    Args:
        sampler: of the run's tasks.
        settings: the recipe.
    """
    if not sampler.has_classes or settings.learned != ALL:
        return None
    tables = [settings.mode_probabilities]
    if settings.clicks_first_steps > 0:
        tables.append(settings.early_mode_probabilities)
    asked = any(table[MODES.index(mode)] > 0 for table in tables for mode in ("class", "combined"))
    return [index for index, _ in sampler.classes] if asked else []


def joined_classes(one: Iterable[int] | None, other: Iterable[int] | None) -> list[int] | None:
    """The classes of two trainings of one network; None where either does not tell its own."""
    return None if one is None or other is None else sorted({*one, *other})


def only_trained(catalogue: Catalogue, indices: Collection[int] | None) -> Catalogue:
    """Return the catalogue in which only these classes can be asked for; None for all it has."""
    if indices is None:
        return catalogue
    return Catalogue(tuple(replace(e, trained=e.trained and e.index in indices) for e in catalogue))


def found_classes(sets: Sequence[ImageSet]) -> Catalogue:
    """Make a class of every label that any image shows; labels of equal name or equal codes are one class.

    Codes are those of Slicer's segments, else those of a shipped class of the same name.
    """
    groups: list[_Group] = []
    by_key: dict[str, _Group] = {}
    for image_set in sets:
        for number, name in sorted(image_set.labels.items()):
            shown = [sample for sample in image_set.samples if number in sample.labels()]
            if not shown:
                continue
            group = _group_of(_keys(name, image_set.codes.get(name, "")), groups, by_key)
            group.names[name] += len(shown)
            group.sources[f"{image_set.name}:{name}"] = None
            group.subjects |= {(image_set.name, sample.subject) for sample in shown}
            found = modality_group(image_set.modality)
            group.modalities[image_set.modality if found == OTHER else found] = None
            group.terminology = group.terminology or terminology_of(image_set.codes.get(name, ""))
    ordered = sorted(groups, key=_name)
    return Catalogue(tuple(_entry(index, group) for index, group in enumerate(ordered, start=1)))


def write_classes(path: Path, catalogue: Catalogue) -> None:
    """Write a class file with the columns of Resources/Classes.

    Raises:
        OutputFileError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(catalogue.to_list())
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="\n")


def terminology_of(entry: str) -> Terminology | None:
    """Read Slicer's terminology entry; None for one that says nothing, or not in SNOMED CT."""
    parts = [tuple(part.split("^")) for part in entry.split("~")]
    codes = [
        Code(part[1], part[2])
        if len(part) == 3 and part[0] == "SCT" and re.fullmatch(r"[0-9]{6,18}", part[1]) and part[2]
        else None
        for part in (*parts, *((),) * 7)
    ]
    category, kind = codes[1], codes[2]
    if category is None or kind is None or kind == TISSUE:
        return None
    return Terminology(category, kind, codes[3], codes[5])


def _concerns(classes: Classes, sets: Sequence[ImageSet]) -> bool:
    """Whether any of the classes has any of the sets among its sources."""
    names = {image_set.name for image_set in sets}
    return any(names & set(sources) for sources in classes.values())


def _unconcerned(classes: Classes, sets: Sequence[ImageSet]) -> list[ImageSet]:
    """The sets that are no source of any class."""
    return [image_set for image_set in sets if not _concerns(classes, [image_set])]


def _keys(name: str, codes: str) -> tuple[str, ...]:
    """What makes two labels one class: a name, up to case and punctuation; and codes that say something."""
    plain = "".join(re.findall(r"[^\W_]+", name.casefold()))
    known = terminology_of(codes)
    parts = (known.type, known.modifier, known.anatomy) if known else ()
    return (plain, "~".join(part.value if part else "" for part in parts)) if known else (plain,)


def _group_of(keys: Iterable[str], groups: list[_Group], by_key: dict[str, _Group]) -> _Group:
    """The group of any of the keys; groups that a label joins become one."""
    keys = list(keys)
    found = list(dict.fromkeys(by_key[key] for key in keys if key in by_key))
    group = found[0] if found else _Group()
    if not found:
        groups.append(group)
    for other in found[1:]:
        group.names.update(other.names)
        group.sources |= other.sources
        group.subjects |= other.subjects
        group.modalities |= other.modalities
        group.terminology = group.terminology or other.terminology
        groups.remove(other)
        keys += [key for key, one in by_key.items() if one is other]
    by_key.update(dict.fromkeys(keys, group))
    return group


def _name(group: _Group) -> str:
    return min(group.names, key=lambda name: (-group.names[name], name))


def _entry(index: int, group: _Group) -> ClassEntry:
    name = _name(group)
    known = _shipped().get(_keys(name, "")[0])
    others = {_keys(other, "")[0]: other for other in sorted(group.names)}
    others.pop(_keys(name, "")[0], None)
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN % 1, 0.6, 0.85)
    colour = f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"
    entry = ClassEntry(
        index, name, tuple(others.values()), known.region if known else (), tuple(group.modalities), (),
        group.terminology or (known.terminology if known else UNSPECIFIED), known.colour if known else colour,
    )  # fmt: skip
    return replace(
        entry,
        # slices were prepared in this window, so that prediction has to use it too
        window=DEFAULT_PREPROCESSING.window_preset(name) if "CT" in group.modalities else "",
        sources=tuple(group.sources),
        images=sum(group.names.values()),
        subjects=len(group.subjects),
    )


@lru_cache(maxsize=1)
def _shipped() -> dict[str, ClassEntry]:
    """The shipped classes by key; those of the paper first."""
    found: dict[str, ClassEntry] = {}
    for table in ("kprism-paper.csv", "kprism-small.csv"):
        for entry in load_catalogue(CLASSES / table):
            for name in entry.names:
                found.setdefault(_keys(name, "")[0], entry)
    return found
