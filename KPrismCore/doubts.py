"""Sentences from the figures on the model card: what speaks against a result, and where a model is best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from KPrismCore.abilities import (
    CLASS,
    CLICKS,
    KINDS,
    NOT_MEASURED,
    REFERENCE,
    Abilities,
    Ability,
    Grade,
    Score,
)
from KPrismCore.catalogue import Catalogue, ClassEntry
from KPrismCore.modalities import modality_key

# an image in colour whose modality nobody told
COLOUR = "rgb"


def _(text: str) -> str:
    """Mark a text for translation; it is translated when it is shown."""
    return text


@dataclass(frozen=True)
class Phrase:
    """A text whose parts are filled in after its translation.

    Args:
        template: English, with {names}.
        values: by name; phrases are translated too.
    """

    template: str
    values: Mapping[str, str | Phrase] = field(default_factory=dict)

    def text(self, translate: Callable[[str], str] = _) -> str:
        """The whole text.

        Args:
            translate: gives a text in the reader's language; English by default.
        """
        filled = {
            name: value.text(translate) if isinstance(value, Phrase) else value
            for name, value in self.values.items()
        }
        return translate(self.template).format(**filled)


# how readers call what is also named US, DX, XR, ...
_MODALITIES = (
    _("CT"), _("MR"), _("X-ray"), _("ultrasound"), _("endoscopy"), _("fundus"), _("microscopy"),
    _("histology"), _("dermoscopy"), _("OCT"), _("angiography"),
)  # fmt: skip
_READABLE = {modality_key(name): name for name in reversed(_MODALITIES)}
_OWN = "own"
# by what was measured and how it went; _OWN is the class itself, the others are on the image's modality
_TEMPLATES = {
    (_OWN, Grade.POOR): _("This model did poorly on '{name}' by its name alone ({figure}); {advice}."),
    (_OWN, Grade.USABLE): _("Expect to correct '{name}' ({figure} by its name alone)."),
    (_OWN, Grade.NOT_MEASURED): _("'{name}' was not measured; check every result."),
    (CLASS, Grade.POOR): _(
        "This model did poorly on {modality} with a class name ({figure}); {advice}."
    ),
    (CLASS, Grade.USABLE): _("On {modality}, expect to correct what a class name gives ({figure})."),
    (REFERENCE, Grade.POOR): _("This model did poorly on {modality} with one example ({figure}); {advice}."),
    (REFERENCE, Grade.USABLE): _("On {modality}, expect to correct what an example gives ({figure})."),
    (REFERENCE, Grade.NOT_MEASURED): _(
        "This model was not measured on {modality} with examples; check every result."
    ),
    (CLICKS, Grade.POOR): _(
        "This model did poorly on {modality} even after five clicks ({figure}); check every slice."
    ),
    (CLICKS, Grade.USABLE): _("On {modality}, expect to need more than five clicks ({figure})."),
    (CLICKS, Grade.NOT_MEASURED): _("This model was not measured on {modality}; check every result."),
}  # fmt: skip
# by what clicks do on the modality
_ADVICE = {
    Grade.GOOD: _("expect to correct it with clicks"),
    Grade.USABLE: _("expect to correct it with many clicks"),
    Grade.POOR: _("clicks helped little there"),
    Grade.NOT_MEASURED: _("check it, add examples or click"),
}
_BEST_AND_WORST = {
    CLASS: _("With a class name best on {best}, worst on {worst}."),
    REFERENCE: _("With one example best on {best}, worst on {worst}."),
    CLICKS: _("After five clicks best on {best}, worst on {worst}."),
}
_ONLY = {
    CLASS: _("With a class name measured on {best} only."),
    REFERENCE: _("With one example measured on {best} only."),
    CLICKS: _("After five clicks measured on {best} only."),
}
_EARLIER = Phrase(_("Measured before a last training, in which the measured cases took part too."))
_NOTHING_MEASURED = Phrase(_("This model was not measured; check every result."))
_UNKNOWN = Phrase(
    _("The modality is unknown; if the image is a CT, say so, as CT is windowed differently.")
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What is asked of a model.

    Args:
        modality: of the image, under any of its names; 'rgb' for an unknown one in colour, None for unknown.
        entry: the class, if one is chosen.
        has_references: whether references take part.
    """

    modality: str | None
    entry: ClassEntry | None = None
    has_references: bool = False

    @property
    def known_modality(self) -> str | None:
        """The image's modality; None where it was not told."""
        return None if self.modality == COLOUR else self.modality

    @property
    def likely_modality(self) -> str | None:
        """The image's modality, or that of the class where it has only one."""
        if self.known_modality or self.entry is None or len(self.entry.modality) != 1:
            return self.known_modality
        return self.entry.modality[0]


