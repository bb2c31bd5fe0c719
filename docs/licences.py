"""Writes docs/licences.md: what is installed to run a night, and under which licence, from the lock file and the packages' own metadata.

Run it in the environment of `requirements/runtime.lock` after `make lock`: `python docs/licences.py`.
"""

import re
from importlib import metadata
from pathlib import Path

DOCS = Path(__file__).resolve().parent
LOCK = DOCS.parent / "requirements" / "runtime.lock"

ELSEWHERE = {
    "colorama": "BSD-3-Clause",
    "pyreadline3": "BSD-3-Clause",
    "pywin32": "PSF-2.0",
    "olefile": "BSD-2-Clause",
    "resvg-py": "MIT",
    "pyrage": "MIT",
}
"""Packages of another platform (Windows), and those whose metadata name no licence; looked up in their sources."""

NAMES = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
}
"""Names of licences in older metadata, as SPDX writes them."""

ACCEPTED = {
    "MIT", "MIT-0", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "PSF-2.0", "Python-2.0", "ISC", "Zlib", "Unlicense", "CC0-1.0",
    "MPL-2.0",  # its files may be used and passed on unchanged beside ours
    "LGPL-3.0-or-later",  # so may its packages, each of its own and replaceable
}  # fmt: skip


def locked() -> dict[str, str]:
    """Name → version of everything in the lock file."""
    return dict(
        re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+)", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    )


def licence(name: str) -> str:
    """The licence of an installed package as SPDX writes it; `unknown` where nobody says."""
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    said = metadata.metadata(name)
    expression = said.get("License-Expression")
    if expression:
        return str(expression)
    classified = [
        line.rpartition(" :: ")[2]
        for line in said.get_all("Classifier") or []
        if line.startswith("License ::") and line != "License :: OSI Approved"
    ]
    found = classified or (said.get("License") or "unknown").strip().splitlines()[:1]
    return " OR ".join(NAMES.get(one, one) for one in found)


def is_accepted(expression: str) -> bool:
    """Whether everything an expression asks for is a licence we accept (one of those joined by OR is enough)."""
    return any(
        all(part.strip(" ()") in ACCEPTED for part in choice.split(" AND ")) for choice in expression.split(" OR ")
    )


def listed(page: str) -> dict[str, tuple[str, str]]:
    """Name → version and licence, as the page lists them."""
    return {
        name: (version, said)
        for name, version, said in re.findall(r"^\| `(\S+)` \| (\S+) \| (.+?) \|$", page, flags=re.MULTILINE)
    }


def page() -> str:
    """The page."""
    lines = [
        "# Licences",
        "",
        "What is installed to run a night (`requirements/runtime.lock`) and under which licence, as the packages themselves say. This project:",
        "Apache-2.0. Written by `python docs/licences.py`; `tests/unit/test_supply_chain.py` holds it to what is installed, and refuses a",
        "licence that would bind whoever uses or passes on this project.",
        "",
        "| package | version | licence |",
        "|---|---|---|",
    ]
    return (
        "\n".join([*lines, *(f"| `{name}` | {version} | {licence(name)} |" for name, version in locked().items())])
        + "\n"
    )


if __name__ == "__main__":
    (DOCS / "licences.md").write_text(page(), encoding="utf-8")
