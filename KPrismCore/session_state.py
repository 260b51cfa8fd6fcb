"""What the user has told a session, as immutable values: to keep an old one is to keep a reference to it."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from KPrismCore.geometry import VolumeGeometry
from KPrismCore.oblique import ObliquePlane
from KPrismCore.predictions import Prediction
from KPrismCore.prompts import Click
from KPrismCore.references import Reference
from KPrismCore.slices import Plane, SlicePlane

BoolArray = NDArray[np.bool_]
_AXES = "ijk"


@dataclass(frozen=True)
class PackedMask:
    """A mask (rows, columns) in one bit per pixel, compressed."""

    shape: tuple[int, int]
    data: bytes

    @classmethod
    def of(cls, mask: BoolArray) -> PackedMask:
        """Pack a mask."""
        rows, columns = mask.shape
        return cls((rows, columns), zlib.compress(np.packbits(mask).tobytes(), 1))

    def mask(self) -> BoolArray:
        """Unpack it."""
        rows, columns = self.shape
        packed = np.frombuffer(inflate(self.data, (rows * columns + 7) // 8), np.uint8)
        return np.unpackbits(packed, count=rows * columns).astype(bool).reshape(self.shape)


@dataclass(frozen=True)
class Recall:
    """The network's last answer on a slice, for the next click to start from.

    Args:
        side: S of the network's square.
        square: probability (S, S) in the network's frame in 256 steps, compressed. Fifty times smaller than
            the floats, so every slice and every undo step can keep its own.
        digest: of the slice's mask as the answer left it; if it differs, the mask was changed since.
        confidence: as the network gave it.
        known_class: the class that references were recognised as; not part of a saved session.
    """

    side: int
    square: bytes
    digest: str
    confidence: float
    # told with the act alone: not kept with a scene
    known_class: str | None = field(default=None, compare=False)

    @classmethod
    def of(cls, prediction: Prediction) -> Recall:
        """Keep a prediction whose mask is put on the slice as it is."""
        square = prediction.square.detach().cpu().float().numpy()
        steps = np.rint(square * 255).astype(np.uint8)
        return cls(
            square.shape[-1],
            zlib.compress(steps.tobytes(), 1),
            digest(prediction.mask),
            prediction.confidence,
            prediction.known_class,
        )

    def prediction(self, mask: NDArray[np.bool_]) -> Prediction:
        """A prediction to be given to the predictor as the previous one, without its probability.

        Args:
            mask: (H, W), of the slice as the answer left it.
        """
        steps = np.frombuffer(inflate(self.square, self.side**2), np.uint8)
        nothing = np.zeros((0, 0), dtype=np.float32)
        square = torch.from_numpy(steps.astype(np.float32) / 255).reshape(1, 1, self.side, self.side)
        return Prediction(mask, nothing, self.confidence, square)


@dataclass(frozen=True)
class Base:
    """What a slice's clicks build on: a mask, and the network's answer that it came from, if any."""

    mask: PackedMask
    recall: Recall | None = None


@dataclass(frozen=True)
class SliceState:
    """The prompts on one slice of one segment.

    Args:
        plane: the slice.
        clicks: oldest first.
        accepted: whether the user has confirmed the slice.
        recall: the network's last answer here.
        base: the mask before the first click that is not settled; None where nothing was clicked since the
            last whole prediction.
        settled: number of clicks that `base` accounts for.
        joined: for every click whether it and the one before it were made at once, as along a stroke.
    """

    plane: Plane
    clicks: tuple[Click, ...] = ()
    accepted: bool = False
    recall: Recall | None = None
    base: Base | None = None
    settled: int = 0
    joined: tuple[bool, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the masks in it, roughly."""
        recalls = [self.recall, self.base.recall if self.base else None]
        return sum(len(one.square) for one in recalls if one) + (len(self.base.mask.data) if self.base else 0)


