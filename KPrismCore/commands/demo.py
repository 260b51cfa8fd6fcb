"""`kprism.py demo`: the three kinds of prompts on a real chest CT, with figures and a picture."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from KPrismCore.atomic import atomic_path
from KPrismCore.commands.console import reported, say
from KPrismCore.commands.demo_picture import Panel, Row, draw
from KPrismCore.commands.window import has_display, has_window, run_window
from KPrismCore.errors import InputFileError, OutputFileError
from KPrismCore.evaluation.metrics import dice
from KPrismCore.labelmaps import Segment as WritableSegment
from KPrismCore.labelmaps import write_segmentation
from KPrismCore.model import DEFAULT_MODEL, Model, load_model
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click
from KPrismCore.session import AnnotationSession, SliceResult
from KPrismCore.simulate import next_click
from KPrismCore.slices import SlicePlane
from KPrismCore.volumes import Volume, read_segmentation, read_volume, resample_mask_onto

BoolArray = NDArray[np.bool_]
IMAGE, SEGMENTATION = "CTChest4.nrrd", "Segmentation.seg.nrrd"
LUNGS = ("right lung", "left lung")
SPINE = ("cervical vertebral column", "thoracic vertebral column", "lumbar vertebral column")
CLICKS = 6
EXAMPLES = 3
FILES = (
    ("demo.png", "picture of all acts"),
    ("demo.txt", "the table"),
    ("demo.seg.nrrd", "all segments, for 3D Slicer"),
    ("demo.nii.gz, demo.ctbl", "the lungs of the whole volume, and a colour table"),
    ("demo.kprism.json, demo-*.seg.nrrd", "the session: prompts and masks"),
)
_MARK = ".kprism-demo"


@dataclass
class Demo:
    """What the acts share and leave behind.

    Args:
        session: on the chest CT.
        truth: masks KJI of the reference segmentation, by structure.
        rng: of the robot user.
        table: filled by the acts.
        rows: of the picture, filled by the acts.
    """

    session: AnnotationSession
    truth: dict[str, BoolArray]
    rng: np.random.Generator
    table: Table
    rows: list[Row] = field(default_factory=list)

    def note(self, act: str, prompt: str, structure: str, result: SliceResult) -> str:
        """Add a result to the table; give its Dice as a caption."""
        score = dice(result.after, result.plane.read_mask(self.truth[structure]))
        milliseconds = f"{1000 * result.seconds:.0f}"
        self.table.add_row(act, prompt, structure, f"{score:.2f}", f"{result.confidence:.2f}", milliseconds)
        return f"Dice {score:.2f}, {milliseconds} ms"

    def panel(self, caption: str, plane: SlicePlane, structure: str, mask: BoolArray | None = None) -> Panel:
        """An image of the picture with the reference's outline."""
        return Panel(
            caption,
            plane.extract(self.session.volume.array),
            self.session.engine.value_range(self.session.current.state.class_name),
            plane.pixel_spacing,
            plane.read_mask(self.truth[structure]),
            mask,
            self.session.clicks(plane),
        )


@reported
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results; others' files are left alone.")] = Path(
        "kprism-demo"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Of the simulated user.")] = 0,
    model: Annotated[str, typer.Option(help="A shipped model, or a checkpoint file.")] = DEFAULT_MODEL,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    window: Annotated[bool, typer.Option(help="Then do the same in the panel of the Slicer module.")] = True,
) -> None:
    """Segment a real chest CT by class, by examples and by clicks, and compare with its reference.

    A simulated user clicks on the largest error. Writes a picture, the masks and the session. Then it does
    the same in the panel; where there is a display, its window stays open.
    """
    began = time.perf_counter()
    loaded = load_model(model, device)
    folder = own_folder(out)
    shown = run(folder, loaded, seed)
    Console().print(shown.table)
    print(f"{time.perf_counter() - began:.0f} s. In {folder.resolve()}:")
    for names, content in FILES:
        print(f"  {names:<34}{content}")
    if window and has_window():
        print("The same in the panel of the Slicer module:", flush=True)
        code = run_window("showcase", str(folder.resolve()), *(["--stay"] if has_display() else []))
        if code != 0:
            print("The panel's part of the demo failed; --no-window leaves it out.")
            raise typer.Exit(code)


