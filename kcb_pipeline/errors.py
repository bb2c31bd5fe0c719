"""The ways a night can stop. Each carries one message a person can act on, and no child's value.

`exit_code` is what `kcb` ends with (docs/operations.md lists them).
"""

from __future__ import annotations


class KcbError(Exception):
    """Anything the pipeline says to its user in one line."""

    exit_code = 1


class ContractError(KcbError):
    """An extract breaks the contract as a whole: the source, and so the night, stops before anything is published."""

    exit_code = 3

    def __init__(
        self, *, file: str, expected: str, found: str, column: str | None = None, source: str | None = None
    ) -> None:
        self.file = file
        self.column = column
        self.source = source
        self.expected = expected
        self.found = found
        where = f"{file}, column {column}" if column else file
        super().__init__(f"{where}: expected {expected}; found {found}")


class GateError(KcbError):
    """A gate did not pass: the published files are untouched."""

    exit_code = 4


class StaleDraftError(KcbError):
    """The version a draft was built on is no longer the one it must follow: the date has to be run again from its base."""

    exit_code = 5


class VerificationError(KcbError):
    """The published file is not what its chain of digests says."""

    exit_code = 6


class DueError(KcbError):
    """A date that is expected does not stand, or one is stale: something has to be run."""

    exit_code = 7


class SchemaError(KcbError):
    """The published file, or a backup, is of another schema than this program's."""

    exit_code = 8


class UsageError(KcbError):
    """A question that cannot be answered as asked: no such date, child or version; a setting that is not one."""

    exit_code = 2


class KeyRefusedError(KcbError):
    """A key or password that does not open what it was given for."""

    exit_code = 9


class InternalError(KcbError):
    """The program failed where it should not have: its kind and its place are all that is said of it (`kcb_pipeline.faults`)."""

    exit_code = 70


class MachineError(KcbError):
    """The machine failed, not the program: a full disk, no memory, a folder that cannot be written, a damaged file."""

    exit_code = 71
