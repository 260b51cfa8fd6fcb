"""Begin a run with the weights of another network: what fits is taken, the rest is told.

Weights of equal name and shape are taken. The query embeddings go by the class's name, so another class
table keeps what was learnt of common classes. Residual blocks that only the new network has begin as the
identity, so that it computes at first what the old one did; a trunk, joins of references and
their finer read-out begin with zeros, to the same end. Further rounds of decoder layers begin as copies of
the round before, without what that one hands over.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from KPrismCore.catalogue import Catalogue, ClassEntry
from KPrismCore.checkpoint import Checkpoint, ModelCard, read_checkpoint
from KPrismCore.errors import CheckpointError, UnknownClassError
from KPrismCore.model import find_model
from KPrismCore.network.decoder import ResidualBlock
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.layers import BasicBlock
from KPrismCore.training.export import run_checkpoint
from KPrismCore.training.state import STATE_NAME

CLASS_TABLES = ("class_content.weight", "class_position.weight")
_SHOWN = 6


@dataclass(frozen=True)
class WarmStart:
    """What a run began with.

    Args:
        taken: number of tensors taken, class tables included.
        fresh: names that the source does not have, or has in another shape; they keep their initial values.
        unused: names of the source that the network does not have.
        identities: names of residual blocks that begin as the identity; their weights are not in `fresh`.
        copies: names of decoder layers and resamplers that begin as copies of the same of the round before;
            their weights are not in `fresh` either.
        pretrained: names of the trunk's weights that come from elsewhere, and of what joins it to the
            network.
        classes: names of the classes whose query embeddings were taken.
        new_classes: names of the classes that begin anew.
    """

    taken: int
    fresh: tuple[str, ...]
    unused: tuple[str, ...]
    identities: tuple[str, ...]
    copies: tuple[str, ...]
    pretrained: tuple[str, ...]
    classes: tuple[str, ...]
    new_classes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the report in words."""
        told = [f"{self.taken} tensors were taken."]
        for text, names in (
            ("begin as the identity", self.identities), ("begin as the round before", self.copies),
            ("are the published weights of the trunk, joined with zeros", self.pretrained),
            ("were not found there and begin anew", self.fresh),
            ("are not used", self.unused), ("are classes that begin anew", self.new_classes),
        ):  # fmt: skip
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                told.append(f"{', '.join(names[:_SHOWN])}{more} {text}.")
        return told


def open_start(source: str | os.PathLike[str]) -> Checkpoint:
    """Read what to begin with: the name of a shipped model, a checkpoint file, or the folder of a run.

    Of a run the averaged weights are taken.

    Raises:
        CheckpointError: there is no such model, or it cannot be read.
    """
    folder = Path(source)
    if folder.is_dir() or folder.name == STATE_NAME:
        run = folder if folder.is_dir() else folder.parent
        return run_checkpoint(run, ModelCard(name=run.name))
    return read_checkpoint(find_model(source))


@torch.no_grad()
def warm_start(
    model: KPrism, source: Checkpoint, catalogue: Catalogue, has_trunk_weights: bool = False
) -> WarmStart:
    """Change a fresh network's weights into those of the source, as far as they fit.

    Args:
        model: the network, changed in place.
        source: where the weights come from.
        catalogue: the classes of the network; where it or the source has none, the class tables are
            taken as they are if they have the same shape.
        has_trunk_weights: the network's trunk has published weights; see `pretrained.load_trunk`.

    Raises:
        CheckpointError: nothing of the source fits.
    """
    own = model.state_dict()
    by_class = bool(len(catalogue) and len(source.catalogue))
    kept = CLASS_TABLES if by_class else ()
    fitting = {
        name: value
        for name, value in source.weights.items()
        if name in own and name not in kept and own[name].shape == value.shape
    }
    if not fitting:
        raise CheckpointError(
            f"No weight of '{source.card.name}' fits the network of the configuration.",
            "Name a model with the same channels and width.",
        )
    model.load_state_dict(fitting, strict=False)
    classes = _take_classes(model, source, catalogue) if by_class else []
    identities, copies = _begin_as_identity(model, source), _begin_as_round_before(model, source)
    begun = tuple(f"{name}." for name in (*identities, *copies))
    tables = [name for name in CLASS_TABLES if classes]
    missing = [name for name in own if name not in fitting and name not in tables]
    fresh = [name for name in missing if not name.startswith(begun)]
    pretrained = [name for name in fresh if has_trunk_weights and name.startswith("encoder.trunk")]
    return WarmStart(
        taken=len(fitting) + len(tables),
        fresh=tuple(name for name in fresh if name not in pretrained),
        unused=tuple(name for name in source.weights if name not in fitting and name not in tables),
        identities=identities,
        copies=copies,
        pretrained=tuple(pretrained),
        classes=tuple(classes),
        new_classes=tuple(entry.name for entry in catalogue if by_class and entry.name not in classes),
    )


def _take_classes(model: KPrism, source: Checkpoint, catalogue: Catalogue) -> list[str]:
    """Copy the rows of the classes that both know by a name; none where queries have another shape."""
    count, own = model.config.queries_per_class, model.state_dict()
    if (count, model.config.width) != (source.config.queries_per_class, source.config.width):
        return []
    taken = []
    for entry in catalogue:
        known = same_class(entry, source.catalogue)
        if known is None:
            continue
        for name in CLASS_TABLES:
            rows = source.weights[name][(known.index - 1) * count : known.index * count]
            own[name][(entry.index - 1) * count : entry.index * count] = rows
        taken.append(entry.name)
    return taken


def same_class(entry: ClassEntry, catalogue: Catalogue) -> ClassEntry | None:
    """The trained class of the catalogue that has the entry's name, else one of its synonyms."""
    for name in entry.names:
        try:
            return catalogue.by_name(name)
        except UnknownClassError:
            continue
    return None


def _begin_as_identity(model: nn.Module, source: Checkpoint) -> tuple[str, ...]:
    """Silence the residual blocks of equal width that the source does not have; return their names."""
    silenced = []
    for name, block in model.named_modules():
        absent = not any(weight.startswith(f"{name}.") for weight in source.weights)
        plain = isinstance(block, ResidualBlock) or (isinstance(block, BasicBlock) and not block.has_shortcut)
        if absent and plain:
            for value in block.conv2.parameters():
                value.zero_()
            silenced.append(name)
    return tuple(silenced)


def _begin_as_round_before(model: KPrism, source: Checkpoint) -> tuple[str, ...]:
    """Copy decoder layers and resamplers beyond the source's from the round before; return their names.

    The resampler from a round's finest level to the next one's coarsest has no like, and begins with zeros:
    a further round then begins with what the image and the prompts have at its level, as the first one did.
    """
    known, levels = source.config.layers, len(model.config.strides)
    if model.config.strides != source.config.strides or known < levels:
        return ()
    begun = []
    for place in range(known, model.config.layers):
        model.layers[place].load_state_dict(model.layers[place - levels].state_dict())
        begun += [f"layers.{place}", f"resamplers.{place - 1}"]
        resampler = model.resamplers[place - 1]
        if place % levels == 0:
            for value in resampler.parameters():
                value.zero_()
        else:
            resampler.load_state_dict(model.resamplers[place - 1 - levels].state_dict())
    return tuple(begun)
