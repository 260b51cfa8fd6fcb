"""Sessions on disk: a JSON file with the prompts, and beside it a .seg.nrrd with the masks.

The masks' file carries a hash of its content in its name, and the JSON file names it. It is written first;
the JSON file is then replaced in one step; only after that the masks of the session saved before are removed.
Whenever the program stops, the JSON file that is there belongs to complete masks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from KPrismCore.atomic import atomic_path
from KPrismCore.errors import GeometryError, KPrismError, PromptError, SessionFileError, UnknownClassError
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click
from KPrismCore.references import Reference
from KPrismCore.segmentations import read_segmentation
from KPrismCore.session_segment import Segment
from KPrismCore.session_state import (
    Base,
    PackedMask,
    Recall,
    SegmentState,
    SliceState,
    inflate,
    plane_from_dict,
    plane_to_dict,
)  # fmt: skip
from KPrismCore.volumes import Volume

if TYPE_CHECKING:
    from KPrismCore.session_base import SessionBase

    SessionType = TypeVar("SessionType", bound=SessionBase)

Values = Mapping[str, Any]
FORMAT = "kprism-session"
VERSION = 1
_SAMPLES = 1 << 20
_WRONG_VALUES = (KeyError, TypeError, ValueError, AttributeError, binascii.Error, zlib.error)


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
            window=None if window is None else (float(window[0]), float(window[1])),
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
    except (*_WRONG_VALUES, PromptError, GeometryError) as error:
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
        "segments": [_segment_values(segment) for segment in session.segments.values()],
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


def _segment_values(segment: Segment) -> dict[str, Any]:
    state = segment.state
    return {
        "id": segment.identifier,
        "name": segment.name,
        "colour": segment.colour,
        "locked": segment.locked,
        "class": state.class_name,
        "references": [_reference_values(reference) for reference in state.references],
        "slices": [_slice_values(one) for one in state.slices.values()],
    }


def _slice_values(state: SliceState) -> dict[str, Any]:
    return {
        "plane": plane_to_dict(state.plane),
        "clicks": [[click.x, click.y, click.positive] for click in state.clicks],
        "accepted": state.accepted,
        "recall": _recall_values(state.recall),
        "base": None if state.base is None else {
            "shape": list(state.base.mask.shape),
            "mask": _text(state.base.mask.data),
            "recall": _recall_values(state.base.recall),
        },
        "settled": state.settled,
    }  # fmt: skip


def _recall_values(recall: Recall | None) -> dict[str, Any] | None:
    if recall is None:
        return None
    square = _text(recall.square)
    return {"side": recall.side, "square": square, "digest": recall.digest, "confidence": recall.confidence}


def _reference_values(reference: Reference) -> dict[str, Any]:
    return {
        "name": reference.name, "modality": reference.modality, "spacing": list(reference.spacing),
        "range": list(reference.value_range), "follows": reference.follows, "enabled": reference.enabled,
        "image": _array_values(reference.image), "mask": _array_values(reference.mask),
    }  # fmt: skip


def _array_values(array: NDArray[Any]) -> dict[str, Any]:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    data = _text(zlib.compress(little.tobytes(), 6))
    return {"type": little.dtype.str, "shape": list(array.shape), "data": data}


def _array(values: Values) -> NDArray[Any]:
    kind, shape = np.dtype(str(values["type"])), tuple(int(length) for length in values["shape"])
    if kind.kind not in "iufb":
        raise ValueError("not numbers")
    data = inflate(_data(values["data"]), int(np.prod(shape)) * kind.itemsize)
    return np.frombuffer(data, kind).reshape(shape).astype(kind.newbyteorder("="))


def _add_segment(session: SessionBase, values: Values) -> None:
    name, colour, identifier = (str(values[key]) for key in ("name", "colour", "id"))
    segment = session.new_segment(name, class_name=values["class"], colour=colour, identifier=identifier)
    slices = [_slice(one, session) for one in values["slices"]]
    state = SegmentState(segment.state.class_name, tuple(_reference(one) for one in values["references"]))
    for one in slices:
        state = state.with_slice(one)
    segment.state = state


def _slice(values: Values, session: SessionBase) -> SliceState:
    base, side = values["base"], session.engine.predictor.model.input_size
    if base is not None:
        rows, columns = base["shape"]
        base = Base(PackedMask((int(rows), int(columns)), _data(base["mask"])), _recall(base["recall"], side))
    return SliceState(
        plane_from_dict(values["plane"], session.volume.geometry),
        tuple(Click(float(x), float(y), bool(positive)) for x, y, positive in values["clicks"]),
        bool(values["accepted"]),
        _recall(values["recall"], side),
        base,
        int(values["settled"]),
    )


def _recall(values: Values | None, side: int) -> Recall | None:
    # the answer of a network of another size cannot be given to this one; the mask remains
    if values is None or values["side"] != side:
        return None
    return Recall(side, _data(values["square"]), str(values["digest"]), float(values["confidence"]))


def _reference(values: Values) -> Reference:
    rows, columns = values["spacing"]
    low, high = values["range"]
    return Reference(
        image=_array(values["image"]),
        mask=_array(values["mask"]),
        name=str(values["name"]),
        modality=values["modality"],
        spacing=(float(rows), float(columns)),
        value_range=(float(low), float(high)),
        follows=bool(values["follows"]),
        enabled=bool(values["enabled"]),
    )


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


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _data(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
