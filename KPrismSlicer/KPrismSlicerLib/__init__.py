"""What the module KPrismSlicer is made of. Importing it makes KPrismCore importable, and nothing else."""

from __future__ import annotations

from KPrismSlicerLib.Paths import ensureCoreOnPath

ensureCoreOnPath()
