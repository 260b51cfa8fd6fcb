"""Training packs, one folder each (`training.packs`)."""

from __future__ import annotations

from KPrismCore.training.datasets.sets import OpenPack, OpenSet
from KPrismCore.training.datasets.tree import Tree
from KPrismCore.training.packs import PACK_NAME


class PackLayout:
    """A folder that holds a pack; see the module."""

    def recognises(self, tree: Tree) -> bool:
        """Whether a pack is in the folder itself."""
        return PACK_NAME in tree.here

    def sets(self, tree: Tree) -> list[OpenSet]:
        """The pack."""
        return [OpenPack(tree.path(PACK_NAME))]
