"""The network's configuration: one frozen value, stored in every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from KPrismCore.errors import CheckpointError
from KPrismCore.network.trunk import CHANNELS, TRUNKS


@dataclass(frozen=True)
class KPrismConfig:
    """Sizes and switches of the network; the defaults are the paper's full network (43.3 M parameters).

    Channels are listed from stride 1 (full resolution) to the coarsest stage; `strides` are the
    decoder's levels from coarse to fine. `encoder_blocks` counts the residual blocks of each stage of the
    image encoder; those beyond the first, ours, follow the stage's attention. `mask_encoder_blocks` counts
    those of the encoder of references, which runs once per reference and not per slice, and
    `fine_head_blocks` those of the head at stride 2, which is ours. `trunk` names a network trained on
    photographs beside the image encoder (`trunk.py`), and with `reference_joins` the encoder of references
    gets the image encoder's maps. With `finer_read_out` references are read out at the second level too.
    All three are ours, and off where empty or false. The four switches at the end are the paper's ablations
    (Tables 5 and 7). `authors_rules` keeps the behaviour of the authors' code that their checkpoints were
    trained with; our own checkpoints follow the paper instead.
    """

    input_size: int = 512
    encoder_channels: tuple[int, ...] = (48, 48, 96, 192, 384)
    stem_blocks: int = 2
    encoder_attention: tuple[bool, ...] = (True, True, True, True)
    encoder_blocks: tuple[int, ...] = (1, 1, 1, 1)
    mask_encoder_blocks: tuple[int, ...] = (1, 1, 1, 1)
    encoder_heads: int = 4
    attention_grid: int = 8
    prompt_channels: tuple[int, ...] = (256, 256, 256, 256)
    norm_groups: int = 32
    strides: tuple[int, ...] = (16, 8, 4)
    width: int = 256
    layers: int = 6
    experts: int = 5
    heads: int = 8
    ffn_width: int = 256
    pixel_block: str = "full"
    mask_head_channels: int = 32
    fine_head_channels: int = 0
    fine_head_blocks: int = 2
    trunk: str = ""
    reference_joins: bool = False
    finer_read_out: bool = False
    classes: int = 33
    queries_per_class: int = 2
    summaries: int = 6
    click_hidden: int = 128
    click_radius: int = 1
    authors_rules: bool = False
    moe_attention: bool = True
    moe_ffn: bool = True
    fusion_2d: bool = True
    queries_1d: bool = True

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise CheckpointError(
                f"The network configuration is not usable: {problem}.", "Correct the configuration."
            )

    def _problem(self) -> str:
        counts = (
            self.input_size, self.stem_blocks, self.encoder_heads, self.attention_grid, self.norm_groups,
            self.width, self.layers, self.experts, self.heads, self.ffn_width, self.mask_head_channels,
            self.classes, self.queries_per_class, self.summaries, self.click_hidden, len(self.strides),
            self.fine_head_blocks,
            *self.encoder_channels, *self.prompt_channels,
        )  # fmt: skip
        if min(counts) < 1 or len(self.encoder_channels) < 2:
            return "a size or a count is below one"
        available = [2**stage for stage in range(1, len(self.encoder_channels))]
        checks = (
            (
                self.width % (4 * self.heads) == 0 or self.width % 4 == self.width % self.heads == 0,
                "width and heads",
            ),
            (len(self.encoder_attention) == len(available), "encoder_attention needs one entry per stage"),
            *(
                (
                    len(counted) == len(available) and min(counted) >= 1,
                    f"{name} needs one entry of at least one per stage",
                )
                for name, counted in (
                    ("encoder_blocks", self.encoder_blocks),
                    ("mask_encoder_blocks", self.mask_encoder_blocks),
                )
            ),
            (
                len(self.prompt_channels) >= len(bin(max(self.strides))) - 3,
                "prompt_channels do not reach the strides",
            ),
            (all(stride in available for stride in self.strides), "strides are not strides of the encoder"),
            (list(self.strides) == sorted(self.strides, reverse=True), "strides go from coarse to fine"),
            (self.input_size % max(available) == 0, "input_size is no multiple of the coarsest stride"),
            (self.trunk in TRUNKS, "trunk is empty or 'efficientnet-lite0'"),
            (not self.trunk or len(available) < len(CHANNELS), "a trunk has no map for so many stages"),
            (not self.finer_read_out or len(self.strides) > 1, "finer_read_out needs a second level"),
            (self.pixel_block in ("full", "depthwise"), "pixel_block is 'full' or 'depthwise'"),
            (
                not any(c % self.norm_groups for c in (self.width, *self.prompt_channels)),
                "norm_groups do not divide width and prompt_channels",
            ),
            (
                not any(
                    attends and c % self.encoder_heads
                    for attends, c in zip(self.encoder_attention, self.encoder_channels[1:], strict=False)
                ),
                "encoder_heads do not divide encoder_channels",
            ),
            (
                not self.fine_head_channels or self.layers % len(self.strides) == 0,
                "with a fine head the last layer has to be of the finest level",
            ),
            (self.summaries % 2 == 0, "summaries are halved into foreground and background"),
        )
        return "; ".join(text for fine, text in checks if not fine)

    @property
    def grids(self) -> tuple[int, ...]:
        """Side lengths of the decoder's levels, coarse to fine."""
        return tuple(self.input_size // stride for stride in self.strides)

    def stage_of(self, stride: int) -> int:
        """Index of the encoder stage (0 is the stem at stride 1) that has this stride."""
        return stride.bit_length() - 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> KPrismConfig:
        """Inverse of `to_dict`.

        Raises:
            CheckpointError: a field is unknown or unusable.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise CheckpointError(
                f"The network configuration has unknown fields: {', '.join(unknown)}.",
                "The checkpoint may come from a newer version; update KPrismSlicer.",
            )
        fixed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        try:
            return cls(**fixed)
        except (TypeError, ValueError) as error:
            raise CheckpointError(
                f"The network configuration is not usable: {error}.", "Correct the configuration."
            ) from error


FULL = KPrismConfig()
AUTHORS = KPrismConfig(authors_rules=True)
SMALL = KPrismConfig(
    input_size=256,
    encoder_channels=(8, 16, 48, 96, 160),
    stem_blocks=1,
    encoder_attention=(False, False, True, True),
    encoder_blocks=(3, 6, 8, 9),
    mask_encoder_blocks=(1, 2, 3, 4),
    prompt_channels=(16, 32, 64, 96),
    norm_groups=8,
    width=96,
    layers=3,
    experts=3,
    heads=4,
    ffn_width=192,
    pixel_block="depthwise",
    mask_head_channels=16,
    fine_head_channels=16,
    fine_head_blocks=4,
    trunk="efficientnet-lite0",
    reference_joins=True,
    finer_read_out=True,
    classes=32,
    click_hidden=96,
    click_radius=2,
)
