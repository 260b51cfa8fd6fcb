"""The panel's settings, kept in the scene. Fields are bound to widgets of their name in KPrismSlicer.ui.

The wrapper evaluates the annotations at run time.
"""

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper


@parameterNodeWrapper
class KPrismParameterNode:
    """See the module.

    inputVolume: image to annotate (colour images are scalar volumes too).
    segmentation, segmentId: where the current segment is.
    checkpoint: name of a shipped model or path of a checkpoint; 'default' for the shipped default.
    device: where the network runs: 'auto', 'cpu', 'cuda' or 'mps'.
    referenceCount: slices taken from a segment that is added as a reference.
    rangeBefore, rangeAfter: slices on both sides of the shown one that "range" covers.
    showChanges: whether the outline of what changed is shown after each act.
    exportFolder, exportSegNrrd, exportNrrd, exportNifti: where and as what results are exported.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    segmentId: str = ""
    checkpoint: str = "default"
    device: Annotated[str, Choice(["auto", "cpu", "cuda", "mps"])] = "auto"
    referenceCount: Annotated[int, WithinRange(1, 9)] = 5
    rangeBefore: Annotated[int, WithinRange(0, 1000)] = 5
    rangeAfter: Annotated[int, WithinRange(0, 1000)] = 5
    showChanges: bool = True
    exportFolder: str = ""
    exportSegNrrd: bool = True
    exportNrrd: bool = False
    exportNifti: bool = True
