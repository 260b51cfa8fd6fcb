"""A run can begin with what another network has learnt, and says what it took."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from disc_runs import SETTINGS, trainer
from tiny import CLASSES, TINY

from KPrismCore.catalogue import Catalogue, load_catalogue
from KPrismCore.checkpoint import Checkpoint, ModelCard
from KPrismCore.errors import CheckpointError
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompts import Prompts
from KPrismCore.preprocess import Preprocessing
from KPrismCore.training.warm_start import open_start, warm_start

PLAIN = replace(TINY, encoder_blocks=(1, 1, 1, 1), mask_encoder_blocks=(1, 1, 1, 1))


@pytest.fixture
def source() -> Checkpoint:
    torch.manual_seed(0)
    weights = KPrism(PLAIN).state_dict()
    return Checkpoint(PLAIN, weights, load_catalogue(CLASSES), Preprocessing(), ModelCard(name="tiny"))


def fresh(**changes) -> KPrism:
    torch.manual_seed(1)
    return KPrism(replace(PLAIN, **changes)).eval()


def answers(network: KPrism) -> list[torch.Tensor]:
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return network.decode(network.encode_image(image), Prompts(class_index=torch.tensor([1])))


def answer(network: KPrism) -> torch.Tensor:
    return answers(network)[-1]


def test_the_same_network_takes_every_weight(source):
    network = fresh()
    report = warm_start(network, source, source.catalogue)
    assert (report.fresh, report.unused, report.identities) == ((), (), ())
    assert torch.equal(answer(network), answer(source.build()))


def test_further_blocks_begin_as_the_identity(source):
    network = fresh(encoder_blocks=(1, 2, 2, 3))
    report = warm_start(network, source, source.catalogue)
    assert len(report.identities) == 4
    assert report.fresh == ()
    assert torch.equal(answer(network), answer(source.build()))


def test_further_blocks_of_the_fine_head_begin_as_the_identity(source):
    network = fresh(fine_head_blocks=4)
    report = warm_start(network, source, source.catalogue)
    assert report.identities == ("fine_head.head.blocks.2", "fine_head.head.blocks.3")
    assert report.fresh == ()
    assert torch.equal(answer(network), answer(source.build()))


def test_further_blocks_of_references_begin_as_the_identity(source):
    network = fresh(mask_encoder_blocks=(1, 1, 2, 3))
    report = warm_start(network, source, source.catalogue)
    assert report.identities == ("mask_encoder.more.2.0", "mask_encoder.more.3.0", "mask_encoder.more.3.1")
    images = torch.randn(1, 1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    masks = (images[:, :, :1] > 0).float()
    with torch.no_grad():
        ours, theirs = (
            net.encode_references(images, masks).summaries for net in (network, source.build().eval())
        )
    assert torch.equal(ours, theirs)


def test_further_blocks_can_learn(source):
    network = fresh(encoder_blocks=(1, 2, 1, 1)).train()
    block = network.get_submodule(warm_start(network, source, source.catalogue).identities[0])
    network.encode_image(torch.randn(2, 3, 64, 64)).query.square().sum().backward()
    assert block.conv2.weight.grad.abs().max() > 0


def test_a_further_round_of_layers_begins_as_a_copy_and_leaves_the_first_as_it_was(source):
    levels = len(PLAIN.strides)
    one, two = fresh(), fresh(layers=2 * levels)
    warm_start(one, source, source.catalogue)
    report = warm_start(two, source, source.catalogue)
    assert report.fresh == ()
    assert f"layers.{levels}" in report.copies
    ours, theirs = (answers(network)[:levels] for network in (two, one))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    copied, first = (two.layers[place].state_dict() for place in (levels, 0))
    assert all(torch.equal(value, copied[name]) for name, value in first.items())


def test_a_further_round_of_layers_is_handed_nothing_at_first_but_can_learn_to_be(source):
    network = fresh(layers=2 * len(PLAIN.strides)).train()
    warm_start(network, source, source.catalogue)
    between = network.resamplers[len(PLAIN.strides) - 1]
    assert not between.weight.any()
    features = network.encode_image(torch.randn(2, 3, 64, 64))
    network.decode(features, Prompts(class_index=torch.tensor([1, 1])))[-1].square().sum().backward()
    assert between.weight.grad.abs().max() > 0


def test_weights_of_another_shape_are_named_and_left(source):
    network = fresh(ffn_width=8)
    before = network.layers[0].ffn.state_dict()
    report = warm_start(network, source, source.catalogue)
    assert "layers.0.ffn.weight1" in report.fresh
    assert "layers.0.ffn.weight1" in report.unused
    assert all(torch.equal(before[name], value) for name, value in network.layers[0].ffn.state_dict().items())


def test_classes_are_found_by_name_in_another_table(source):
    entries = load_catalogue(CLASSES).entries
    other = Catalogue((replace(entries[4], index=1), replace(entries[0], index=2, name="new", synonyms=())))
    network = fresh(classes=2)
    first = network.class_content.weight[2:4].clone()
    report = warm_start(network, source, other)
    count, old = PLAIN.queries_per_class, entries[4].index - 1
    rows = source.weights["class_content.weight"][old * count : (old + 1) * count]
    assert torch.equal(network.class_content.weight[:2], rows)
    assert torch.equal(network.class_content.weight[2:4], first)
    assert (report.classes, report.new_classes) == ((entries[4].name,), ("new",))


def test_the_report_says_what_begins_anew(source):
    network = fresh(ffn_width=8, encoder_blocks=(1, 2, 1, 1))
    text = "\n".join(warm_start(network, source, source.catalogue).lines())
    assert "encoder.stages.1" in text
    assert "begin as the identity" in text
    assert "begin anew" in text


def test_a_model_that_fits_nowhere_is_refused(source):
    foreign = replace(source, weights={"other": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="No weight of 'tiny'"):
        warm_start(fresh(), foreign, source.catalogue)


def test_a_run_begins_with_the_averaged_weights_of_another(tmp_path):
    first = trainer(replace(SETTINGS, steps=2), tmp_path / "first")
    first.run()
    second = trainer(SETTINGS, tmp_path / "second")
    second.start_from(open_start(tmp_path / "first"))
    expected = first.learner.average.model.state_dict()
    for model in (second.model, second.learner.average.model):
        assert all(torch.equal(expected[name], value) for name, value in model.state_dict().items())


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="holds no state"):
        open_start(tmp_path)


def test_an_unknown_model_is_refused():
    with pytest.raises(CheckpointError, match="no model called 'kprism-unknown'"):
        open_start("kprism-unknown")