def run(folder: Path, model: Model, seed: int) -> Demo:
    """Do all acts and write the results into a folder.

    Raises:
        InputFileError: the sample data are missing.
        OutputFileError: a file cannot be written.
    """
    volume, truth = sample()
    table = empty_table(f"{volume.name} with {model.card.name} on {model.device}")
    shown = Demo(AnnotationSession(Predictor(model, say), volume), truth, np.random.default_rng(seed), table)
    by_class(shown)
    by_references(shown)
    by_clicks(shown)
    together(shown)
    whole_volume(shown)
    _write(folder, shown)
    return shown


def empty_table(title: str) -> Table:
    """Return a table without rows; in a narrow window its words give way, not its figures."""
    table = Table(title=title, collapse_padding=True, pad_edge=False)
    for column in ("Act", "Prompts", "Structure"):
        table.add_column(column, overflow="fold")
    for column, digits in (("Dice", 4), ("Confidence", 4), ("ms", 5)):
        table.add_column(column, justify="right", overflow="fold", min_width=digits)
    return table


def sample() -> tuple[Volume, dict[str, BoolArray]]:
    """The chest CT of the slicerio package, and its lungs and vertebral column (spine) as masks KJI.

    Raises:
        InputFileError: the package is not installed.
    """
    found = importlib.util.find_spec("slicerio")
    if found is None or found.origin is None:
        raise InputFileError(
            "The sample data are in the package slicerio, which is not installed.",
            "Run 'python3 kprism.py setup', or install slicerio.",
        )
    data = Path(found.origin).parent / "data"
    volume = read_volume(data / IMAGE)
    truth = {}
    for structure, names in (("lungs", LUNGS), ("spine", SPINE)):
        parts = [read_segmentation(data / SEGMENTATION, name)[:2] for name in names]
        masks = [resample_mask_onto(mask, geometry, volume.geometry) for mask, geometry in parts]
        truth[structure] = np.logical_or.reduce(masks)
    return volume, truth


def by_class(shown: Demo) -> None:
    """What? A class by its name."""
    session, structure = shown.session, "lungs"
    plane = _largest(shown, structure)
    session.new_segment("lungs by class", class_name="lungs")
    before = shown.panel("the slice", plane, structure)
    result = session.predict_slice(plane)
    caption = shown.note("1 class", "class", structure, result)
    after = shown.panel(f"class 'lungs': {caption}", plane, structure, result.after)
    shown.rows.append(Row("1  What? A class by name", [before, after]))


def by_references(shown: Demo) -> None:
    """What? Examples: other slices of the same volume with the structure marked."""
    session, structure = shown.session, "spine"
    plane = _spine_slice(shown)
    session.new_segment("spine by examples", colour="#e2ca86")
    elsewhere = shown.truth[structure].copy()
    plane.write(np.zeros(plane.shape, dtype=bool), elsewhere)
    references = session.add_reference(session.volume, elsewhere, count=EXAMPLES, name=structure)
    window = session.engine.value_range(None)
    panels = [
        Panel(f"example {number}", one.image, window, one.spacing, None, one.mask, example=True)
        for number, one in enumerate(references, 1)
    ]
    result = session.predict_slice(plane)
    caption = shown.note("2 examples", f"{len(references)} examples", structure, result)
    panels.append(shown.panel(f"{len(references)} examples: {caption}", plane, structure, result.after))
    shown.rows.append(Row("2  What? Examples of a structure", panels))


def by_clicks(shown: Demo) -> None:
    """Where? Clicks alone, each on the largest error so far."""
    session, structure = shown.session, "spine"
    session.new_segment("spine by clicks", colour="#d4bc66")
    panels = _click(shown, _spine_slice(shown), structure, "3 clicks", CLICKS)
    shown.rows.append(Row("3  Where? Clicks alone, each on the largest error", panels))


def together(shown: Demo) -> None:
    """Class, then examples, then clicks on one slice."""
    session, structure, act = shown.session, "lungs", "4 together"
    plane = _largest(shown, structure)
    session.new_segment("lungs by all prompts", class_name="lungs", colour="#29a8ff")
    elsewhere = shown.truth[structure].copy()
    plane.write(np.zeros(plane.shape, dtype=bool), elsewhere)
    result = session.predict_slice(plane)
    caption = shown.note(act, "class", structure, result)
    panels = [shown.panel(f"class: {caption}", plane, structure, result.after)]
    session.add_reference(session.volume, elsewhere, count=EXAMPLES, name=structure)
    result = session.predict_slice(plane)
    caption = shown.note(act, f"class + {EXAMPLES} examples", structure, result)
    panels.append(shown.panel(f"+ {EXAMPLES} examples: {caption}", plane, structure, result.after))
    panels += _click(shown, plane, structure, act, CLICKS - len(panels))
    session.accept(plane)
    shown.rows.append(Row("4  All three together", panels))


