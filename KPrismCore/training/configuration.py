"""Training configurations: TOML files that may stand on another one, with overlays on top.

The table [training] fills the fields of `TrainingSettings`, [changes] those of `Changes`, [network] the
network's configuration, [sets] the factors of image sets, [hanging] how the images of sets are turned.
`base = "other.toml"` (beside the file) names the file that a configuration changes; each entry replaces the
base's entry of the same name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from KPrismCore.errors import InputFileError
from KPrismCore.training.changes import Changes
from KPrismCore.training.checks import check_settings
from KPrismCore.training.settings import TrainingSettings

TABLES = ("training", "changes", "network", "sets", "hanging")
# either of a pair may be given; what a later file gives takes the place of the other
_ALTERNATIVES = (("steps", "epochs"), ("warmup_steps", "warmup_epochs"))

Tables = dict[str, dict[str, Any]]


def read_settings(path: Path, overlays: Sequence[Path] = ()) -> TrainingSettings:
    """Read a configuration and lay others over it, the last one on top.

    Raises:
        InputFileError: a file is missing, not TOML, stands on itself, or holds an unknown key or an
            impossible value; or this Python is older than 3.11, which cannot read TOML.
    """
    tables = _read(path, ())
    for overlay in overlays:
        tables = _laid_over(tables, _read(overlay, ()))
    named = ", ".join(str(file) for file in (path, *overlays))
    try:
        rest = {name: tables.get(name, {}) for name in TABLES[1:]}
        return from_plain({**tables.get("training", {}), **rest})
    except (ValueError, TypeError) as error:
        raise _unusable(named, error) from error


def from_plain(values: Mapping[str, Any]) -> TrainingSettings:
    """Return settings from their plain form; ValueError on unknown keys or bad values."""
    filled = _fields(TrainingSettings, values)
    if "changes" in filled:
        filled["changes"] = Changes(**_fields(Changes, filled["changes"]))
    settings = TrainingSettings(**filled)
    check_settings(settings)
    return settings


def _read(path: Path, above: tuple[Path, ...]) -> Tables:
    """The tables of a file with those of its bases below; `above` are the files that led to it."""
    try:
        import tomllib
    except ModuleNotFoundError as error:
        raise InputFileError("Training needs Python 3.11 or newer.", "Use a newer Python.") from error
    place = path.resolve()
    if place in above:
        raise _unusable(str(path), ValueError("its bases lead back to itself"))
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        base = found.pop("base", None)
        _check_tables(found)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
        raise _unusable(str(path), error) from error
    if base is None:
        return found
    if not isinstance(base, str):
        raise _unusable(str(path), ValueError("base is the name of a file"))
    return _laid_over(_read(path.parent / base, (*above, place)), found)


def _check_tables(found: Mapping[str, Any]) -> None:
    unknown = sorted(name for name in found if name not in TABLES)
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)}")
    if not all(isinstance(table, dict) for table in found.values()):
        raise ValueError(f"{', '.join(TABLES)} are tables")
    for pair in _ALTERNATIVES:
        if all(name in found.get("training", {}) for name in pair):
            raise ValueError(f"give {pair[0]} or {pair[1]}, not both")


def _laid_over(below: Tables, above: Tables) -> Tables:
    merged = {name: {**below.get(name, {}), **above.get(name, {})} for name in TABLES}
    for pair in _ALTERNATIVES:
        for name, other in (pair, pair[::-1]):
            if name in above.get("training", {}):
                merged["training"].pop(other, None)
    return merged


def _fields(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    known = {item.name for item in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)}")
    return {key: _frozen(value) for key, value in values.items()}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _unusable(name: str, error: Exception) -> InputFileError:
    return InputFileError(
        f"{name} is not a training configuration ({error}).", "Compare it with train-small.toml."
    )
