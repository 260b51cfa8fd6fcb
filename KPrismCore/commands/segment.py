"""`kprism.py segment`: segment an image from classes, references and clicks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from KPrismCore.commands.console import counted, reported, say
from KPrismCore.commands.reference_masks import reference_mask
from KPrismCore.commands.segment_inputs import (
    ReferenceSource,
    VoxelClick,
    check_output,
    parse_click,
    parse_modality,
    parse_reference,
    parse_slices,
    parse_window,
)
from KPrismCore.device import use_threads
from KPrismCore.errors import PromptError
from KPrismCore.labelmaps import WrittenSegmentation
from KPrismCore.model import DEFAULT_MODEL, Model, load_model
from KPrismCore.predictor import MAX_REFERENCES, Predictor
from KPrismCore.preprocess import Range
from KPrismCore.prompts import Click
from KPrismCore.references import DEFAULT_COUNT
from KPrismCore.session import AnnotationSession, SliceResult
from KPrismCore.slices import KINDS, SlicePlane
from KPrismCore.volumes import Volume, read_volume

# smaller volumes are told in mm3; one that rounds to a whole ml is none of them
_LEAST_MILLILITRES = 0.9995


@dataclass(frozen=True)
class Request:
    """All that was asked for; see the options of `segment`."""

    volume: Path
    output: Path
    classes: tuple[str, ...]
    references: tuple[ReferenceSource, ...]
    clicks: tuple[VoxelClick, ...]
    slices: str | None
    plane: str | None
    connected_to: int | None
    frame: int | None
    reference_frame: int | None
    modality: str | None
    window: Range | None
    overwrite: bool

    @property
    def has_object(self) -> bool:
        """Whether a class or references say what to look for on every slice."""
        return bool(self.classes or self.references)


@reported
def segment(
    volume: Annotated[
        Path,
        typer.Argument(readable=False, help="Image: .nrrd, .nii.gz, .mha, DICOM (file or folder), picture."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Result: .seg.nrrd, .nii.gz, .nii, .nrrd or .mha.")
    ],
    class_: Annotated[list[str] | None, typer.Option("--class", help="Class to find; repeatable.")] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            help="VOLUME=SEGMENTATION[:SEGMENT], an example (DICOM SEG too); VOLUME may be the image itself."
        ),
    ] = None,
    click: Annotated[
        list[str] | None, typer.Option(help="I,J,K,+ inside or I,J,K,- outside; repeatable.")
    ] = None,
    slices: Annotated[str | None, typer.Option(help="FIRST:LAST from 0, both included; else all.")] = None,
    plane: Annotated[str | None, typer.Option(help=f"{', '.join(KINDS)}; by default as acquired.")] = None,
    connected_to: Annotated[int | None, typer.Option(help="Keep what is connected with this slice.")] = None,
    model: Annotated[
        str, typer.Option(help="Name of a shipped model, or a checkpoint file.")
    ] = DEFAULT_MODEL,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    frame: Annotated[int | None, typer.Option(help="Time point, of several, from 0.")] = None,
    reference_frame: Annotated[
        int | None, typer.Option(help="The same for references that are other images.")
    ] = None,
    modality: Annotated[str | None, typer.Option(help="CT, MR, ... where the file does not say it.")] = None,
    window: Annotated[str | None, typer.Option(help="LOW,HIGH: values that become black and white.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing result.")] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads; measured by default.")
    ] = None,
) -> None:
    """Segment an image from classes, references and clicks, in any combination.

    A class or references are applied to all slices (or those given), clicks to their own slice.
    """
    request = Request(
        volume=volume,
        output=output,
        classes=tuple(class_ or ()),
        references=tuple(map(parse_reference, reference or ())),
        clicks=tuple(map(parse_click, click or ())),
        slices=slices,
        plane=plane,
        connected_to=connected_to,
        frame=frame,
        reference_frame=reference_frame,
        modality=parse_modality(modality),
        window=parse_window(window),
        overwrite=overwrite,
    )
    _check_request(request)
    loaded = load_model(model, device)
    if threads:
        use_threads(threads)
    run(request, loaded)


def run(request: Request, model: Model) -> WrittenSegmentation:
    """Carry out a request; everything is checked before the network is asked.

    Raises:
        KPrismError: an input cannot be used, or the result cannot be written; nothing is written then.
    """
    began = time.perf_counter()
    for name in request.classes:
        model.catalogue.by_name(name)
    session = _session(request, Predictor(model, say))
    clicks = [session.locate(click.ijk, click.positive) for click in request.clicks]
    planes = _planes(request, session, clicks)
    centre = None if request.connected_to is None else session.plane(request.connected_to)
    if request.slices and not request.has_object:
        say("Note: --slices is for a class or references; a click is answered on its own slice.")
    doubts = [doubt.text() for doubt in map(session.doubt, session.segments) if doubt is not None]
    _say_once([*model.notes, *doubts], "Note: ")
    confidence: list[float] = []
    known: dict[str, None] = {}
    with _progress() as bar:
        task = bar.add_task("", total=len(planes) * len(session.segments) + len(clicks))
        for result in _compute(session, planes if request.has_object else [], clicks):
            bar.advance(task)
            if result.known_class is not None:
                known[result.known_class] = None
            if result.after.any() and result.confidence is not None:
                confidence.append(result.confidence)
        bar.update(task, total=bar.tasks[0].completed)
    if centre is not None:
        _keep_connected(session, centre)
    written = session.export(request.output, overwrite=request.overwrite)
    if known:
        names = "' or '".join(known)
        print(f"Known by name: the references look like '{names}', and that was asked for as well")
    _report(session, planes, confidence, written, time.perf_counter() - began, model)
    return written


def _check_request(request: Request) -> None:
    if not (request.has_object or request.clicks):
        raise PromptError("There is nothing to go by.", "Add --class, --reference or --click.")
    several = len(dict.fromkeys(request.classes)) > 1
    if several and (request.references or request.clicks):
        raise PromptError(
            f"Clicks and references show one object, but {len(request.classes)} classes are asked for.",
            "Ask for one class, or leave clicks and references out.",
        )
    files = [one for source in request.references for one in (source.volume, source.segmentation)]
    check_output(request.output, request.overwrite, [request.volume, *files])


def _session(request: Request, predictor: Predictor) -> AnnotationSession:
    volume = read_volume(request.volume, request.frame)
    if request.modality:
        volume = replace(volume, modality=request.modality)
    session = AnnotationSession(
        predictor, volume, window=request.window, plane_kind=request.plane, history_bytes=0
    )
    for name in dict.fromkeys(predictor.model.catalogue.by_name(name).name for name in request.classes):
        session.new_segment(class_name=name)
    if not request.classes:
        session.new_segment()
    count = max(1, min(DEFAULT_COUNT, MAX_REFERENCES // max(1, len(request.references))))
    shown = [_add_reference(session, source, request, count) for source in request.references]
    names = {name.casefold(): name for name in shown}.values()
    if len(names) > 1:
        say(f"Note: the references are taken for examples of one object: {', '.join(names)}.")
    return session


def _add_reference(session: AnnotationSession, source: ReferenceSource, request: Request, count: int) -> str:
    """Add a reference; return the name of its segment."""
    same = source.volume.exists() and source.volume.samefile(request.volume)
    volume: Volume = session.volume if same else read_volume(source.volume, request.reference_frame)
    if volume.modality is None:
        volume = replace(volume, modality=session.volume.modality)
    elif session.volume.modality is None:
        say(f"Note: {source.volume} is {volume.modality}; tell with --modality what the image is.")
    mask, name = reference_mask(source, volume)
    session.add_reference(volume, mask, count=count, name=name)
    if not request.classes:
        session.current.name = name
    return name


def _planes(
    request: Request, session: AnnotationSession, clicks: list[tuple[SlicePlane, Click]]
) -> list[SlicePlane]:
    """The slices to segment: those asked for, where there is a class or a reference, and those clicked on."""
    asked = parse_slices(request.slices, session.volume.geometry, session.plane_kind)
    clicked = dict.fromkeys(plane for plane, _ in clicks)
    return list(dict.fromkeys([*(asked if request.has_object else []), *clicked]))


def _compute(
    session: AnnotationSession, planes: list[SlicePlane], clicks: list[tuple[SlicePlane, Click]]
) -> Iterator[SliceResult]:
    for progress in session.predict_range(planes, list(session.segments)):
        if progress.result:
            yield progress.result
    for plane, click in clicks:
        yield session.add_click(plane, click)


def _keep_connected(session: AnnotationSession, centre: SlicePlane) -> None:
    for identifier, one in session.segments.items():
        if centre.read_mask(one.voxels).any():
            session.remove_pieces(session.apart(centre, identifier), identifier)
        else:
            say(f"Note: '{one.name}' is not on slice {centre.index}; all that was found of it is kept.")


def _progress() -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("slices"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _report(
    session: AnnotationSession,
    planes: list[SlicePlane],
    confidence: list[float],
    written: WrittenSegmentation,
    seconds: float,
    model: Model,
) -> None:
    for identifier, one in session.segments.items():
        filled = sum(bool(plane.read_mask(one.voxels).any()) for plane in planes)
        where = f", found on {filled} of {counted(len(planes), f'{session.plane_kind} slice')}"
        flat = session.volume.two_dimensional
        print(f"{one.name}: {_amount(session, identifier)}{'' if flat else where}")
        if not filled:
            say(f"Note: '{one.name}' was not found.")
    if confidence:
        lowest = f" on average, {min(confidence):.2f} at the lowest" if len(confidence) > 1 else ""
        print(f"Confidence: {np.mean(confidence):.2f}{lowest}")
    print(f"Wrote {written.path} in {seconds:.1f} s with {model.card.name} on {model.device}")
    if written.colour_table:
        print(f"Wrote {written.colour_table}, the names and colours")
    _say_once(list(written.warnings), "Note: ")


def _amount(session: AnnotationSession, identifier: str) -> str:
    """How much a segment holds: a volume in a unit that suits it, pixels where slices have no thickness."""
    if not _is_thick(session.volume):
        return counted(int(np.count_nonzero(session.segment(identifier).voxels)), "pixel")
    volume = session.millilitres(identifier)
    return f"{volume:.1f} ml" if volume >= _LEAST_MILLILITRES else f"{1000 * volume:.3g} mm3"


def _is_thick(volume: Volume) -> bool:
    """Whether slices lie in space: a picture has one of no thickness, and those of a film follow in time."""
    film = volume.frames > 1 and len(volume.array) in (1, volume.frames)
    return not (volume.two_dimensional or film)


def _say_once(sentences: list[str], before: str) -> None:
    for sentence in dict.fromkeys(sentences):
        say(before + sentence)


if __name__ == "__main__":
    typer.run(segment)