def whole_volume(shown: Demo) -> None:
    """How far? Class and examples on every slice but the accepted one, and what is connected with that."""
    session, structure = shown.session, "lungs"
    slices = [session.plane(index) for index in range(session.volume.array.shape[0])]
    began = time.perf_counter()
    results = [step.result for step in session.predict_range(slices) if step.result]
    seconds = time.perf_counter() - began
    mask, truth = session.mask(), shown.truth[structure]
    score = dice(mask, truth)
    confidence = float(np.mean([result.confidence or 0.0 for result in results]))
    cells = (
        f"{len(results)} slices",
        structure,
        f"{score:.2f}",
        f"{confidence:.2f}",
        f"{1000 * seconds:.0f}",
    )
    shown.table.add_row("5 volume", *cells)
    session.remove_pieces(session.apart(_largest(shown, structure)))
    mask = session.mask()
    score = dice(mask, truth)
    shown.table.add_row("5 volume", "what is connected", structure, f"{score:.2f}", "", "")
    chosen = np.flatnonzero(truth.any(axis=(1, 2)))
    chosen = chosen[np.linspace(0, len(chosen) - 1, CLICKS + 2).astype(int)[1:-1]]
    panels = []
    for plane in (slices[index] for index in chosen):
        found = plane.read_mask(mask)
        caption = f"slice {plane.index}: Dice {dice(found, plane.read_mask(truth)):.2f}"
        panels.append(shown.panel(caption, plane, structure, found))
    title = f"5  How far? The volume, what is connected: Dice {score:.2f}, {session.millilitres():.0f} ml"
    shown.rows.append(Row(f"{title}, {seconds:.1f} s for {len(results)} slices", panels))


def own_folder(wanted: Path) -> Path:
    """Make a folder of that name, or take one that an earlier demo made; else add a number.

    Raises:
        OutputFileError: it cannot be made.
    """
    # '.' and '..' have no name that a number could be added to
    wanted = wanted.resolve() if wanted.name in ("", "..") else wanted
    if not wanted.name:
        raise OutputFileError(f"{wanted} is no folder for results.", "Choose a folder in it.")
    number, folder = 1, wanted
    while folder.exists() and not _is_own(folder):
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    with atomic_path(folder / _MARK) as temporary:
        temporary.touch()
    return folder


def _is_own(folder: Path) -> bool:
    try:
        return folder.is_dir() and ((folder / _MARK).is_file() or not any(folder.iterdir()))
    except OSError:
        return False


def _click(shown: Demo, plane: SlicePlane, structure: str, act: str, count: int) -> list[Panel]:
    """Let the robot user click, at most so many times, and draw what comes of it."""
    session, truth, panels = shown.session, plane.read_mask(shown.truth[structure]), []
    for number in range(1, count + 1):
        place = next_click(session.slice_mask(plane), truth, shown.rng)
        if place is None:
            break
        row, column, positive = place
        result = session.add_click(plane, Click(column, row, positive))
        caption = shown.note(act, f"click {number} {'inside' if positive else 'outside'}", structure, result)
        panels.append(shown.panel(f"click {number}: {caption}", plane, structure, result.after))
    return panels


def _largest(shown: Demo, structure: str) -> SlicePlane:
    return shown.session.plane(int(np.argmax(shown.truth[structure].sum(axis=(1, 2)))))


def _spine_slice(shown: Demo) -> SlicePlane:
    """A slice between the examples: in the middle of the structure."""
    return shown.session.plane(int(np.median(np.flatnonzero(shown.truth["spine"].any(axis=(1, 2))))))


def _write(folder: Path, shown: Demo) -> None:
    session = shown.session
    draw(folder / "demo.png", f"K-Prism on {session.volume.name}", shown.rows)
    session.save(folder / "demo.kprism.json")
    session.export(folder / "demo.seg.nrrd", overwrite=True)
    last = session.current
    lungs = WritableSegment(last.name, last.voxels, last.colour)
    write_segmentation(folder / "demo.nii.gz", [lungs], session.volume.geometry, overwrite=True)
    with atomic_path(folder / "demo.txt") as temporary, temporary.open("w", encoding="utf-8") as stream:
        Console(file=stream, width=100).print(shown.table)


if __name__ == "__main__":
    typer.run(demo)
