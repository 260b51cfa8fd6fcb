"""The prompts of a segment as plain values for JSON, and back."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.errors import GeometryError, PromptError, SessionFileError, UnknownClassError
from KPrismCore.preprocess import Range
from KPrismCore.prompts import Click
from KPrismCore.references import Reference
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

if TYPE_CHECKING:
    from KPrismCore.session_base import SessionBase

Values = Mapping[str, Any]
# what reading values of the wrong kind may raise
WRONG_VALUES = (
    LookupError, TypeError, ValueError, ArithmeticError, AttributeError, binascii.Error, zlib.error,
)  # fmt: skip
PROMPTS_VERSION = 1


def prompts_to_dict(session: SessionBase) -> dict[str, Any]:
    """See `DescribedSession.prompts_to_dict`."""
    return {
        "version": PROMPTS_VERSION,
        "segments": [segment_values(segment) for segment in session.segments.values()],
    }


def restore_prompts(session: SessionBase, values: Values) -> None:
    """See `DescribedSession.restore_prompts`."""
    try:
        known = int(values["version"]) <= PROMPTS_VERSION
        # all is read before anything changes
        found = {
            str(one["id"]): segment_state(one, session)
            for one in (values["segments"] if known else ())
            if one["id"] in session.segments
        }
    except UnknownClassError:
        raise
    except (*WRONG_VALUES, PromptError, GeometryError) as error:
        raise SessionFileError("The stored prompts are damaged.", "Begin with new ones.") from error
    if not known:
        raise SessionFileError("The prompts were stored by a newer version.", "Update KPrismSlicer.")
    for identifier, state in found.items():
        session.segments[identifier].state = state


def segment_values(segment: Segment) -> dict[str, Any]:
    """All of a segment but its masks."""
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
        "joined": list(state.joined),
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


def segment_state(values: Values, session: SessionBase) -> SegmentState:
    """The prompts that `segment_values` gave; the class is looked up in the session's catalogue.

    Raises:
        UnknownClassError: the model lacks the class.
    """
    entry = session.engine.entry(values["class"])
    references = tuple(_reference(one) for one in values["references"])
    state = SegmentState(entry.name if entry else None, references)
    for one in values["slices"]:
        state = state.with_slice(_slice(one, session))
    return state


def _slice(values: Values, session: SessionBase) -> SliceState:
    base, side = values["base"], session.engine.predictor.model.input_size
    if base is not None:
        rows, columns = base["shape"]
        base = Base(PackedMask((int(rows), int(columns)), _data(base["mask"])), _recall(base["recall"], side))
    plane = plane_from_dict(values["plane"], session.volume.geometry)
    clicks = tuple(Click(float(x), float(y), bool(positive)) for x, y, positive in values["clicks"])
    for click in clicks:
        click.require_inside(*plane.shape)
    return SliceState(
        plane,
        clicks,
        bool(values["accepted"]),
        _recall(values["recall"], side),
        base,
        int(values["settled"]),
        _joined(values.get("joined"), len(clicks)),
    )


def _joined(values: Any, count: int) -> tuple[bool, ...]:
    # older sessions did not keep it
    if not isinstance(values, list) or len(values) != count:
        return (False,) * count
    return tuple(value is True for value in values)


def _recall(values: Values | None, side: int) -> Recall | None:
    # the answer of a network of another size cannot be given to this one; the mask remains
    if values is None or values["side"] != side:
        return None
    return Recall(side, _data(values["square"]), str(values["digest"]), float(values["confidence"]))


def _reference(values: Values) -> Reference:
    rows, columns = values["spacing"]
    if not all(0 < float(step) < math.inf for step in (rows, columns)):
        raise ValueError("not a spacing")
    return Reference(
        image=_array(values["image"]),
        mask=_array(values["mask"]),
        name=str(values["name"]),
        modality=values["modality"],
        spacing=(float(rows), float(columns)),
        value_range=range_of(values["range"]),
        follows=bool(values["follows"]),
        enabled=bool(values["enabled"]),
    )


def range_of(values: Any) -> Range:
    """Two finite values of which the first is lower.

    Raises:
        ValueError: they are nothing of the kind; other errors of `WRONG_VALUES` too.
    """
    low, high = (float(value) for value in values)
    if not (low < high and math.isfinite(high - low)):
        raise ValueError("not a range")
    return low, high


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _data(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
