"""Every ablation's configuration trains, and its switch takes away what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from disc_runs import CLASSES, TINY, disc_set

from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.training.configuration import read_settings
from KPrismCore.training.loop import Trainer
from KPrismCore.training.runlog import Window

CONFIGS = Path(__file__).parents[2] / "Resources" / "Configs"
ABLATIONS = sorted((CONFIGS / "ablations").glob("*.toml"))


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def network(name: str, tiny: Path) -> KPrism:
    settings = read_settings(CONFIGS / "ablations" / f"{name}.toml", [tiny])
    return KPrism(KPrismConfig.from_dict({**settings.network, "input_size": settings.input_size}))


def parameters(network: KPrism) -> set[str]:
    return {name for name, _ in network.named_parameters()}


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda path: path.stem)
def test_two_steps_can_be_trained(path, tiny, tmp_path):
    run = Trainer(read_settings(path, [tiny]), [disc_set()], CLASSES, tmp_path)
    before = [value.clone() for value in run.model.parameters()]
    for parts in run._batches():
        run.learner.step(parts, Window())
    changed = [bool((a != b).any()) for a, b in zip(before, run.model.parameters(), strict=True)]
    assert any(changed)


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda path: path.stem)
def test_only_the_switch_differs_from_the_papers_recipe(path):
    paper, ablation = (read_settings(place).to_plain() for place in (CONFIGS / "train-paper.toml", path))
    network = {name for name in ablation["network"] if ablation["network"][name] != paper["network"][name]}
    changed = {name for name in ablation if ablation[name] != paper[name]} - {"name", "network"}
    expected = {"mode_probabilities", "early_mode_probabilities"} if path.stem.endswith("-only") else set()
    assert changed == expected
    assert bool(network) is not (path.stem.endswith("-only") or path.stem == "experts-5")


@pytest.mark.parametrize(
    ("name", "one_expert"),
    [("no-moe-attention", {"query_attention", "pixel_attention"}), ("no-moe-ffn", {"ffn"}),
     ("no-moe", {"query_attention", "pixel_attention", "ffn"}), ("experts-5", set())],
)  # fmt: skip
def test_without_a_mixture_one_expert_is_left(name, one_expert, tiny):
    layer = network(name, tiny).layers[0]
    experts = {part: getattr(layer, part).experts for part in ("query_attention", "pixel_attention")}
    experts["ffn"] = layer.ffn.gate.out_features
    assert {part for part, count in experts.items() if count == 1} == one_expert


def test_without_dense_prompts_there_is_no_encoder_of_click_maps(tiny):
    whole, without = parameters(network("experts-5", tiny)), parameters(network("no-fusion-2d", tiny))
    assert without == {name for name in whole if not name.startswith("prompt_maps.")} != whole


def test_without_sparse_prompts_the_layers_have_no_attention(tiny):
    whole, without = parameters(network("experts-5", tiny)), parameters(network("no-queries-1d", tiny))
    gone = {name.split(".")[2] for name in whole - without}
    assert gone == {"query_attention", "self_attention", "ffn", "pixel_attention"}


@pytest.mark.parametrize("count", [1, 3, 5, 7])
def test_a_mixture_has_the_number_of_experts(count, tiny):
    assert network(f"experts-{count}", tiny).layers[0].query_attention.experts == count


@pytest.mark.parametrize("count", [3, 9])
def test_the_decoder_has_the_number_of_layers(count, tiny):
    assert len(network(f"layers-{count}", tiny).layers) == count


@pytest.mark.parametrize("mode", ["class", "references", "clicks"])
def test_one_kind_of_prompt_is_trained_alone(mode, tiny, tmp_path):
    settings = read_settings(CONFIGS / "ablations" / f"{mode}-only.toml", [tiny])
    run = Trainer(settings, [disc_set()], CLASSES, tmp_path)
    assert {run.stream.part(step, 0, 1).mode for step in range(20)} == {mode}
