"""The speed report: every figure is a time, and every way does what its name says."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import pytest
import torch
import typer
from typer.testing import CliRunner

from KPrismCore.commands import bench as command
from KPrismCore.evaluation import speed
from KPrismCore.evaluation.speed import CLICKS, ClickCost, SpeedReport, measure_speed
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.moe import MoEAttention
from KPrismCore.network.prompts import Prompts
from Testing.Core.tiny import TINY, tiny_checkpoint

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> KPrism:
    torch.manual_seed(0)
    return KPrism(TINY).for_inference()


@pytest.fixture(scope="module")
def report(network: KPrism) -> SpeedReport:
    return measure_speed(network, CPU, repeats=1)


def test_the_report_has_a_class_prompt_and_the_click_numbers(report):
    assert [cost.clicks for cost in report.prompts] == [0, *CLICKS]


def test_every_figure_is_positive(report):
    names = [field.name for field in fields(ClickCost) if field.name != "clicks"]
    figures = [getattr(cost, name) for cost in report.prompts for name in names]
    assert min(report.encoder, report.reference, *figures) > 0


def test_the_measurement_leaves_folding_on(network, report):
    switches = [module.use_folding for module in network.modules() if isinstance(module, MoEAttention)]
    assert all(switches)


@pytest.fixture
def done(network: KPrism, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, set[bool], int]]:
    """Per way: prompt encodings, whether attention folds, and convolutions computed outside the decoder."""
    found: dict[str, tuple[int, set[bool], int]] = {}
    encodings, folding, decodings = [], set(), []
    hooks = [network.prompt_maps.register_forward_hook(lambda *_: encodings.append(1))]
    for module in network.modules():
        if isinstance(module, MoEAttention):
            hooks.append(module.register_forward_hook(lambda layer, *_: folding.add(layer.use_folding)))
    kept = network.decode
    monkeypatch.setattr(network, "decode", lambda *a: decodings.append(1) or kept(*a))

    def run_once(ways, _device, _repeats):
        for name, way in ways.items():
            for record in (encodings, folding, decodings):
                record.clear()
            way()
            found[name] = len(encodings), set(folding), len(decodings)
        return dict.fromkeys(ways, 1.0)

    monkeypatch.setattr(speed, "_medians", run_once)
    with torch.inference_mode():
        features = network.encode_image(torch.rand(1, 3, 64, 64))
        speed._cost(network, features, Prompts(class_index=torch.tensor([1])), 1)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(
    ("way", "what"),
    [
        ("fast", (1, {True}, 1)),
        ("plain", (1, {False}, 1)),
        ("authors", (3, {False}, 1)),
        ("convolutions", (0, set(), 0)),
    ],
)
def test_a_way_encodes_prompts_folds_and_decodes_as_often_as_it_should(done, way, what):
    assert done[way] == what


def test_all_convolutions_of_a_prompt_are_timed(network):
    features = network.encode_image(torch.rand(1, 3, 64, 64))
    with torch.inference_mode():
        calls = speed._convolution_calls(network, features, Prompts(class_index=torch.tensor([1])))
    names = {module: name for name, module in network.named_modules()}
    parts = {names[module].split(".")[0] for module, _ in calls}
    assert parts == {"prompt_maps", "layers", "resamplers", "mask_heads", "fine_head"}


def test_medians_leave_out_the_first_turn(monkeypatch):
    now, durations = [0.0], iter([100.0, 0.001, 0.003, 0.005])

    def way() -> None:
        now[0] += next(durations)

    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    assert speed._medians({"way": way}, CPU, 3) == {"way": pytest.approx(3.0)}


def test_the_command_prints_a_table_and_the_memory(tmp_path):
    app = typer.Typer()
    app.command()(command.bench)
    model = tiny_checkpoint(tmp_path / "tiny.safetensors")
    options = ["--model", str(model), "--no-full", "--repeats", "1", "--threads", "1", "--device", "cpu"]
    output = CliRunner().invoke(app, options, env={"COLUMNS": "200"}).output
    assert "click number 10" in output
    assert "peak memory" in output
