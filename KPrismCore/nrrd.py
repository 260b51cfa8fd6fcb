"""Writes NRRD files of label layers. Only what SimpleITK cannot do: it marks layers `vector`, not `list`.

Format: http://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from KPrismCore.geometry import VolumeGeometry, lps_from_ras

_TYPES = {np.dtype(np.uint8): "unsigned char", np.dtype(np.uint16): "unsigned short"}
_CHUNK = 1 << 24


def write_nrrd(
    path: Path, layers: NDArray[np.unsignedinteger], geometry: VolumeGeometry, fields: Mapping[str, str]
) -> None:
    """Write label layers with gzip.

    Args:
        path: file to write; an existing one is overwritten.
        layers: uint8 or uint16, (L, K, J, I). One layer gives a 3-D file (kinds `domain domain domain`),
            several a 4-D one with the layers first (`list domain domain domain`), as Slicer writes them.
        geometry: grid of the layers.
        fields: key/value pairs, written in this order.

    Raises:
        OSError: the file cannot be written.
    """
    voxels = layers[0] if len(layers) == 1 else np.moveaxis(layers, 0, -1)
    header = _header(voxels, geometry, fields)
    compressor = zlib.compressobj(level=6, wbits=31)
    little = voxels.astype(voxels.dtype.newbyteorder("<"), copy=False)
    data = np.ascontiguousarray(little).data.cast("B")
    with path.open("wb") as stream:
        stream.write(header.encode("utf-8"))
        for start in range(0, len(data), _CHUNK):
            stream.write(compressor.compress(data[start : start + _CHUNK]))
        stream.write(compressor.flush())


def _header(voxels: NDArray[np.unsignedinteger], geometry: VolumeGeometry, fields: Mapping[str, str]) -> str:
    listed = voxels.ndim == 4
    # + 0.0 turns -0.0 into 0.0
    axes = lps_from_ras(geometry.ijk_to_ras[:3, :3].T) + 0.0
    origin = lps_from_ras(geometry.ijk_to_ras[:3, 3]) + 0.0
    lines = [
        "NRRD0004",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        f"type: {_TYPES[voxels.dtype]}",
        f"dimension: {voxels.ndim}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(str(length) for length in voxels.shape[::-1])}",
        f"space directions: {'none ' * listed}{' '.join(_vector(axis) for axis in axes)}",
        f"kinds: {'list ' * listed}domain domain domain",
        *(["endian: little"] if voxels.dtype.itemsize > 1 else []),
        "encoding: gzip",
        f"space origin: {_vector(origin)}",
        *(f"{_escaped(key)}:={_escaped(value)}" for key, value in fields.items()),
    ]
    return "\n".join(lines) + "\n\n"


def _vector(values: NDArray[np.float64]) -> str:
    # repr is the shortest text that gives the same number back
    return f"({','.join(repr(float(value)) for value in values)})"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\r", "").replace("\n", "\\n")
