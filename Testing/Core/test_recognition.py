"""References are answered with the class that they show as well, where a checkpoint says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from KPrismCore.checkpoint import read_checkpoint, save_checkpoint
from KPrismCore.commands import checkpoints
from KPrismCore.errors import CheckpointError, UnknownClassError
from KPrismCore.evaluation.model_scores import ModelScores
from KPrismCore.evaluation.protocol import FAST
from KPrismCore.model import Model, load_model
from KPrismCore.network.prompts import ReferenceFeatures
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click
from KPrismCore.recognition import UNTRIED, Recognition
from KPrismCore.session import AnnotationSession
from Testing.Core.tiny import random_volume, tiny_checkpoint, tiny_model

RNG = np.random.default_rng(0)
IMAGE, OTHER = (RNG.integers(0, 255, (40, 64)).astype(np.uint8) for _ in range(2))


@pytest.fixture
def model() -> Model:
    return tiny_model(recognition=Recognition())


@pytest.fixture
def predictor(model: Model) -> Predictor:
    return Predictor(model)


@pytest.fixture
def shown(predictor: Predictor) -> np.ndarray:
    """What the first MR class of the model finds on the other image, so that it fits perfectly."""
    name = predictor.model.catalogue.classes_for_modality("MR")[0].name
    mask = predictor.predict(predictor.encode(OTHER, "MR"), name).mask
    assert mask.any()
    return mask


def plain(model: Model) -> Predictor:
    return Predictor(replace(model, recognition=None))


def test_classes_of_the_modality_are_tried_and_no_others(predictor: Predictor, shown: np.ndarray) -> None:
    fits = predictor.encode_references([(OTHER, shown)], "US").fits
    assert fits is not None
    tried = [
        entry.name
        for entry, fit in zip(predictor.model.catalogue.trained, fits[0, 0].tolist(), strict=True)
        if fit != UNTRIED
    ]
    assert tried == [entry.name for entry in predictor.model.catalogue.classes_for_modality("US")]


def test_all_classes_are_tried_where_no_modality_is_known(predictor: Predictor, shown: np.ndarray) -> None:
    fits = predictor.encode_references([(OTHER, shown)]).fits
    assert fits is not None
    assert not bool((fits == UNTRIED).any())


def test_a_class_that_made_the_mask_fits_it_wholly(predictor: Predictor, shown: np.ndarray) -> None:
    fits = predictor.encode_references([(OTHER, shown)], "MR").fits
    first = predictor.model.catalogue.classes_for_modality("MR")[0]
    assert fits is not None
    assert fits[0, 0, predictor.model.catalogue.trained.index(first)] == pytest.approx(1.0)


def test_the_answer_lies_between_those_of_class_and_reference(model: Model, shown: np.ndarray) -> None:
    predictor = Predictor(model)
    references = predictor.encode_references([(OTHER, shown)], "MR")
    features = predictor.encode(IMAGE, "MR")
    found = predictor.predict(features, references=references).square
    assert references.fits is not None
    place, _ = Recognition().best(references.fits) or (0, 0.0)
    by_class = predictor.predict(features, model.catalogue.trained[place].name).square
    by_reference = plain(model).predict(features, references=replace(references, fits=None)).square
    low, high = torch.minimum(by_class, by_reference), torch.maximum(by_class, by_reference)
    assert bool(((found >= low - 1e-6) & (found <= high + 1e-6)).all())
    assert not torch.allclose(found, by_reference, atol=1e-4)


def test_a_class_beside_references_that_it_fits_is_answered_alone_too(
    model: Model, shown: np.ndarray
) -> None:
    name = model.catalogue.classes_for_modality("MR")[0].name
    squares = []
    for predictor in (Predictor(model), plain(model)):
        references = predictor.encode_references([(OTHER, shown)], "MR", classes=[name])
        found = predictor.predict(predictor.encode(IMAGE), name, references)
        assert found.known_class is None
        squares.append(found.square)
    by_class = plain(model).predict(plain(model).encode(IMAGE), name).square
    low, high = torch.minimum(by_class, squares[1]), torch.maximum(by_class, squares[1])
    assert bool(((squares[0] >= low - 1e-6) & (squares[0] <= high + 1e-6)).all())
    assert not torch.allclose(*squares, atol=1e-4)


def test_a_class_beside_references_that_show_something_else_is_answered_as_ever(
    model: Model, shown: np.ndarray
) -> None:
    name = model.catalogue.classes_for_modality("MR")[0].name
    squares = []
    for predictor in (Predictor(model), plain(model)):
        references = predictor.encode_references([(OTHER, ~shown)], "MR", classes=[name])
        squares.append(predictor.predict(predictor.encode(IMAGE), name, references).square)
    assert torch.equal(*squares)


def test_only_the_given_class_is_asked_for(model: Model) -> None:
    assert Recognition().best(torch.tensor([[[0.9, 0.6]]]), 1) == (1, pytest.approx(0.6))
    assert Recognition().best(torch.tensor([[[0.9, 0.4]]]), 1) is None


def test_an_unknown_class_to_try_is_named(predictor: Predictor, shown: np.ndarray) -> None:
    with pytest.raises(UnknownClassError, match="no class 'nothing'"):
        predictor.encode_references([(OTHER, shown)], "MR", classes=["nothing"])


@pytest.mark.parametrize(
    "prompt", [{"clicks": [Click(9, 9)]}, {"class_name": "liver", "clicks": [Click(9, 9)]}]
)
def test_clicks_beside_the_references_are_answered_as_ever(
    model: Model, shown: np.ndarray, prompt: dict
) -> None:
    answers = []
    for predictor in (Predictor(model), plain(model)):
        references = predictor.encode_references([(OTHER, shown)], "MR")
        answers.append(predictor.predict(predictor.encode(IMAGE), references=references, **prompt).square)
    assert torch.equal(*answers)


def test_without_a_rule_nothing_is_tried(model: Model, shown: np.ndarray) -> None:
    assert plain(model).encode_references([(OTHER, shown)], "MR").fits is None


def test_a_modality_without_classes_is_answered_by_the_references_alone(
    model: Model, shown: np.ndarray
) -> None:
    answers = []
    for predictor in (Predictor(model), plain(model)):
        references = predictor.encode_references([(OTHER, shown)], "dermoscopy")
        answers.append(predictor.predict(predictor.encode(IMAGE), references=references).square)
    assert torch.equal(*answers)


def test_the_prediction_names_the_class(predictor: Predictor, shown: np.ndarray) -> None:
    references = predictor.encode_references([(OTHER, shown)], "MR")
    assert references.fits is not None
    place, _ = Recognition().best(references.fits) or (-1, 0.0)
    found = predictor.predict(predictor.encode(IMAGE), references=references)
    assert found.known_class == predictor.model.catalogue.trained[place].name


def test_a_class_that_fits_too_little_is_not_taken() -> None:
    assert Recognition(least=0.6).best(torch.tensor([[[0.2, 0.59, UNTRIED]]])) is None


def test_the_class_that_fits_all_references_best_is_taken() -> None:
    fits = torch.tensor([[[0.9, 0.8, 0.1], [0.5, 0.8, 0.1]]])
    place, fit = Recognition().best(fits) or (-1, 0.0)
    assert (place, fit) == (1, pytest.approx(0.8))


def test_no_classes_at_all_are_no_class() -> None:
    assert Recognition().best(torch.zeros(1, 2, 0)) is None


@pytest.mark.parametrize(
    ("sure", "fit", "expected"),
    [((1.0, 1.0), 1.0, 0.5), ((1.0, 0.0), 1.0, 0.2), ((0.0, 1.0), 1.0, 0.8), ((0.0, 0.0), 1.0, 0.8),
     ((1.0, 1.0), 0.5, (0.125 * 0.2 + 0.8) / 1.125)],
)  # fmt: skip
def test_the_surer_answer_weighs_more(sure: tuple[float, float], fit: float, expected: float) -> None:
    found = Recognition().averaged(torch.tensor(0.2), fit, torch.tensor(0.8), sure)
    assert float(found) == pytest.approx(expected)


def test_references_that_are_put_together_keep_their_fits(predictor: Predictor, shown: np.ndarray) -> None:
    one, other = (predictor.encode_references([(image, shown)], "MR") for image in (IMAGE, OTHER))
    both = ReferenceFeatures.concatenate([one, other]).fits
    together = predictor.encode_references([(IMAGE, shown), (OTHER, shown)], "MR").fits
    assert both is not None
    assert together is not None
    assert torch.equal(both, together)


def test_classes_are_tried_on_the_first_two_references_only(predictor: Predictor, shown: np.ndarray) -> None:
    fits = predictor.encode_references([(IMAGE, shown), (OTHER, shown), (IMAGE, shown)], "MR").fits
    assert fits is not None
    assert (fits[0] > UNTRIED).any(1).tolist() == [True, True, False]


def test_references_on_which_nothing_was_tried_do_not_count() -> None:
    fits = torch.tensor([[[0.7, 0.6], [UNTRIED, UNTRIED]]])
    place, fit = Recognition().best(fits) or (-1, 0.0)
    assert (place, fit) == (0, pytest.approx(0.7))


def test_a_session_shows_many_references_of_which_two_are_recognised(model: Model) -> None:
    session = AnnotationSession(Predictor(model), random_volume())
    session.new_segment()
    planes = [session.plane(index) for index in (1, 2, 3)]
    session.add_reference(session.volume, session.volume.array > 300, planes)
    assert session.predict_slice(session.plane(2)).after.shape == (24, 20)


def test_a_class_that_finds_nothing_on_a_reference_fits_it_not_at_all(
    model: Model, shown: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "KPrismCore.predictor.decide", lambda probability, *_: np.zeros_like(probability, bool)
    )
    fits = Predictor(model).encode_references([(OTHER, shown)], "MR", classes=["left atrium"]).fits
    assert fits is not None
    assert float(fits.max()) == 0


@pytest.mark.parametrize("rule", [None, Recognition(power=2.5)])
def test_a_checkpoint_keeps_the_rule(tmp_path: Path, rule: Recognition | None) -> None:
    file = tiny_checkpoint(tmp_path / "m.safetensors")
    save_checkpoint(file, replace(read_checkpoint(file), recognition=rule))
    assert load_model(file, "cpu").recognition == rule


def test_info_tells_the_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tiny_checkpoint(tmp_path / "m.safetensors")
    save_checkpoint(file, replace(read_checkpoint(file), recognition=Recognition(power=2.125)))
    checkpoints.info(file)
    assert "2.125" in capsys.readouterr().out


@pytest.mark.parametrize("values", [{"least": 0}, {"power": -1}, {"strange": 1}])
def test_an_impossible_rule_is_a_damaged_checkpoint(tmp_path: Path, values: dict) -> None:
    file = tiny_checkpoint(tmp_path / "m.safetensors")

    class Broken(Recognition):
        def __post_init__(self) -> None:
            pass

        def to_dict(self) -> dict:
            return values

    save_checkpoint(file, replace(read_checkpoint(file), recognition=Broken()))
    with pytest.raises(CheckpointError, match="description"):
        read_checkpoint(file)


def test_models_that_recognise_and_do_not_are_told_apart_by_evaluate(model: Model) -> None:
    identities = {ModelScores(one, FAST).identity for one in (Predictor(model), plain(model))}
    assert len(identities) == 2


class Watched(Predictor):
    """Notes how often references are encoded, and how many classes are tried on them."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.encoded = self.tried = 0

    def encode_references(self, *arguments: Any, **options: Any) -> ReferenceFeatures:
        self.encoded += 1
        return super().encode_references(*arguments, **options)

    def _fits(self, features: Any, mask: Any, places: Any) -> torch.Tensor:
        self.tried += len(places)
        return super()._fits(features, mask, places)