@dataclass(frozen=True)
class SegmentState:
    """All prompts of one segment; `slices` by `plane_key`."""

    class_name: str | None = None
    references: tuple[Reference, ...] = ()
    slices: Mapping[str, SliceState] = field(default_factory=dict)

    def at(self, plane: Plane) -> SliceState:
        """The prompts on a slice."""
        found = self.slices.get(plane_key(plane))
        # the plane asked for, as one that was stored may differ from it in the last digits
        return replace(found, plane=plane) if found else SliceState(plane)

    @property
    def has_object(self) -> bool:
        """Whether a class or a reference says what to look for."""
        return self.class_name is not None or any(one.enabled for one in self.references)

    def with_slice(self, state: SliceState) -> SegmentState:
        """The same prompts, with others on one slice."""
        # an oblique plane caches tables of megabytes; only those of accepted slices are asked for at each act
        kept = state if state.accepted else replace(state, plane=_bare(state.plane))
        return replace(self, slices={**self.slices, plane_key(state.plane): kept})

    @property
    def accepted(self) -> list[Plane]:
        """The slices that the user has confirmed."""
        return [state.plane for state in self.slices.values() if state.accepted]

    def size_beyond(self, other: SegmentState) -> int:
        """Bytes of what this holds and another state does not, roughly."""
        slices = sum(s.size for key, s in self.slices.items() if other.slices.get(key) is not s)
        theirs = {reference.key for reference in other.references}
        return slices + sum(one.image.nbytes for one in self.references if one.key not in theirs)


def _bare(plane: Plane) -> Plane:
    return replace(plane) if isinstance(plane, ObliquePlane) else plane


def digest(mask: BoolArray) -> str:
    """A short text that differs for different masks."""
    return hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16).hexdigest()


def inflate(data: bytes, length: int) -> bytes:
    """Decompress to exactly this many bytes; what comes from a file cannot fill the memory.

    Raises:
        ValueError: another number of bytes.
    """
    result = zlib.decompressobj().decompress(data, length + 1)
    if len(result) != length:
        raise ValueError(f"expected {length} bytes")
    return result


def plane_key(plane: Plane) -> str:
    """A text that is equal for equal slices of one volume, whatever the slice's kind is called."""
    if isinstance(plane, SlicePlane):
        return f"{_AXES[plane.normal_axis]}:{plane.index}"
    # a nanometre apart is the same plane; + 0.0 turns -0.0 into 0.0
    text = json.dumps(plane_to_dict(plane))
    return json.dumps(json.loads(text, parse_float=lambda number: round(float(number), 6) + 0.0))


def plane_to_dict(plane: Plane) -> dict[str, Any]:
    """Plain values for JSON; the geometry is left out.

    Raises:
        TypeError: a kind of plane that is neither a slice nor oblique.
    """
    if isinstance(plane, SlicePlane):
        return {"kind": plane.kind, "index": plane.index}
    if isinstance(plane, ObliquePlane):
        return {
            "origin": plane.origin.tolist(), "x": plane.x_direction.tolist(), "y": plane.y_direction.tolist(),
            "spacing": list(plane.spacing), "size": list(plane.size), "thickness": plane.thickness,
        }  # fmt: skip
    raise TypeError(f"{type(plane).__name__} cannot be stored")


def plane_from_dict(values: Mapping[str, Any], geometry: VolumeGeometry) -> Plane:
    """Inverse of `plane_to_dict` for a volume of this geometry."""
    if "kind" in values:
        return SlicePlane(geometry, str(values["kind"]), int(values["index"]))
    rows, columns = (int(value) for value in values["size"])
    row_mm, column_mm = (float(value) for value in values["spacing"])
    origin, x, y = (np.array(values[name], dtype=np.float64) for name in ("origin", "x", "y"))
    return ObliquePlane(geometry, origin, x, y, (row_mm, column_mm), (rows, columns), values["thickness"])
