"""Sections of the report about the network itself: another checkpoint, calibration, experts, speed."""

from __future__ import annotations

from collections.abc import Iterable

from KPrismCore.evaluation.document import Grid, Picture, Section
from KPrismCore.evaluation.figures import MEAN, Figure, format_figure
from KPrismCore.evaluation.measures import CLOSE
from KPrismCore.evaluation.plots import dots_plot, experts_plot, reliability_plot
from KPrismCore.evaluation.protocol import MODEL, PREVIOUS
from KPrismCore.evaluation.results import COMPARED, Results

NO_DICE = ("worse after 5", "exemplar std")


def previous_sections(results: Results) -> Iterable[Section]:
    """Differences from another checkpoint, case by case."""
    if not results.differences:
        return
    means = results.table.get(MEAN, {})
    rows = []
    for measure in COMPARED:
        if measure.name in results.differences:
            pair = [
                format_figure(means.get((method, measure.name)), measure.digits)
                for method in (MODEL, PREVIOUS)
            ]
            change = results.differences[measure.name]
            text = format_figure(change, measure.digits, interval=True, signed=True)
            rows.append([measure.name, *pair, text, str(change.cases), _verdict(change)])
    header = ("measure", MODEL, PREVIOUS, "difference", "cases", "")
    # those that are Dice, so that one axis serves all
    shown = {
        measure.name: {"difference": results.differences[measure.name]}
        for measure in COMPARED
        if measure.name in results.differences and "NoC" not in measure.name and measure.name not in NO_DICE
    }
    note = (
        "Paired: each case's figure minus its figure with the previous checkpoint; mean over the sets, 95 % "
        "interval."
    )
    plot = dots_plot(shown, "difference (this checkpoint minus the previous one)", zero=True)
    pictures = [Picture("differences.png", "Differences from the previous checkpoint", plot)] if shown else []
    yield Section("Compared with the previous checkpoint", [note], [Grid(header, rows)], pictures)


def _verdict(change: Figure) -> str:
    """Whether the interval leaves out zero."""
    if change.low <= 0 <= change.high:
        return "within chance"
    return "clear" if change.has_interval else "too few subjects"


def calibration_sections(results: Results) -> Iterable[Section]:
    if not results.trust:
        return
    rows = [
        [CLOSE[mode], f"{trust.pixels.error:.3f}", f"{trust.masks.error:.3f}",
        f"{trust.confidence_error:.3f}",
         "-" if trust.correlation != trust.correlation else f"{trust.correlation:.2f}", str(len(trust.cases))]
        for mode, trust in results.trust.items()
    ]  # fmt: skip
    header = (
        "mode",
        "pixel error (ECE)",
        "confidence error (ECE)",
        "mean distance of confidence from Dice",
        "correlation",
        "cases",
    )
    text = (
        "Pixels: probability of the object against its share, in the box around mask and truth with a "
        "margin. Whole masks: the confidence that the panel shows against the real Dice. ECE: mean "
        "distance from the diagonal.",
    )
    pixels = {CLOSE[mode]: trust.pixels for mode, trust in results.trust.items()}
    masks = {CLOSE[mode]: trust.masks for mode, trust in results.trust.items()}
    cases = [case for trust in results.trust.values() for case in trust.cases]
    picture = Picture(
        "calibration.png", "Reliability of pixels and of masks", reliability_plot(pixels, masks, cases)
    )
    yield Section("Calibration", text, [Grid(header, rows)], [picture])


def experts_sections(results: Results) -> Iterable[Section]:
    if results.experts:
        text = (
            "Mean gate of every expert in every decoder layer, by kind of prompt (paper figure 4). Equal "
            "shares would mean that the experts do the same for every prompt. Tokens that stand for no click "
            "do not count."
        )
        picture = Picture("experts.png", "Mean gates", experts_plot(results.experts))
        yield Section("Experts", [text], pictures=[picture])


def throughput_sections(results: Results) -> Iterable[Section]:
    if results.throughput is not None:
        found = results.throughput
        size = f"{found.size[1]} x {found.size[0]} pixels"
        rows = [
            ("encode an image, ms", f"{found.encode:.1f}"), ("first prompt, ms", f"{found.first_prompt:.1f}"),
            ("a class name, ms", "-" if found.class_name is None else f"{found.class_name:.1f}"),
            ("a further click, ms", f"{found.click:.1f}"), ("encode a reference, ms",
            f"{found.reference:.1f}"), (f"images per second, {found.batch} at a time",
            f"{found.images_per_second:.1f}"), *found.environment.items(),
        ]  # fmt: skip
        yield Section("Speed", [f"Medians, on an image of {size}."], [Grid(("", ""), rows)])
