"""Finds files that are damaged or end too early, where SimpleITK would give a plausible image all the same.

PNG, TIFF and DICOM readers notice for themselves; those of NIfTI, MetaImage, JPEG and BMP do not, or only on
the terminal. Compressed NRRD and MetaImage files are read without a look at their checksums, so that one
damaged byte changes all voxels behind it.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from KPrismCore.errors import InputFileError

_CHUNK = 1 << 22
# compressed, of which a chunk can become a thousand times as long
_SMALL_CHUNK = 1 << 16
# the longest header that is looked through
_HEADER = 1 << 22
_GZIP = b"\x1f\x8b"
# zlib's and gzip's streams alike
_ANY_STREAM = zlib.MAX_WBITS | 32
_NRRD_BYTES = {
    **dict.fromkeys(("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"), 1),
    **dict.fromkeys(("short", "short int", "signed short", "int16", "int16_t"), 2),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), 2),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), 4),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t", "float"), 4),
    **dict.fromkeys(("longlong", "long long", "int64", "int64_t"), 8),
    **dict.fromkeys(("ulonglong", "unsigned long long", "uint64", "uint64_t", "double"), 8),
}
_META_BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}


def check_complete(path: Path) -> None:
    """Check that a file is as long as its header says, and that its compressed data are sound.

    NIfTI, NRRD, MetaImage, JPEG and BMP are looked at, others pass.

    Raises:
        InputFileError: the file is truncated or damaged.
    """
    if not _is_complete(path):
        raise damaged(path)


def _is_complete(path: Path) -> bool:
    name = path.name.lower()
    try:
        if name.endswith((".nii", ".nii.gz")):
            return _nifti_is_complete(path)
        if name.endswith((".nrrd", ".nhdr")):
            return _nrrd_is_complete(path)
        if name.endswith((".jpg", ".jpeg")):
            return _jpeg_is_complete(path.read_bytes())
        if name.endswith(".bmp"):
            return _bmp_is_complete(path.read_bytes())
        return not name.endswith((".mha", ".mhd")) or _meta_is_complete(path)
    except (EOFError, gzip.BadGzipFile, zlib.error, struct.error, ValueError):
        return False


def damaged(path: Path) -> InputFileError:
    """Make the error for a truncated or damaged file."""
    return InputFileError(f"{path} is truncated or damaged.", "Copy it again from its source.")


def _nifti_is_complete(path: Path) -> bool:
    with path.open("rb") as stream:
        compressed = stream.read(2) == _GZIP
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


def _nrrd_is_complete(path: Path) -> bool:
    """Whether gzip data are sound and long enough; the reader notices missing raw data itself."""
    with path.open("rb") as stream:
        head = stream.read(_HEADER)
    end = re.search(rb"\r?\n\r?\n", head)
    lines = head[: end.start() if end else len(head)].decode("latin-1").splitlines()
    parts = [line.partition(":") for line in lines]
    fields = {key.strip().lower(): value.strip() for key, colon, value in parts if colon}
    if fields.get("encoding", "").lower() not in ("gzip", "gz"):
        return True
    separate = fields.get("data file", fields.get("datafile"))
    data = path if separate is None else _data_file(path, separate)
    if data is None:
        return True
    with data.open("rb") as stream:
        stream.seek(end.end() if end and separate is None else 0)
        for _ in range(int(fields.get("line skip", "0"))):
            stream.readline()
        return _inflated_length(stream) >= _nrrd_length(fields)


def _data_file(path: Path, name: str) -> Path | None:
    """The file that a header names; None for a list or a pattern of files, which the reader resolves.

    Raises:
        InputFileError: it is missing.
    """
    if not name or name.startswith("LIST") or "%" in name:
        return None
    if not (path.parent / name).is_file():
        raise InputFileError(
            f"The data file {name} of {path} is missing.", "Copy it into the same folder as well."
        )
    return path.parent / name


def _nrrd_length(fields: dict[str, str]) -> int:
    sizes = [int(size) for size in fields.get("sizes", "0").split()]
    return math.prod(sizes) * _NRRD_BYTES.get(fields.get("type", "").lower(), 0)


def _inflated_length(stream: BinaryIO) -> int:
    """Bytes in the compressed data that follow; their checksums are checked.

    Raises:
        zlib.error: the data are damaged.
        EOFError: they end too early.
    """
    inflater, length = zlib.decompressobj(_ANY_STREAM), 0
    while chunk := stream.read(_SMALL_CHUNK):
        length += len(inflater.decompress(chunk))
        while inflater.eof:
            # gzip data may have several members
            rest = inflater.unused_data + stream.read(_SMALL_CHUNK)
            if not rest.startswith(_GZIP):
                return length
            inflater = zlib.decompressobj(_ANY_STREAM)
            length += len(inflater.decompress(rest))
    raise EOFError


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
    data = path if local else _data_file(path, fields.get("ElementDataFile", ""))
    if data is None:
        return True
    if fields.get("CompressedData", "False").lower() == "true":
        with data.open("rb") as stream:
            stream.seek(position if local else 0)
            return _inflated_length(stream) >= _meta_length(fields)
    return data.stat().st_size - (position if local else 0) >= _meta_length(fields)


def _meta_length(fields: dict[str, str]) -> int:
    element = fields.get("ElementType", "").removeprefix("MET_").removesuffix("_ARRAY")
    length = _META_BYTES.get(element.replace("UCHAR", "CHAR").replace("ULONG", "LONG").removeprefix("U"), 0)
    for size in fields.get("DimSize", "0").split():
        length *= int(size)
    return length * int(fields.get("ElementNumberOfChannels", "1"))
