"""What is said of a reference beside its picture, above all where it differs from the image. No Qt."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

# from this ratio of pixel sizes on the reference is seen at another scale
_OTHER_SCALE = 1.5


def referenceText(reference: Any, origin: Any, session: Any) -> str:
    """Name, modality and pixel size of a reference, and what is unlike the image.

    Args:
        reference: `KPrismCore.references.Reference`.
        origin: `ReferenceOrigins.ReferenceOrigin`; None where it is not known.
        session: of the image; None before the model is loaded.
    """
    facts = [reference.modality or _("modality unknown"), _size(reference.spacing)]
    if session is not None:
        facts += _differences(reference, origin, session)
    return reference.name + "\n" + " \u00b7 ".join(facts)


def _differences(reference: Any, origin: Any, session: Any) -> list[str]:
    found = []
    modality, shown = session.volume.modality, session.plane(0).pixel_spacing
    if modality and reference.modality and modality != reference.modality:
        found.append(_("the image is {modality}").format(modality=modality))
    ratio = max(*reference.spacing) / max(*shown)
    if not 1 / _OTHER_SCALE < ratio < _OTHER_SCALE:
        found.append(_("the image has {size}").format(size=_size(shown)))
    if origin is not None and origin.kind != session.plane_kind:
        found.append(_("the image is cut {kind}").format(kind=session.plane_kind))
    return found


def _size(spacing: tuple[float, float]) -> str:
    return _("{size} mm pixels").format(size=f"{max(spacing):.2g}")
