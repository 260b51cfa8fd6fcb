"""Our network gives the authors' numbers: four golden cases here, all of them by the `verify` command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from KPrismCore.commands import verify as command
from KPrismCore.errors import CheckpointError, InputFileError
from KPrismCore.network.golden import (
    Case,
    CaseResult,
    cases,
    golden_network,
    read_case,
    run_case,
    use_folding,
)
from KPrismCore.network.golden_loop import LIVER, class_of
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompts import ClickSet, Prompts
from KPrismCore.network.recipe import read_manifest
from Testing.Core.tiny import TINY

NETWORK = Path(__file__).parents[3] / "shared" / "network"
AUTHORS_TINY = replace(TINY, authors_rules=True, fine_head_channels=0, layers=6)


@pytest.fixture(scope="module")
def golden_files() -> Path:
    if not (NETWORK / "golden").is_dir():
        pytest.skip("needs ../shared: the golden files of the network")
    return NETWORK / "golden"


@pytest.fixture(scope="module")
def full_network(golden_files: Path) -> KPrism:
    """The full network with the golden weights of seed 0."""
    return golden_network(read_manifest(golden_files.parent / "state_dict_manifest.json")[0], 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "folding"),
    [("m0_b1", True), ("m1_rng", True), ("m2_b2", True), ("m4_b1r1", True), ("m0_b1", False)],
)
def test_the_full_network_gives_the_authors_numbers(golden_files, full_network, name, folding):
    use_folding(full_network, folding)
    result = run_case(full_network, read_case(golden_files / f"{name}.npz"))
    assert result.passed, result


def test_the_golden_files_are_read_in_name_order(golden_files):
    names = [case.name for case in cases(golden_files)]
    assert names == sorted(names)
    assert len(names) == 16


@pytest.fixture
def network() -> KPrism:
    torch.manual_seed(0)
    return KPrism(AUTHORS_TINY).for_inference()


@pytest.fixture
def case(network: KPrism) -> Case:
    """A case with one positive and one negative click whose expected numbers come from the network itself."""
    torch.manual_seed(1)
    clicks = ClickSet(torch.tensor([[[10.0, 12.0], [40.0, 50.0]]]), torch.tensor([[1, 0]]), torch.tensor([1]))
    image, previous = torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64)
    masks: list[torch.Tensor | None] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _layer, args: masks.append(args[2]))
        for layer in network.layers
    ]
    with torch.inference_mode():
        prompts = Prompts(clicks=clicks, previous=previous)
        outputs = network.decode(network.encode_image(image), prompts)
    for hook in hooks:
        hook.remove()
    logits = [output.clone() for output in outputs]
    # the authors' tokens: the positive click, the negative one; ours have the two dummies after them
    expected = [None if mask is None else mask[:, :2].clone() for mask in masks]
    return Case("made-up", 0, None, image, None, clicks, None, previous, logits, expected)


def test_a_case_with_the_networks_own_numbers_passes(network, case):
    assert run_case(network, case) == CaseResult("made-up", 0.0, 0.0, 0, True)


def test_a_wrong_logit_fails(network, case):
    case.logits[2][0, 0, 3, 3] += 0.1
    assert not run_case(network, case).passed


def test_a_small_difference_everywhere_fails(network, case):
    wrong = [logits + 1e-3 * (1 + logits.abs()) for logits in case.logits]
    assert not run_case(network, replace(case, logits=wrong)).passed


@pytest.mark.parametrize(("bits", "passed"), [(2, True), (3, False)])
def test_more_than_two_wrong_mask_pixels_fail(network, case, bits, passed):
    case.masks[3][0, 0, :bits] ^= True
    result = run_case(network, case)
    assert (result.mask_bits, result.passed) == (bits, passed)


def test_a_case_leaves_the_network_as_it_was(network, case):
    mlp = network.click_encoder.mlp
    run_case(network, case)
    assert network.click_encoder.mlp is mlp
    assert not any(layer._forward_pre_hooks for layer in network.layers)


@pytest.mark.parametrize("index", [1, LIVER, AUTHORS_TINY.classes])
def test_the_class_of_a_loop_is_the_one_that_gives_its_first_pass(network, index):
    with torch.inference_mode():
        features = network.encode_image(torch.rand(1, 3, 64, 64))
        wanted = network.decode(features, Prompts(torch.tensor([index])))[-1][0, 0]
        assert class_of(network, features, wanted) == index


def test_a_loop_of_no_class_is_held_against_the_liver(network):
    with torch.inference_mode():
        features = network.encode_image(torch.rand(1, 3, 64, 64))
        assert class_of(network, features, torch.full((16, 16), 1e3)) == LIVER


def test_a_folder_without_golden_files_is_an_error(tmp_path):
    with pytest.raises(InputFileError, match="no golden files"):
        list(cases(tmp_path))


def write_text(file: Path) -> None:
    file.write_text("no archive")


def write_objects(file: Path) -> None:
    np.savez(file, meta=np.array([{"seed": 0}], dtype=object))


def write_other(file: Path) -> None:
    np.savez(file, values=np.zeros(3))


@pytest.mark.parametrize("write", [write_text, write_objects, write_other])
def test_a_file_that_is_not_golden_is_an_error(tmp_path, write):
    write(tmp_path / "m0.npz")
    with pytest.raises(InputFileError, match="golden file"):
        read_case(tmp_path / "m0.npz")


@pytest.mark.parametrize("write", [write_text, write_objects])
def test_nobody_is_told_how_to_load_a_file_that_could_run_code(tmp_path, write):
    write(tmp_path / "m0.npz")
    with pytest.raises(InputFileError) as caught:
        read_case(tmp_path / "m0.npz")
    assert "allow_pickle" not in caught.value.cause


@pytest.mark.parametrize("text", ["no JSON", "{}", "[]"])
def test_a_file_that_is_no_manifest_is_an_error(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputFileError, match="manifest"):
        read_manifest(tmp_path / "manifest.json")


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[bool, bool]]:
    """The `verify` command with made-up cases; the values say whether the fast and the plain path pass."""
    passes = {True: True, False: True}
    now = [True]
    made_up = Case("m0", 0, None, torch.zeros(1), None, None, None, None, [], [])
    monkeypatch.setattr(command, "cases", lambda _folder: iter([made_up]))
    monkeypatch.setattr(command, "golden_network", lambda _manifest, _seed: None)
    monkeypatch.setattr(command, "use_folding", lambda _network, folding: now.__setitem__(0, folding))
    monkeypatch.setattr(command, "run_case", lambda *_: CaseResult("m0", 0.0, 0.0, 0, passes[now[0]]))
    (tmp_path / command.MANIFEST).write_text('{"keys": [], "extra_keys": []}')
    return passes


def verify(folder: Path) -> object:
    app = typer.Typer()
    app.command()(command.verify)
    return CliRunner().invoke(app, [str(folder)])


def test_verify_says_that_all_cases_are_within_the_tolerances(verified, tmp_path):
    assert "within the tolerances" in verify(tmp_path).output


@pytest.mark.parametrize("folding", [True, False])
def test_verify_fails_when_one_path_fails(verified, tmp_path, folding):
    verified[folding] = False
    assert isinstance(verify(tmp_path).exception, CheckpointError)


def test_verify_finds_the_manifest_beside_the_folder(verified, tmp_path):
    (tmp_path / "golden").mkdir()
    assert verify(tmp_path / "golden").exception is None


def test_verify_of_a_folder_that_is_not_there_says_so(tmp_path):
    assert "There is no folder" in str(verify(tmp_path / "absent").exception)


def test_verify_without_a_manifest_is_an_error(tmp_path):
    assert isinstance(verify(tmp_path).exception, InputFileError)
