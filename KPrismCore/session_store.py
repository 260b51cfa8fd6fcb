"""Sessions on disk: a JSON file with the prompts, and beside it a .seg.nrrd with the masks.

The masks' file carries a hash of its content in its name, and the JSON file names it. It is written first;
the JSON file is then replaced in one step; only after that the masks of the session saved before are removed.
Whenever the program stops, the JSON file that is there belongs to complete masks.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from KPrismCore.atomic import atomic_path
from KPrismCore.errors import GeometryError, KPrismError, PromptError, SessionFileError, UnknownClassError
from KPrismCore.predictor import Predictor
from KPrismCore.segmentations import read_segmentation
from KPrismCore.session_segment import Segment
from KPrismCore.session_values import WRONG_VALUES, range_of, segment_state, segment_values
from KPrismCore.volumes import Volume

if TYPE_CHECKING:
    from KPrismCore.session_base import SessionBase

    SessionType = TypeVar("SessionType", bound=SessionBase)

Values = Mapping[str, Any]
FORMAT = "kprism-session"
VERSION = 1
_SAMPLES = 1 << 20


def save(session: SessionBase, path: str | os.PathLike[str]) -> None:
    """See `AnnotationSession.save`."""
    target = Path(path)
    former = _named_masks(target)
    stem = target.name.removesuffix(".json").removesuffix(".kprism")
    content = _content_hash(session.segments.values())
    masks = target.with_name(f"{stem}-{content[:16]}.seg.nrrd")
    if session.segments:
        session.export(masks, overwrite=True)
    text = json.dumps({**_header(session), "masks": {"file": masks.name, "content": content}})
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    if former is not None and former != masks.name:
        target.with_name(former).unlink(missing_ok=True)


def load(
    kind: type[SessionType],
    path: str | os.PathLike[str],
    predictor: Predictor,
    volume: Volume,
    options: Values,
) -> SessionType:
    """See `AnnotationSession.load`."""
    file = Path(path)
    values = _parse(file)
    _check_volume(file, values.get("volume"), volume)
    try:
        window = values["window"]
        volume = replace(volume, modality=values["volume"]["modality"])
        session = kind(
            predictor, volume,
            window=None if window is None else range_of(window),
            plane_kind=values["plane_kind"], **options,
        )  # fmt: skip
        for number, one in enumerate(values["segments"]):
            _add_segment(session, one)
            _read_mask(file, values["masks"]["file"], number + 1, session.current)
        content = _content_hash(session.segments.values())
        for one in values["segments"]:
            session.segments[one["id"]].locked = bool(one["locked"])
        if values["current"] is not None:
            session.select(values["current"])
    except UnknownClassError as error:
        remedy = f"Use the model '{values.get('model')}'. {error.remedy}"
        raise UnknownClassError(f"{file}: {error.cause}", remedy) from error
    except (*WRONG_VALUES, PromptError, GeometryError) as error:
        raise _damaged(file) from error
    if content != values["masks"]["content"]:
        raise SessionFileError(
            f"{values['masks']['file']} is not the file saved with {file}.",
            "Restore it from a backup, or open it as a segmentation in a new session.",
        )
    return session


def _header(session: SessionBase) -> dict[str, Any]:
    volume = session.volume
    return {
        "format": FORMAT,
        "version": VERSION,
        "volume": {**_fingerprint(volume), "name": volume.name, "modality": volume.modality},
        "model": session.engine.predictor.model.card.name,
        "window": session.engine.window,
        "plane_kind": session.plane_kind,
        "current": session.current.identifier if session.segments else None,
        "segments": [segment_values(segment) for segment in session.segments.values()],
    }


def _fingerprint(volume: Volume) -> dict[str, Any]:
    """What tells volumes apart; equal for the same voxels in another number type."""
    flat = volume.array.reshape(-1)
    sample = np.ascontiguousarray(flat[:: max(1, flat.size // _SAMPLES)], dtype="<f4")
    return {
        "size": list(volume.geometry.size),
        "ijk_to_ras": volume.geometry.ijk_to_ras.tolist(),
        "voxels": zlib.crc32(sample.tobytes()),
    }


def _check_volume(file: Path, saved: Any, volume: Volume) -> None:
    if not isinstance(saved, dict):
        raise _damaged(file)
    here = _fingerprint(volume)
    try:
        close = np.allclose(saved["ijk_to_ras"], here["ijk_to_ras"], rtol=1e-5, atol=1e-3)
        same = close and saved["size"] == here["size"] and saved["voxels"] == here["voxels"]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(file) from error
    if not same:
        raise SessionFileError(
            f"{file} was made on the volume '{saved.get('name')}', which differs from '{volume.name}'.",
            f"Open '{saved.get('name')}' unchanged.",
        )


def _add_segment(session: SessionBase, values: Values) -> None:
    name, colour, identifier = (str(values[key]) for key in ("name", "colour", "id"))
    segment = session.new_segment(name, class_name=values["class"], colour=colour, identifier=identifier)
    segment.state = segment_state(values, session)


def _read_mask(file: Path, name: str, label: int, segment: Segment) -> None:
    try:
        mask, _, _ = read_segmentation(file.with_name(Path(name).name), label)
    except KPrismError as error:
        raise SessionFileError(
            f"The masks of {file} cannot be read. {error.cause}", "Put that file back beside it."
        ) from error
    if mask.shape != segment.voxels.shape:
        raise _damaged(file)
    segment.voxels[...] = mask


def _content_hash(segments: Iterable[Segment]) -> str:
    seen = hashlib.sha256()
    for segment in segments:
        seen.update(f"{segment.name}\n{segment.colour}\n{segment.voxels.shape}\n".encode())
        seen.update(np.packbits(segment.voxels).tobytes())
    return seen.hexdigest()


def _parse(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SessionFileError(f"There is no session {file}.", "Check the path.") from error
    except (OSError, ValueError) as error:
        raise SessionFileError(f"{file} cannot be read ({error}).", "Choose a saved session.") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise SessionFileError(f"{file} is not a K-Prism session.", "Choose a saved session.")
    version = values.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise SessionFileError(f"{file} was saved by a newer version.", "Update KPrismSlicer.")
    return values


def _named_masks(target: Path) -> str | None:
    """The masks' file that an existing session names; None where there is none that is surely ours."""
    try:
        name = Path(str(_parse(target)["masks"]["file"])).name
    except (KPrismError, KeyError, TypeError):
        return None
    return name if name.endswith(".seg.nrrd") else None


def _damaged(file: Path) -> SessionFileError:
    return SessionFileError(f"{file} is damaged.", "Restore it from a backup, or start a new session.")