def find_doubt(
    abilities: Abilities, catalogue: Catalogue, asked: Asked, trained_on: Iterable[str] = ()
) -> Phrase | None:
    """What speaks most against trusting the result; None where the figures are good.

    Class and references are judged by the better of them, as they add up; clicks only where they are alone,
    since a click is seen to work or not.

    Args:
        abilities: of the model.
        catalogue: its classes.
        asked: image and prompts.
        trained_on: modalities that its card names; those of its classes are known anyway.
    """
    foreign = _foreign(abilities, catalogue, asked, trained_on)
    if foreign is not None:
        return foreign
    grade, measured = _measured(abilities, asked)
    if asked.modality is None and grade is not Grade.POOR:
        return _UNKNOWN
    return measured


def best_and_worst(abilities: Abilities) -> tuple[Phrase, ...]:
    """A sentence for each kind of prompt: on which modalities it did best and worst, with their mean Dice.

    The last one tells where they are figures of earlier weights.
    """
    found = []
    for kind in KINDS:
        ranked = abilities.ranked(kind)
        if ranked:
            templates = _BEST_AND_WORST if len(ranked) > 1 else _ONLY
            ends = {"best": ranked[0], "worst": ranked[-1]}
            values: dict[str, str | Phrase] = {name: _with_dice(row, kind) for name, row in ends.items()}
            found.append(Phrase(templates[kind], values))
    if found and abilities.earlier:
        found.append(_EARLIER)
    return tuple(found)


def _foreign(
    abilities: Abilities, catalogue: Catalogue, asked: Asked, trained_on: Iterable[str]
) -> Phrase | None:
    """What is said of a modality that the model, or the class, was not trained on."""
    modality, entry = asked.known_modality, asked.entry
    if not modality:
        return None
    fitting = catalogue.classes_for_modality(modality)
    named = modality_key(modality) in map(modality_key, trained_on)
    shown = _readable(modality)
    if not fitting and not named and not abilities.knows(modality):
        return Phrase(
            _("The model was not trained on {modality}; expect poor results."), {"modality": shown}
        )  # fmt: skip
    if entry is not None and entry not in fitting:
        values = {"name": entry.name, "trained": ", ".join(entry.modality), "modality": shown}
        return Phrase(_("'{name}' was trained on {trained} and not on {modality}."), values)
    return None


def _measured(abilities: Abilities, asked: Asked) -> tuple[Grade, Phrase | None]:
    """How the best of the prompts did, and what there is to say of it."""
    if not abilities.measured:
        return Grade.NOT_MEASURED, _NOTHING_MEASURED
    subject, modality, score = max(_candidates(abilities, asked), key=lambda one: one[2].rank)
    template = _TEMPLATES.get((subject, score.grade))
    # an older card has figures, but none by modality
    unheard = score.grade is Grade.NOT_MEASURED and subject != _OWN
    if template is None or (unheard and not (abilities.modalities and modality)):
        return score.grade, None
    clicks = abilities.on(asked.likely_modality, CLICKS)[1]
    values: dict[str, str | Phrase] = {
        "name": asked.entry.name if asked.entry else "",
        "modality": _readable(modality),
        "figure": _figure(score),
        "advice": Phrase(_ADVICE[clicks.grade]),
    }
    return score.grade, Phrase(template, values)


def _candidates(abilities: Abilities, asked: Asked) -> list[tuple[str, str, Score]]:
    """(what was measured, modality, score) of each prompt that says what to look for; else of clicks."""
    modality, found = asked.likely_modality, []
    if asked.entry is not None:
        here = _measured_on(abilities, asked.entry, modality)
        score = abilities.class_named(asked.entry.name) if here else NOT_MEASURED
        name, general = abilities.on(modality, CLASS)
        of_itself = score.dice is not None or general.dice is None
        found.append((_OWN, name, score) if of_itself else (CLASS, name, general))
    if asked.has_references:
        found.append((REFERENCE, *abilities.on(modality, REFERENCE)))
    return found or [(CLICKS, *abilities.on(modality, CLICKS))]


def _measured_on(abilities: Abilities, entry: ClassEntry, modality: str | None) -> bool:
    """Whether a class was measured on this modality: it may be on several, of which one was measured.

    True where the modality is unknown, or no measured set has the class.
    """
    names = {source.partition(":")[0] for source in entry.sources}
    rows = [row for row in abilities.sets if row.name in names and row.scores[CLASS].dice is not None]
    if modality is None or not rows:
        return True
    return modality_key(modality) in {modality_key(row.modality) for row in rows}


def _readable(modality: str) -> str | Phrase:
    """The word that readers know; a code that is not known stays as it is."""
    known = modality if modality in _MODALITIES else _READABLE.get(modality_key(modality))
    return Phrase(known) if known else modality


def _with_dice(row: Ability, kind: str) -> Phrase:
    dice = f"{row.scores[kind].rank:.2f}"
    return Phrase(_("{modality} (Dice {dice})"), {"modality": _readable(row.name), "dice": dice})


def _figure(score: Score) -> Phrase:
    template = _("Dice {dice} on one case") if score.cases == 1 else _("Dice {dice} on {cases} cases")
    return Phrase(template, {"dice": f"{score.rank:.2f}", "cases": str(score.cases)})