def a_session(predictor: Predictor, class_name: str | None = None) -> AnnotationSession:
    session = AnnotationSession(predictor, random_volume())
    session.new_segment(class_name=class_name)
    session.add_reference(session.volume, session.volume.array > 300, [session.plane(2)])
    return session


@pytest.mark.parametrize(("class_name", "tried"), [(None, 14), ("left atrium", 1)])
def test_a_session_tries_the_classes_that_can_matter(
    model: Model, class_name: str | None, tried: int
) -> None:
    predictor = Watched(model)
    session = a_session(predictor, class_name)
    session.predict_slice(session.plane(2))
    assert predictor.tried == tried


def test_a_session_tries_no_class_on_references_beside_a_first_click(model: Model) -> None:
    predictor = Watched(model)
    a_session(predictor).add_click_at((8, 8, 2), positive=True)
    assert (predictor.encoded, predictor.tried) == (1, 0)


@pytest.mark.parametrize("rule", [None, Recognition()])
def test_a_click_after_a_prediction_encodes_no_reference_again(
    model: Model, rule: Recognition | None
) -> None:
    predictor = Watched(replace(model, recognition=rule))
    session = a_session(predictor)
    session.predict_slice(session.plane(2))
    session.add_click_at((8, 8, 2), positive=True)
    assert predictor.encoded == 1


def test_another_class_encodes_no_reference_again_where_nothing_is_recognised(model: Model) -> None:
    predictor = Watched(replace(model, recognition=None))
    session = a_session(predictor)
    for name in ("left atrium", "right atrium"):
        session.set_class(name)
        session.predict_slice(session.plane(2))
    assert predictor.encoded == 1
