"""The whole network: image and prompts to mask logits. Paper section 3, spec section 1."""

from __future__ import annotations

import itertools
from dataclasses import replace

import torch
from torch import Tensor, nn

from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.decoder import (
    DecoderLayer,
    FineHead,
    MaskHead,
    blocked_pixels,
    mask_for_layer,
    resampler,
)
from KPrismCore.network.image_encoder import ImageEncoder, MaskEncoder
from KPrismCore.network.layers import (
    GroupNorm,
    PointwiseConv,
    SilentConv,
    add_into,
    resize,
    sine_positions,
    to_map,
    to_tokens,
)
from KPrismCore.network.prompt_encoder import (
    ClickEncoder,
    NoPromptMaps,
    PromptMapEncoder,
    Tokens,
    click_map,
)
from KPrismCore.network.prompts import ImageFeatures, Prompts, ReferenceFeatures
from KPrismCore.network.reference_encoder import FinerReadOut, ObjectSummarizer, read_out


class KPrism(nn.Module):
    """Promptable segmentation of a square image of side S = config.input_size.

    `encode_image` once per slice, `encode_references` once per set of references, `decode` per prompt.
    """

    def __init__(self, config: KPrismConfig) -> None:
        super().__init__()
        self.config = config
        width, levels = config.width, len(config.strides)
        self.encoder = ImageEncoder(config)
        self.mask_encoder = MaskEncoder(config)
        self.reference_joins = nn.ModuleList(
            SilentConv(*[config.encoder_channels[config.stage_of(stride)]] * 2)
            for stride in config.strides * config.reference_joins
        )
        self.finer_read_out = FinerReadOut(config) if config.finer_read_out else None
        self.summarizer = ObjectSummarizer(config)
        self.prompt_maps = PromptMapEncoder(config) if config.fusion_2d else NoPromptMaps(config)
        self.click_encoder = ClickEncoder(config)
        self.projections = nn.ModuleList(self._projection(stride) for stride in config.strides)
        self.level_embed = nn.Embedding(levels, width)
        self.class_content = nn.Embedding(config.classes * config.queries_per_class, width)
        self.class_position = nn.Embedding(config.classes * config.queries_per_class, width)
        self.summary_content = nn.Embedding(config.summaries, width)
        self.summary_position = nn.Embedding(config.summaries, width)
        self.summary_to_content = nn.Linear(width, width)
        self.summary_to_position = nn.Linear(width, width)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        strides = [config.strides[index % levels] for index in range(config.layers)]
        self.resamplers = nn.ModuleList(resampler(a, b, width) for a, b in itertools.pairwise(strides))
        self.mask_heads = nn.ModuleList(MaskHead(width, config.mask_head_channels) for _ in range(levels))
        self.fine_head = FineHead(config) if config.fine_head_channels else None

    def _projection(self, stride: int) -> nn.Sequential:
        conv = PointwiseConv(self.config.encoder_channels[self.config.stage_of(stride)], self.config.width)
        nn.init.xavier_uniform_(conv.weight)
        nn.init.zeros_(conv.bias) if conv.bias is not None else None
        return nn.Sequential(conv, GroupNorm(self.config.norm_groups, self.config.width))

    def for_inference(self) -> KPrism:
        """Evaluation mode and channels-last memory, which the convolutions are fastest with."""
        self.eval()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    def encode_image(self, image: Tensor) -> ImageFeatures:
        """Normalised image (B, 3, S, S) to the features of every later prompt."""
        # of the weights' type, whichever they were changed to
        typed = image.to(self.level_embed.weight.dtype)
        return self.features(self.encoder(typed.contiguous(memory_format=torch.channels_last)))

    def features(self, maps: list[Tensor]) -> ImageFeatures:
        """The features of images (B, 3, S, S), of which the encoder made these maps."""
        chosen = [maps[self.config.stage_of(stride)] for stride in self.config.strides]
        levels = tuple(self._project(level, features) for level, features in enumerate(chosen))
        fine = maps[1] if self.fine_head is not None else None
        return ImageFeatures(chosen[0], levels, fine, self._finer_keys(chosen))

    def _finer_keys(self, chosen: list[Tensor]) -> Tensor | None:
        return None if self.finer_read_out is None else self.finer_read_out.keys(*chosen[:2])

    def _project(self, level: int, features: Tensor) -> Tensor:
        """One level of the image, with the position and the level's embedding at every pixel."""
        projected = self.projections[level](features)
        height, width = projected.shape[-2:]
        embedding = self.level_embed.weight[level]
        places = sine_positions(height, width, self.config.width, embedding.device, embedding.dtype)
        return projected + to_map(places + embedding, height, width)

    def encode_references(self, images: Tensor, masks: Tensor) -> ReferenceFeatures:
        """Normalised images (B, R, 3, S, S) and binary masks (B, R, 1, S, S) of one object."""
        return self.encode_shown(images, masks)[0]

    def encode_shown(self, images: Tensor, masks: Tensor) -> tuple[ReferenceFeatures, list[Tensor]]:
        """`encode_references`, and the encoder's maps of the images (B*R, 3, S, S), for `features`."""
        batch, count, dtype = *images.shape[:2], self.level_embed.weight.dtype
        image, mask = (
            x.flatten(0, 1).contiguous(memory_format=torch.channels_last)
            for x in (images.to(dtype), masks.to(images.device, dtype))
        )
        stages = [self.config.stage_of(stride) for stride in self.config.strides]
        seen = self.encoder(image)
        maps = self.mask_encoder(torch.cat((image, mask), 1).contiguous(memory_format=torch.channels_last))
        chosen, values = ([found[stage] for stage in stages] for found in (seen, maps))
        for level, join in enumerate(self.reference_joins):
            values[level] = values[level] + join(chosen[level])
        found = [chosen[0], values[0], self.summarizer(values, mask)]
        finer = self._finer_keys(chosen)
        found += [] if finer is None else [finer, values[1]]
        return ReferenceFeatures(*(x.unflatten(0, (batch, count)) for x in found)), seen

    def with_references(self, features: ImageFeatures, references: ReferenceFeatures) -> ImageFeatures:
        """Features read out from the references at the coarsest level, spec section 6, or at two."""
        coarse, *others = features.levels
        found = read_out(features.query, references.keys, references.values)
        coarse = self._project(0, found.to(self.level_embed.weight))
        if self.finer_read_out is not None:
            others[0] = others[0] + self.finer_read_out(features, references)
        return replace(features, levels=(coarse, *others), summaries=references.summaries)

    def decode(self, features: ImageFeatures, prompts: Prompts) -> list[Tensor]:
        """Logits of every decoder layer, (B, 1, h, w) each; the last one is the result.

        Any combination of class, references, clicks and previous mask is allowed.
        """
        if prompts.references is not None:
            features = self.with_references(features, prompts.references)
        levels, prompt_fine = self._fuse(features, prompts)
        only_clicks = prompts.class_index is None and features.summaries is None
        carried = prompts.clicks is None and features.summaries is None
        source, previous, outputs = levels, None, []
        content: Tensor | None = None
        probability = self._first_probability(prompts, features)
        for index, layer in enumerate(self.layers):
            level, size = index % len(levels), self.config.grids[index % len(levels)]
            if level == 0:  # click features are taken anew when all levels have been updated once
                source = list(levels) if index <= len(levels) else source
            tokens = self._tokens(prompts, features, source, level)
            if carried and content is not None:
                tokens = replace(tokens, content=content)
            pixels = levels[level] if previous is None else self._resample(index, previous, levels[level])
            blocked = None if probability is None else blocked_pixels(resize(probability, size), tokens)
            pixels, content = layer(pixels, tokens, blocked, size)
            levels[level], previous = pixels, to_map(pixels, size, size)
            outputs.append(self.mask_heads[level](previous))
            following = self.config.grids[(index + 1) % len(levels)]
            probability = mask_for_layer(outputs[-1], following, only_clicks)
        if not (self.fine_head is None or previous is None or features.fine is None or prompt_fine is None):
            outputs.append(self.fine_head(previous, features.fine, prompt_fine))
        return outputs

    def _resample(self, index: int, previous: Tensor, pixels: Tensor) -> Tensor:
        """Pixels (B, H*W, width) of a layer with the map of the layer before it. Spec section 7a."""
        resampler = self.resamplers[index - 1]
        resampled = to_tokens(resampler(previous))
        # without a change of stride this is the memory of another level
        return pixels + resampled if isinstance(resampler, nn.Identity) else add_into(resampled, pixels)

    def _fuse(self, features: ImageFeatures, prompts: Prompts) -> tuple[list[Tensor], Tensor | None]:
        """Pixel tokens of every level: image, position, level and dense prompt. Spec sections 4 and 5."""
        like = features.levels[0]
        size, radius = self.config.input_size, self.config.click_radius
        drawn = click_map(prompts.clicks, prompts.previous, like.shape[0], like, size, radius)
        dense, fine = self.prompt_maps(drawn)
        levels = [
            to_tokens(prompt + image if prompt is fine else add_into(prompt, image))
            for image, prompt in zip(features.levels, dense, strict=True)
        ]
        return levels, fine

    def _tokens(self, prompts: Prompts, features: ImageFeatures, source: list[Tensor], level: int) -> Tokens:
        """All sparse tokens of a layer: class, references, clicks. Spec sections 8 and 9."""
        parts: list[Tokens] = []
        if prompts.class_index is not None:
            parts.append(self._class_tokens(prompts.class_index))
        if features.summaries is not None:
            parts.append(self._reference_tokens(features.summaries[:, :, level]))
        if prompts.clicks is not None:
            clicks = self.click_encoder(prompts.clicks, source, level)
            # next to an object's tokens, negative clicks take the exact complement of its mask
            parts.append(clicks if parts else replace(clicks, complement=torch.zeros_like(clicks.complement)))
        return Tokens.concatenate(parts)

    def _class_tokens(self, class_index: Tensor) -> Tokens:
        count = self.config.queries_per_class
        rows = (class_index[:, None] - 1) * count + torch.arange(count, device=class_index.device)
        foreground = torch.ones_like(rows[:1], dtype=torch.bool)
        return Tokens.learned(self.class_content(rows), self.class_position(rows), foreground)

    def _reference_tokens(self, summaries: Tensor) -> Tokens:
        """Summaries (B, R, q, width) of one level to R*q tokens."""
        content = (self.summary_to_content(summaries) + self.summary_content.weight).flatten(1, 2)
        position = (self.summary_to_position(summaries) + self.summary_position.weight).flatten(1, 2)
        half = torch.arange(self.config.summaries, device=summaries.device) < self.config.summaries // 2
        return Tokens.learned(content, position, half.repeat(summaries.shape[1])[None])

    def _first_probability(self, prompts: Prompts, features: ImageFeatures) -> Tensor | None:
        """The mask of layer 0 from the previous mask, or None for no masking.

        The authors' code masks layer 0 only for clicks beside a class or references, and applies the
        sigmoid to what already is a probability (spec sections 10 and 20.2).
        """
        if prompts.previous is None:
            return None
        resized = resize(prompts.previous, self.config.grids[0])
        if not self.config.authors_rules:
            return resized
        beside_object = prompts.class_index is not None or features.summaries is not None
        return resized.sigmoid() if prompts.clicks is not None and beside_object else None
