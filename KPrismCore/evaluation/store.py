"""Results on disk: one line of JSON per case and method, so that a broken run goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

from KPrismCore.errors import OutputFileError
from KPrismCore.evaluation.protocol import Record

Key = tuple[str, str]


class RecordStore:
    """Records by (key, case identity), appended to a file as they come.

    Lines that are cut short, as by a loss of power, are ignored. Results of other checkpoints may stand in
    the same file: their keys differ.

    Args:
        path: the file; made, with its folder, if missing.

    Raises:
        OutputFileError: it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.records: dict[Key, Record] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # a line may end within a letter
            text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
            if text and not text.endswith("\n"):
                # so that the next line does not continue the broken one
                with path.open("a", encoding="utf-8") as stream:
                    stream.write("\n")
        except OSError as error:
            raise _unusable(path, error) from error
        # not splitlines: a name may hold other signs that end a line
        for line in text.split("\n"):
            self._take(line)

    def add(self, record: Record) -> None:
        """Keep a record, and write it unless it is there already.

        Raises:
            OutputFileError: the file cannot be written.
        """
        key = _key(record)
        if key in self.records:
            return
        self.records[key] = record
        try:
            with self._path.open("a", encoding="utf-8", newline="\n") as stream:
                stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        except OSError as error:
            raise _unusable(self._path, error) from error

    def _take(self, line: str) -> None:
        try:
            record = json.loads(line)
            self.records[_key(record)] = record
        except (ValueError, KeyError, TypeError):
            return


def _key(record: Record) -> Key:
    return str(record["key"]), str(record["identity"])


def _unusable(path: Path, error: OSError) -> OutputFileError:
    return OutputFileError(
        f"{path} cannot be used ({error.strerror or error}).", "Choose another folder with --out."
    )
