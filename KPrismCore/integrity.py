"""Finds files that end too early, where SimpleITK would give a plausible image with a part missing.

NRRD, PNG, TIFF and DICOM readers notice for themselves; those of NIfTI, MetaImage, JPEG and BMP do not, or
only on the terminal.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

from KPrismCore.errors import InputFileError

_CHUNK = 1 << 22
_META_BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}


def check_complete(path: Path) -> None:
    """Check that a NIfTI, MetaImage, JPEG or BMP file is as long as its header says, and its gzip data sound.

    Raises:
        InputFileError: the file is truncated or damaged.
    """
    name = path.name.lower()
    try:
        if name.endswith((".nii", ".nii.gz")):
            complete = _nifti_is_complete(path)
        elif name.endswith((".jpg", ".jpeg")):
            complete = _jpeg_is_complete(path.read_bytes())
        elif name.endswith(".bmp"):
            complete = _bmp_is_complete(path.read_bytes())
        elif name.endswith((".mha", ".mhd")):
            complete = _meta_is_complete(path)
        else:
            complete = True
    except (EOFError, gzip.BadGzipFile, zlib.error, struct.error, ValueError):
        complete = False
    if not complete:
        raise damaged(path)


def damaged(path: Path) -> InputFileError:
    """Make the error for a truncated or damaged file."""
    return InputFileError(f"{path} is truncated or damaged.", "Copy it again from its source.")


def _nifti_is_complete(path: Path) -> bool:
    with path.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if compressed else path.open("rb") as data:
        header = data.read(540)
        expected = _nifti_length(header)
        length = len(header)
        # to the very end, since gzip's checksum is there
        while chunk := data.read(_CHUNK):
            length += len(chunk)
    return length >= expected


def _nifti_length(header: bytes) -> int:
    """Bytes of a NIfTI-1 or NIfTI-2 file, from its header; 0 where the header is neither."""
    for order in "<>":
        size = struct.unpack(order + "i", header[:4])[0]
        if size == 348:
            dimensions, bits = (
                struct.unpack(order + "8h", header[40:56]),
                struct.unpack(order + "h", header[72:74])[0],
            )
            offset = int(struct.unpack(order + "f", header[108:112])[0])
        elif size == 540:
            dimensions, bits = (
                struct.unpack(order + "8q", header[16:80]),
                struct.unpack(order + "h", header[14:16])[0],
            )
            offset = struct.unpack(order + "q", header[168:176])[0]
        else:
            continue
        voxels = 1
        for length in dimensions[1 : dimensions[0] + 1]:
            voxels *= max(length, 1)
        return int(offset + voxels * bits // 8)
    return 0


def _jpeg_is_complete(data: bytes) -> bool:
    # the end marker must follow the last scan; a thumbnail's own one comes before it
    return data[:2] != b"\xff\xd8" or data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")


def _bmp_is_complete(data: bytes) -> bool:
    if data[:2] != b"BM":
        return True
    offset, _, width, height, _, bits, compression = struct.unpack("<IIiiHHI", data[10:34])
    row = (abs(width) * bits + 31) // 32 * 4
    return compression != 0 or len(data) >= offset + row * abs(height)


def _meta_is_complete(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    fields: dict[str, str] = {}
    position = 0
    for line in head.splitlines(keepends=True):
        position += len(line)
        key, _, value = line.decode("latin-1").partition("=")
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            break
    local = fields.get("ElementDataFile") == "LOCAL"
    data = path if local else path.parent / fields.get("ElementDataFile", "")
    if not data.is_file():
        # a list or a pattern of files, which the reader resolves
        return True
    return data.stat().st_size - (position if local else 0) >= _meta_length(fields)


def _meta_length(fields: dict[str, str]) -> int:
    if fields.get("CompressedData", "False").lower() == "true":
        return int(fields.get("CompressedDataSize", "0"))
    element = fields.get("ElementType", "").removeprefix("MET_").removesuffix("_ARRAY")
    length = _META_BYTES.get(element.replace("UCHAR", "CHAR").replace("ULONG", "LONG").removeprefix("U"), 0)
    for size in fields.get("DimSize", "0").split():
        length *= int(size)
    return length * int(fields.get("ElementNumberOfChannels", "1"))
