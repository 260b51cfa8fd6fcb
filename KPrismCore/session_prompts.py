"""What a segment is: its class and its references, as part of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from KPrismCore import session_values
from KPrismCore.errors import PromptError
from KPrismCore.preprocess import intensity_range
from KPrismCore.references import (
    DEFAULT_COUNT,
    Reference,
    best_slices,
    check_references,
    reference_from_image,
    references_from_volume,
)
from KPrismCore.session_base import Array, SessionBase, default_plane_kind
from KPrismCore.similarity import greatest_likeness, small_pictures
from KPrismCore.slices import Plane, SlicePlane, number_of_slices
from KPrismCore.volumes import Volume

Item = TypeVar("Item")
# slices of this volume that a reference is compared with
MOST_COMPARED = 24


class DescribedSession(SessionBase):
    """Adds the prompts that hold for all slices of a segment; see `session` for the errors all acts share."""

    def set_class(self, name: str | None, segment: str | None = None) -> None:
        """Say of which class a segment is, by a name or synonym; None for none. No mask changes yet.

        Raises:
            UnknownClassError: it is not in the catalogue; the remedy names near matches.
        """
        entry = self.engine.entry(name)
        owner = self._open(segment)
        chosen = entry.name if entry else None
        if chosen != owner.state.class_name:
            self._change("class", owner, replace(owner.state, class_name=chosen))

    def references(self, segment: str | None = None) -> tuple[Reference, ...]:
        """The references of a segment, in the order added."""
        return self.segment(segment).state.references

    def add_reference(
        self,
        volume: Volume,
        mask: Array,
        planes: Sequence[Plane] | Plane | None = None,
        *,
        count: int = DEFAULT_COUNT,
        name: str = "",
        segment: str | None = None,
    ) -> tuple[Reference, ...]:
        """Add slices of a volume, this one or another, on which the object is marked; give those added.

        Args:
            volume: the image.
            mask: KJI on its grid, non-zero is inside.
            planes: its slices to take; None for up to `count` of the best (`best_planes`).
            name: of the object, for display.

        Raises:
            ReferenceMismatchError: an empty mask, another grid or modality, or more than nine references.
        """
        if planes is None:
            planes = self.best_planes(volume, mask, count)
        added = references_from_volume(
            volume,
            mask,
            [planes] if isinstance(planes, Plane) else planes,
            name=name,
            follows=self.engine.follows(volume),
            settings=self.engine.predictor.model.preprocessing,
        )
        return self._add_references(added, segment)

    def best_planes(self, volume: Volume, mask: Array, count: int = DEFAULT_COUNT) -> list[SlicePlane]:
        """The slices of a volume that serve best as references: by position, size and likeness.

        Of another volume those count more that look like slices of this one. Arguments and errors as
        `add_reference`.
        """
        if volume.array is self.volume.array:
            return best_slices(mask, volume.geometry, self.plane_kind, count)
        settings = self.engine.predictor.model.preprocessing
        theirs = intensity_range(volume.array, volume.modality, settings=settings)
        length = number_of_slices(self.volume.geometry, self.plane_kind)
        places = np.unique(np.linspace(0, length - 1, MOST_COMPARED).round().astype(int))
        planes = [self.plane(int(place)) for place in places]
        ours = small_pictures(self.volume, planes, self.engine.value_range(None))

        def likeness(candidates: Sequence[SlicePlane]) -> NDArray[np.float64]:
            return greatest_likeness(small_pictures(volume, candidates, theirs), ours)

        kind = default_plane_kind(volume.geometry)
        return best_slices(mask, volume.geometry, kind, count, likeness)

    def add_image_reference(
        self,
        image: Array,
        mask: Array,
        *,
        modality: str | None = None,
        spacing: tuple[float, float] = (1.0, 1.0),
        name: str = "image",
        segment: str | None = None,
    ) -> Reference:
        """Add a 2-D image (H, W[, 3]), its pixels in mm, with a mask (H, W); else as `add_reference`."""
        settings = self.engine.predictor.model.preprocessing
        added = reference_from_image(
            image, mask, name=name, modality=modality, spacing=spacing, settings=settings
        )
        return self._add_references([added], segment)[0]

    def remove_reference(self, index: int, segment: str | None = None) -> None:
        """Remove a reference by its place in `references`.

        Raises:
            PromptError: there is no such reference.
        """
        owner = self._open(segment)
        kept = without(owner.state.references, index, "reference")
        self._change("references", owner, replace(owner.state, references=kept))

    def enable_reference(self, index: int, enabled: bool = True, segment: str | None = None) -> None:
        """Let a reference take part, or not; errors as `remove_reference`."""
        owner = self._open(segment)
        changed = list(owner.state.references)
        place = place_of(changed, index, "reference")
        changed[place] = replace(changed[place], enabled=enabled)
        self._change("references", owner, replace(owner.state, references=tuple(changed)))

    def move_reference(self, index: int, to: int, segment: str | None = None) -> None:
        """Put a reference at another place of the list; errors as `remove_reference`."""
        owner = self._open(segment)
        items = owner.state.references
        place, target = place_of(items, index, "reference"), place_of(items, to, "reference")
        rest = without(items, place, "reference")
        moved = (*rest[:target], items[place], *rest[target:])
        if moved != items:
            self._change("references", owner, replace(owner.state, references=moved))

    def replace_reference(self, index: int, reference: Reference, segment: str | None = None) -> None:
        """Put another reference in the place of one, as another slice of the same volume.

        Raises:
            PromptError: there is no such reference.
            ReferenceMismatchError: the new one has another modality than the volume.
        """
        owner = self._open(segment)
        items = owner.state.references
        place = place_of(items, index, "reference")
        check_references(without(items, place, "reference"), [reference], self.volume.modality)
        changed = (*items[:place], reference, *items[place + 1 :])
        self._change("references", owner, replace(owner.state, references=changed))

    def prompts_to_dict(self) -> dict[str, Any]:
        """All prompts of all segments as plain values for JSON: class, references with their pixels, clicks,
        accepted slices; no masks.
        """
        return session_values.prompts_to_dict(self)

    def restore_prompts(self, values: Mapping[str, Any]) -> None:
        """Take prompts from `prompts_to_dict`; segments that are not here are left out. No undo step.

        Raises:
            SessionFileError: the values are damaged or of a newer version.
            UnknownClassError: the model lacks one of the classes.
        """
        session_values.restore_prompts(self, values)

    def _add_references(self, added: Sequence[Reference], segment: str | None) -> tuple[Reference, ...]:
        owner = self._open(segment)
        check_references(owner.state.references, added, self.volume.modality)
        self._change("references", owner, replace(owner.state, references=(*owner.state.references, *added)))
        return tuple(added)


def place_of(items: Sequence[Item], index: int, what: str) -> int:
    """Turn an index, which may count from the end, into a place.

    Raises:
        PromptError: nothing is there; `what` says what was looked for.
    """
    if not -len(items) <= index < len(items):
        raise PromptError(f"There is no {what} {index}.", f"There are {len(items)}.")
    return index % len(items)


def without(items: Sequence[Item], index: int, what: str) -> tuple[Item, ...]:
    """The items without one; arguments and errors as `place_of`."""
    place = place_of(items, index, what)
    return (*items[:place], *items[place + 1 :])
