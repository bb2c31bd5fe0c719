"""`kcb`, the command line. Each command reads its options, calls the library and shows what came of it.

What a command needs is imported when it is called: `kcb --help` waits for none of it. It ends with the exit code of what stopped it
(`kcb_pipeline.errors`; docs/operations.md says what to do).
"""

from __future__ import annotations

import atexit
import datetime as dt
import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import click

from kcb_pipeline import __version__
from kcb_pipeline.errors import InternalError, KcbError, MachineError, UsageError, VerificationError
from kcb_pipeline.faults import INTENDED, machine_condition, only_python_is_heard, trace, where
from kcb_pipeline.log import is_json, log
from kcb_pipeline.permissions import owner_only

if TYPE_CHECKING:
    from kcb_pipeline.backup import Backup
    from kcb_pipeline.home import Home
    from kcb_pipeline.ledgers.previous import Version

P = ParamSpec("P")
R = TypeVar("R")


class _Group(click.Group):
    """Errors end in one clear line and their exit code; `--debug` adds where they came from, never a value."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KcbError as error:
            _say(error, debug=bool(ctx.params.get("debug")))
            raise click.exceptions.Exit(error.exit_code) from None
        except INTENDED:
            raise
        except BaseException as error:
            condition = machine_condition(error)
            told = MachineError(condition) if condition else InternalError(f"{type(error).__name__} at {where(error)}")
            _say(told, debug=bool(ctx.params.get("debug")), original=error)
            raise click.exceptions.Exit(told.exit_code) from None


def _say(error: KcbError, *, debug: bool, original: BaseException | None = None) -> None:
    if is_json():
        log("error", str(error), exit_code=error.exit_code)
    else:
        click.echo(f"kcb: {error}", err=True)
    if debug:
        click.echo(trace(original or error), err=True)


@click.group(
    cls=_Group, context_settings={"help_option_names": ["-h", "--help"]}, epilog="Exit codes: docs/operations.md"
)
@click.version_option(__version__, prog_name="kcb")
@click.option("--debug", is_flag=True, help="Show where an error came from (files and lines, no values).")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:  # noqa: FBT001
    """控辍保学: compare the student registry with the population register, night by night.

    \b
    kcb sample data --children 20000 --date 2026-11-20   made-up extracts to try it with
    kcb run --date 2026-11-20                            one night, from extracts to ledgers
    kcb ledgers                                          the versions published so far
    """
    owner_only()
    ctx.with_resource(only_python_is_heard())


def _with_home(command: Callable[P, R]) -> Callable[P, R]:
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=lambda: Path(os.environ.get("KCB_HOME", "data")),
        help="The folder the pipeline owns.  [default: $KCB_HOME, else ./data]",
    )(command)


def _today() -> dt.date:
    from kcb_pipeline.ledgers.due import CLOCK

    return dt.datetime.now(tz=CLOCK).date()


class _Date(click.ParamType):  # type: ignore[type-arg]
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no date like 2026-11-20", param, ctx)


DATE = _Date()
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@main.command(epilog="Example:  kcb run --date 2026-11-20 --home /srv/kcb")
@_with_home
@click.option(
    "--date", "comparison_date", type=DATE, default=_today, help="The comparison date.  [default: today in Shanghai]"
)
@click.option("--strict", is_flag=True, help="Refuse files in the date's folder that are no extracts.")
@click.option(
    "--from",
    "start",
    metavar="STAGE",
    default=None,
    help="Begin with this stage (base_version, links, ...): keep what came before it.",
)
@click.option("--resume", is_flag=True, help="Ask failed gates again and go on where the date stopped.")
def run(home: Path, comparison_date: dt.date, strict: bool, start: str | None, resume: bool) -> None:  # noqa: FBT001
    """Run one night: from the extracts of a date to the next version of the ledgers.

    Nothing is published unless every gate has passed. A night that changes nothing publishes nothing and says so. Any date can be run again.
    """
    from kcb_pipeline.errors import GateError
    from kcb_pipeline.extracts.delivery import find_delivery
    from kcb_pipeline.home import Home
    from kcb_pipeline.night import Night
    from kcb_pipeline.terminal import console, show_failed_gates, show_night, shown_progress

    if start and resume:
        raise UsageError("--from says where to begin, --resume finds it: one of them")
    place = Home(home)
    night = Night(place, comparison_date)
    if strict:
        find_delivery(place.extracts / str(comparison_date), comparison_date, strict=True)
    before = len(_versions(place))
    started = time.perf_counter()
    with shown_progress():
        from kcb_pipeline.orchestration.run import RESUME, run_night

        outcome = run_night(place, comparison_date, start=RESUME if resume else start)
    if (outcome.failed_gates or isinstance(outcome.error, GateError)) and show_failed_gates(night):
        raise click.exceptions.Exit(4)
    if outcome.error is not None:
        raise outcome.error
    show_night(place, night, seconds=time.perf_counter() - started)
    if len(_versions(place)) == before:
        console.print("\nNothing has changed since this date was last run: no new version was published.")


class _Range(click.ParamType):  # type: ignore[type-arg]
    name = "FROM..TO"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[dt.date, dt.date]:
        first, _, last = str(value).partition("..")
        found = DATE.convert(first, param, ctx), DATE.convert(last or first, param, ctx)
        if found[1] < found[0]:
            self.fail(f"{value!r} ends before it begins", param, ctx)
        return found


@main.command(epilog="Example:  kcb backfill 2026-11-18..2026-11-20 --jobs 2")
@_with_home
@click.argument("dates", type=_Range(), required=False)
@click.option("--stale", is_flag=True, help="Those dates that a restated one has made stale, from base_version on.")
@click.option("--jobs", type=click.IntRange(1, 16), default=2, show_default=True, help="Dates side by side.")
@click.option("--from", "start", metavar="STAGE", default=None, help="Begin each date with this stage.")
def backfill(home: Path, dates: tuple[dt.date, dt.date] | None, stale: bool, jobs: int, start: str | None) -> None:  # noqa: FBT001
    """Run the dates of a range that have extracts, the earliest first, some side by side.

    A date that builds on one still running waits for it where it needs it. After a date that fails no further one is begun.
    """
    from rich.text import Text

    from kcb_pipeline.extracts.arrival import dates_in
    from kcb_pipeline.home import Home
    from kcb_pipeline.ledgers.previous import stale_dates
    from kcb_pipeline.orchestration.backfill import run_dates
    from kcb_pipeline.terminal import errors

    place = Home(home)
    if (dates is None) == (not stale):
        raise UsageError("name a range of dates (FROM..TO) or --stale")
    if dates is None:
        chosen, start = stale_dates(_versions(place)), start or "base_version"
    else:
        chosen = [date for date in dates_in(place.extracts) if dates[0] <= date <= dates[1]]
        if not chosen:
            raise UsageError(f"no extracts from {dates[0]} to {dates[1]}")
    if not chosen:
        click.echo("no date is stale")
    ran = run_dates(home, chosen, jobs=jobs, start=start, say=click.echo)
    failed = [one for one in ran if one.code]
    for one in failed:
        errors.print(Text.assemble((f"\n{one.date}", "bold red"), f" (exit code {one.code})\n{one.said}"))
    left = [str(date) for date in chosen if date not in {one.date for one in ran}]
    if left:
        errors.print(f"not begun: {' '.join(left)}")
    if failed:
        raise click.exceptions.Exit(failed[0].code)


@main.command(epilog="Example:  kcb due --fail")
@_with_home
@click.option("--fail", is_flag=True, help="End in exit code 7 where something is late or stale, for a monitor to see.")
def due(home: Path, fail: bool) -> None:  # noqa: FBT001
    """What has to be run: dates expected by now that do not stand, and dates that an earlier one, restated, has made stale."""
    from kcb_pipeline.errors import DueError
    from kcb_pipeline.home import Home
    from kcb_pipeline.ledgers.due import due as what_is_due
    from kcb_pipeline.terminal import console

    found = what_is_due(Home(home), dt.datetime.now(tz=dt.UTC))
    for day, why in found.late.items():
        console.print(f"late: {day}, {why} (kcb run --date {day})")
    _say_stale(found.stale)
    if not (found.late or found.stale):
        console.print("nothing: every date that is expected by now stands, and none is stale")
    elif fail:
        raise DueError(f"{len(found.late)} date(s) late, {len(found.stale)} stale")


def _say_stale(dates: Iterable[dt.date]) -> None:
    from kcb_pipeline.terminal import console

    for day in dates:
        console.print(f"stale: {day} was built on a version that has been restated (kcb backfill --stale)")


@main.command(epilog="Example:  kcb sample data --children 20000 --seed 1 --date 2026-11-20 --nights 3")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--children", type=click.IntRange(1, 2_000_000), default=20_000, show_default=True, help="Children of school age."
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--date",
    "comparison_date",
    type=DATE,
    default=_today,
    help="The first comparison date.  [default: today in Shanghai]",
)
@click.option("--nights", type=click.IntRange(1, 400), default=1, show_default=True, help="Comparison dates.")
@click.option(
    "--every",
    type=click.IntRange(1, 366),
    default=1,
    show_default=True,
    help="Days from one comparison date to the next.",
)
@click.option("--if-missing", is_flag=True, help="Write nothing where the date already has extracts.")
def sample(
    out: Path,
    children: int,
    seed: int,
    comparison_date: dt.date,
    nights: int,
    every: int,
    if_missing: bool,  # noqa: FBT001
) -> None:
    """Write a made-up county's extracts into OUT/extracts/DATE, and the truth about them into OUT/truth/DATE.

    Nobody in it exists. The same arguments give the same bytes.
    """
    folder = out / "extracts" / str(comparison_date)
    if folder.exists():
        if if_missing:
            return
        raise UsageError(f"{folder} is there already: extracts are never overwritten")
    from kcb_pipeline.sample import write_sample

    write_sample(out, children=children, seed=seed, date=comparison_date, nights=nights, every=every)
    click.echo(f"wrote {nights} night(s) of a made-up county of {children:,} children to {out / 'extracts'}")


@main.command(epilog="Example:  kcb ledgers --home /srv/kcb")
@_with_home
def ledgers(home: Path) -> None:
    """List the published versions, and the dates that have to be run again because an earlier one was restated."""
    from kcb_pipeline.engines.embedded import connect, rows
    from kcb_pipeline.home import Home
    from kcb_pipeline.ledgers.previous import stale_dates
    from kcb_pipeline.terminal import console, rows_table

    place = _published(Home(home))
    with connect(place.ledgers, place.limits(), read_only=True) as connection:
        entries = rows(
            connection,
            "SELECT version, comparison_date, published_at, base_version, eligible, enrolled, suspected, dropouts, review, substr(content_digest, 1, 12) "
            "FROM ledger_versions ORDER BY version",
        )
    headings = (
        "version", "date", "published (UTC)", "built on", "of school age", "enrolled", "suspected", "dropouts", "review", "content",
    )  # fmt: skip
    console.print(rows_table(headings, entries))
    _say_stale(stale_dates(_versions(place)))


@main.command(epilog="Example:  kcb diff 1 2")
@_with_home
@click.argument("from_version", type=int)
@click.argument("to_version", type=int)
@click.option("--children", "show_children", is_flag=True, help="List every child (by number), not only the counts.")
def diff(home: Path, from_version: int, to_version: int, show_children: bool) -> None:  # noqa: FBT001
    """What entered, left and changed between two versions, ledger by ledger, and why."""
    from kcb_pipeline.engines.embedded import connect, rows
    from kcb_pipeline.home import Home
    from kcb_pipeline.terminal import console, rows_table

    place = _published(Home(home))
    for version in (from_version, to_version):
        _known_version(place, version)
    with connect(place.ledgers, place.limits(), read_only=True) as connection:
        counts = rows(
            connection,
            "SELECT ledger, change, status_before, reason_before, status_after, reason_after, count(*) FROM ledger_changes(?, ?) "
            "GROUP BY ALL ORDER BY ledger, change, count(*) DESC, 3, 4, 5, 6",
            [from_version, to_version],
        )
        listed = rows(
            connection,
            "SELECT ledger, child_id, change, status_before, status_after, reason_after, array_to_string(changed_columns, ', ') "
            "FROM ledger_changes(?, ?) ORDER BY ledger, child_id",
            [from_version, to_version],
        ) if show_children else []  # fmt: skip
    if not counts:
        console.print("the two versions say the same")
        return
    console.print(
        rows_table(("ledger", "change", "status before", "reason", "status after", "reason", "children"), counts)
    )
    if listed:
        console.print(rows_table(("ledger", "child", "change", "before", "after", "reason", "columns"), listed))


@main.command(epilog="Example:  kcb explain C0123456789ABCDE")
@_with_home
@click.argument("child_id")
@click.option("--identity", is_flag=True, help="Show name and numbers too: on a screen nobody else sees.")
def explain(home: Path, child_id: str, identity: bool) -> None:  # noqa: FBT001
    """Why a child has its status: the evidence, the case, and the candidates considered with why each was turned down."""
    from kcb_pipeline.explanation import explain_child
    from kcb_pipeline.home import Home
    from kcb_pipeline.terminal import console

    for part in explain_child(_published(Home(home)), child_id, identity=identity):
        console.print(part)


@main.command(epilog="Example:  kcb export worklists --version 3 --out /media/usb")
@_with_home
@click.argument("kind", type=click.Choice(["worklists", "corrections", "bulletin", "mending"]))
@click.option("--version", "version", type=int, default=None, help="The version.  [default: the latest]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Where to write.  [default: published/versions/NNNNNN, where the night has written them too]",
)
@click.option("--encrypt-for", type=_FILE, default=None, help="Encrypt for the public keys in this file (age).")
@click.option(
    "--password-file", type=_FILE, default=None, help="Encrypt workbooks so that Excel asks for this password."
)
def export(
    home: Path,
    kind: Any,
    version: int | None,
    out: Path | None,
    encrypt_for: Path | None,
    password_file: Path | None,
) -> None:
    """Write what offices receive: worklists by township and school, corrections for public security, the monthly bulletin, and what
    has to be mended in returned worklists. The same version gives the same bytes, unless they are encrypted. A bulletin from which small counts
    can be computed is refused.
    """
    from kcb_pipeline.encryption import AGE, Password, Recipients
    from kcb_pipeline.engines.embedded import connect
    from kcb_pipeline.home import Home
    from kcb_pipeline.ledgers.manifest import signing_key, write_manifest
    from kcb_pipeline.reporting.bulletin_risk import refuse_to_give_away
    from kcb_pipeline.reporting.paper import encrypted, write_papers
    from kcb_pipeline.reporting.papers import papers

    if encrypt_for and password_file:
        raise UsageError("--encrypt-for or --password-file: one of them")
    if (encrypt_for or password_file) and out is None:
        raise UsageError("encrypted files go elsewhere: say where with --out")
    place = _published(Home(home))
    number = _known_version(place, version)
    folder = out or place.version_folder(number)
    signing = signing_key(folder) if out is None else None
    with connect(place.ledgers, place.limits(), read_only=True) as connection:
        limits = place.config().disclosure
        if kind == "bulletin":
            refuse_to_give_away(connection, number, limits)
        made = papers(connection, number, smallest_cell=limits.smallest_cell, kinds=[kind])
        if encrypt_for:
            made = encrypted(made, Recipients.read(encrypt_for), AGE)
        elif password_file:
            made = encrypted(made, Password.read(password_file))
        written = write_papers(made, folder)
        if out is None:
            write_manifest(connection, number, folder, signing)
    click.echo(f"version {number}: {len(written)} workbook(s) in {written[0].parent if written else folder}")


@main.command(epilog="Example:  kcb report --version 3")
@_with_home
@click.option("--version", "version", type=int, default=None, help="The version.  [default: the latest]")
def report(home: Path, version: int | None) -> None:
    """Make report.html and the data docs of a version again, and say where they are. The same version gives the same bytes."""
    from kcb_pipeline.engines.embedded import connect
    from kcb_pipeline.home import Home
    from kcb_pipeline.ledgers.manifest import signing_key, write_manifest
    from kcb_pipeline.reporting.paper import write_papers
    from kcb_pipeline.reporting.papers import SHOWN, papers

    place = _published(Home(home))
    number = _known_version(place, version)
    folder = place.version_folder(number)
    signing = signing_key(folder)
    with connect(place.ledgers, place.limits(), read_only=True) as connection:
        smallest = place.config().disclosure.smallest_cell
        write_papers(papers(connection, number, smallest_cell=smallest, kinds=SHOWN), folder)
        write_manifest(connection, number, folder, signing)
    for path in place.shown(number).values():
        click.echo(str(place.folder / path))


@main.command(epilog="Example:  kcb key /etc/kcb/office.key")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--signing", is_flag=True, help="A key by which this machine signs what it publishes (KCB_SIGNING_KEY_FILE)."
)
def key(file: Path, signing: bool) -> None:  # noqa: FBT001
    """Make a private key for whoever is to receive encrypted files, and show its public half, which goes to the sender; with --signing, a
    key to sign with, whose public half goes to whoever verifies."""
    from kcb_pipeline.encryption import Key
    from kcb_pipeline.signatures import SigningKey

    click.echo((SigningKey if signing else Key).make(file).rstrip())


@main.command(epilog="Example:  KCB_SIGNING_KEY_FILE=/etc/kcb/office.sign kcb sign")
@_with_home
def sign(home: Path) -> None:
    """Sign the versions that were published before this machine had a key, after verifying that they are what was published."""
    from kcb_pipeline.engines.embedded import connect
    from kcb_pipeline.home import Home
    from kcb_pipeline.ledgers.manifest import sign_manifests
    from kcb_pipeline.signatures import FILE_VARIABLE, SigningKey

    signing = SigningKey.of_environment()
    if signing is None:
        raise UsageError(f"a private key is needed: {FILE_VARIABLE} (kcb key --signing makes one)")
    place = _published(Home(home))
    with connect(place.ledgers, place.limits(), read_only=True) as connection:
        count = sign_manifests(connection, place, signing)
    click.echo(f"{count} version(s) signed; analytics.duckdb is signed by the night that makes it")


@main.command(epilog="Example:  kcb encrypt data/published/ledgers.duckdb --for office.pub --out /media/usb")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--for", "recipients", type=_FILE, required=True, help="A file of public keys (age1…), one a line.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write into."
)
def encrypt(files: tuple[Path, ...], recipients: Path, out: Path) -> None:
    """Encrypt copies of files (the ledgers, a backup) for recipients: whoever of them has the private key can open them."""
    from kcb_pipeline.encryption import AGE, Recipients

    those = Recipients.read(recipients)
    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        those.encrypt_file(file, out / f"{file.name}{AGE}")
        click.echo(str(out / f"{file.name}{AGE}"))


@main.command(epilog="Example:  KCB_KEY_FILE=/etc/kcb/office.key kcb decrypt ledgers.duckdb.age --out restored")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option(
    "--key-file", type=_FILE, envvar="KCB_KEY_FILE", default=None, help="A private key.  [default: $KCB_KEY_FILE]"
)
@click.option(
    "--password-file",
    type=_FILE,
    envvar="KCB_PASSWORD_FILE",
    default=None,
    help="For workbooks with a password.  [default: $KCB_PASSWORD_FILE]",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write into."
)
def decrypt(files: tuple[Path, ...], key_file: Path | None, password_file: Path | None, out: Path) -> None:
    """Open encrypted files. A key that does not open one is refused (exit code 9), and nothing is written for it."""
    from kcb_pipeline.encryption import AGE, Key, Password

    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        secret: Key | Password
        if file.name.endswith(AGE):
            if key_file is None:
                raise UsageError("a private key is needed: --key-file or KCB_KEY_FILE")
            secret = Key.read(key_file)
        else:
            if password_file is None:
                raise UsageError("a password is needed: --password-file or KCB_PASSWORD_FILE")
            secret = Password.read(password_file)
        plain = out / file.name.removesuffix(AGE)
        secret.decrypt_file(file, plain)
        click.echo(str(plain))


@main.command(epilog="Example:  kcb gates --date 2026-11-20")
@_with_home
@click.option(
    "--date", "comparison_date", type=DATE, default=_today, help="The comparison date.  [default: today in Shanghai]"
)
def gates(home: Path, comparison_date: dt.date) -> None:
    """Show what every gate observed on a date."""
    from kcb_pipeline.gates import recorded
    from kcb_pipeline.home import Home
    from kcb_pipeline.terminal import console, gates_table

    workspace = Home(home).workspace(comparison_date)
    if not workspace.database.exists():
        raise UsageError(f"{comparison_date} has not been run, or its working files have been erased")
    with workspace.connect() as connection:
        console.print(gates_table(recorded(connection)))


@main.command(epilog="Example:  kcb verify --signed-by /etc/kcb/office.pub")
@_with_home
@click.option(
    "--signed-by",
    type=_FILE,
    multiple=True,
    help="A public key: whatever is not signed by it is a fault (more than one may be given).",
)
def verify(home: Path, signed_by: tuple[Path, ...]) -> None:
    """Recompute the chain of digests over all versions, look through their folders and analytics.duckdb, and replay every case from its events.

    Says whether the published files and every file in versions/ is what was published, and whether the history of each case leads to where
    the case stands. With --signed-by, also whether all of it was signed by that key: what whoever can write files cannot do again.
    """
    from kcb_pipeline.analytics.seal import verify_analytics
    from kcb_pipeline.engines.embedded import connect
    from kcb_pipeline.home import Home
    from kcb_pipeline.ledgers.digest import verify as verify_chain
    from kcb_pipeline.ledgers.manifest import verify_folders, verify_signatures
    from kcb_pipeline.ledgers.replay import verify_replay
    from kcb_pipeline.signatures import Signers

    signers = Signers.read(signed_by) if signed_by else None
    place = _published(Home(home))
    with connect(place.ledgers, place.limits(), read_only=True) as connection:
        count, faults = verify_chain(connection)
        faults += verify_folders(connection, place)
        faults += verify_analytics(connection, place, signers)
        faults += verify_signatures(connection, place, signers) if signers else []
        cases, lost = verify_replay(connection)
    for fault in faults:
        click.echo(f"version {fault.version}: {fault.what}" if fault.version else fault.what, err=True)
    for case in lost:
        click.echo(f"case {case.case_id}: {case.what}", err=True)
    if faults or lost:
        raise VerificationError(
            f"{len(faults) + len(lost)} fault(s) in {count} version(s): the published file is not what was published"
        )
    click.echo(
        f"{count} version(s) verified: every row is what was published, the chain is whole, and so is every folder"
        + (", each signed by a key that was given" if signers else "")
    )
    click.echo(f"{cases} case(s) replayed: the events of each lead to exactly where it stands")


@main.command(epilog="Example:  kcb retention --erase")
@_with_home
@click.option("--erase", "erasing", is_flag=True, help="Erase it, and record what was erased.")
def retention(home: Path, erasing: bool) -> None:  # noqa: FBT001
    """Show what has been kept long enough by `[retention]` in kcb.toml; with --erase, erase it.

    The ledgers, reviews, the latest published date, and dates that have to be run again are never erased.
    """
    from kcb_pipeline.home import Home
    from kcb_pipeline.retention import erase, expired
    from kcb_pipeline.terminal import console, rows_table

    place = Home(home)
    retire = erase if erasing else expired
    gone = retire(place, _today(), now=dt.datetime.now(tz=dt.UTC))
    entries = [(one.kind, one.date, one.files, f"{one.bytes:,}", one.rule) for one in gone]
    console.print(rows_table(("what", "date", "files", "bytes", "by"), entries) if gone else "nothing has expired")
    if gone:
        console.print(
            f"erased; the record is {place.erasures}" if erasing else "nothing was erased (kcb retention --erase)"
        )


@main.command(epilog="Example:  kcb check incoming/2026-11-20")
@click.argument("extracts", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--date",
    "comparison_date",
    type=DATE,
    default=None,
    help="The comparison date.  [default: the folder's name, else today]",
)
def check(extracts: Path, comparison_date: dt.date | None) -> None:
    """Would these extracts land? Reads them all and says what would stay, without running a night and leaving nothing."""
    from kcb_pipeline.engines.embedded import Limits, rows
    from kcb_pipeline.engines.workspace import Workspace
    from kcb_pipeline.extracts.delivery import find_delivery
    from kcb_pipeline.extracts.landing import land
    from kcb_pipeline.terminal import console, rows_table, visible

    if comparison_date is None:
        try:
            comparison_date = dt.date.fromisoformat(extracts.resolve().name)
        except ValueError:
            comparison_date = _today()
    delivery = find_delivery(extracts, comparison_date)
    with tempfile.TemporaryDirectory(prefix="kcb-check-") as folder:
        workspace = Workspace(Path(folder), comparison_date, Limits())
        landed = [land(workspace, delivery, files[0].source) for files in delivery.files.values()]
        with workspace.connect() as connection:
            issues = rows(
                connection,
                'SELECT source, file, "column", rule, count(*) FROM (SELECT * FROM landed.cell_issues UNION ALL SELECT * FROM landed.quarantined_rows) '
                'GROUP BY ALL ORDER BY source, file, "column" NULLS FIRST, rule',
            )
    entries = [
        (s.source, s.read, s.landed, s.quarantined, s.duplicate_rows, "; ".join(s.forms), ", ".join(s.unknown_columns))
        for s in landed
    ]
    console.print(
        rows_table(("source", "read", "landed", "quarantined", "duplicate", "read as", "unknown columns"), entries)
    )
    if issues:
        console.print(rows_table(("source", "file", "column", "rule", "rows"), issues))
    for name in delivery.missing:
        console.print(f"not sent: {name}")
    for name in delivery.strays:
        console.print(f"left alone: {visible(name)}")


@main.group(epilog="Example:  kcb review export --reviewer 张三")
def review() -> None:
    """Put pairs of records before people, bring their answers back, and measure the linkage by them (人工核对)."""


@review.command("export", epilog="Example:  kcb review export --date 2026-11-20 --reviewer 张三 --pairs 30")
@_with_home
@click.option(
    "--date",
    "comparison_date",
    type=DATE,
    default=None,
    help="The comparison date.  [default: the latest published]",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=None, help="The workbook to write.")
@click.option(
    "--pairs", type=click.IntRange(0, 10_000), default=20, show_default=True, help="Pairs of each band of match weight."
)
@click.option("--reviewer", default=None, help="Whose workbook it is; they get no pair they have answered.")
def review_export(
    home: Path, comparison_date: dt.date | None, out: Path | None, pairs: int, reviewer: str | None
) -> None:
    """Write a blind workbook: every pair in doubt, and a sample of the others by band of match weight.

    Each reviewer gets the same pairs in another order. Pairs on which reviewers differ come first.
    """
    from kcb_pipeline.home import Home
    from kcb_pipeline.review.export import export_pairs

    place = _published(Home(home))
    on = comparison_date or _latest_date(place)
    exported = export_pairs(place, on, per_band=pairs, reviewer=reviewer, out=out)
    click.echo(f"{exported.pairs} pairs to look at, {exported.disputed} of them for a further opinion: {exported.path}")
    if exported.settled:
        click.echo(f"{exported.settled} pairs of the round {exported.round_name} are settled already")


@review.command(
    "import", epilog="Example:  kcb review import 人工核对-2026-11-20-张三.xlsx 人工核对-2026-11-20-李四.xlsx"
)
@_with_home
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--date",
    "answered_on",
    type=DATE,
    default=None,
    help="The date of the answers; they bind later nights.  [default: today]",
)
def review_import(home: Path, files: tuple[Path, ...], answered_on: dt.date | None) -> None:
    """Bring filled workbooks in. What is right is kept; what has to be mended is listed by its cell, and ends in exit code 3."""
    from kcb_pipeline.home import Home
    from kcb_pipeline.review.export import import_answers, states
    from kcb_pipeline.terminal import console, rows_table

    place = Home(home)
    imported = import_answers(place, files, on=answered_on, today=_today())
    console.print(
        rows_table(
            ("workbook", "reviewer", "answers", "new", "not answered", "to mend"),
            [(one.path.name, one.reviewer, one.answered, one.new, one.empty, len(one.faults)) for one in imported],
        )
    )
    console.print(rows_table(("pairs", "count"), list(states(place).items())))
    faults = [(one.path.name, fault.cell, fault.why) for one in imported for fault in one.faults]
    if faults:
        console.print(rows_table(("workbook", "cell", "why"), faults))
        raise click.exceptions.Exit(3)


@review.command("report", epilog="Example:  kcb review report")
@_with_home
@click.option("--round", "round_name", default=None, help="The round to report on.  [default: the latest]")
def review_report(home: Path, round_name: str | None) -> None:
    """Precision and recall of the linkage as measured by reviewers, with 95 % intervals, and how far reviewers agree."""
    from kcb_pipeline.home import Home
    from kcb_pipeline.review.report import report
    from kcb_pipeline.terminal import console

    for part in report(Home(home), round_name):
        console.print(part)


@main.command(epilog="Example:  kcb charts --date 2026-11-20 --out charts")
@_with_home
@click.option(
    "--date", "comparison_date", type=DATE, default=None, help="The comparison date.  [default: the latest published]"
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write into."
)
@click.option("--child", "child_id", default=None, help="Show how the best pair of this child comes to its weight.")
def charts(home: Path, comparison_date: dt.date | None, out: Path, child_id: str | None) -> None:
    """Draw a night's linkage: match weights, m and u, one pair's waterfall, blocking, records that nothing could link."""
    from kcb_pipeline.home import Home
    from kcb_pipeline.reporting.linkage_charts import linkage_charts, write_charts

    place = _published(Home(home))
    on = comparison_date or _latest_date(place)
    written, png = write_charts(linkage_charts(place, on, child_id=child_id), out)
    for path in written:
        click.echo(str(path))
    if not png:
        click.echo("SVG only: drawing PNG takes resvg-py and a Chinese font on this machine")


@main.command(epilog="Example:  kcb backup /var/backups/kcb")
@_with_home
@click.argument("destination", type=click.Path(path_type=Path))
@click.option("--extracts", is_flag=True, help="With what the agencies sent.")
@click.option("--dagster", is_flag=True, help="With Dagster's runs and events, where they are in the home.")
def backup(home: Path, destination: Path, extracts: bool, dagster: bool) -> None:  # noqa: FBT001
    """Write the home into one file: published files, reviews, rules, with a digest of each; consistent also while nights run.

    DESTINATION is a new file, or a folder that gets one named after the time. It holds identities.
    """
    from kcb_pipeline.backup import back_up
    from kcb_pipeline.home import Home

    now = dt.datetime.now(tz=dt.UTC)
    made = back_up(Home(home), destination, now=now, extracts=extracts, dagster=dagster)
    click.echo(f"{made.path}: {made.files} files, {made.size:,} bytes, {_up_to(made)}")


@main.command(epilog="Example:  kcb restore /var/backups/kcb/kcb-20261122T223000Z.tar --home /srv/kcb")
@_with_home
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Verify it in a temporary folder, and restore nothing.")
def restore(home: Path, file: Path, only_check: bool) -> None:  # noqa: FBT001
    """Make a home from a backup, verified: every file by its digest, the ledgers by their chain, the cases by their events.

    Nothing is ever written over: the home has to be empty or not there.
    """
    from kcb_pipeline.backup import check as check_backup
    from kcb_pipeline.backup import restore as restore_backup
    from kcb_pipeline.home import Home

    if only_check:
        with tempfile.TemporaryDirectory(prefix="kcb-check-") as folder:
            found = check_backup(file, Path(folder))
        click.echo(f"{file}: {found.files} files verified, {_up_to(found)}")
        return
    found = restore_backup(file, Home(home))
    click.echo(f"{home}: {found.files} files restored and verified, {_up_to(found)}")


def _up_to(made: Backup) -> str:
    return f"up to version {made.version}" if made.version else "nothing published"


# -- what has been published -----------------------------------------------------------------------------------------------


def _published(place: Home) -> Home:
    """The home, in which something has been published by this schema."""
    if not place.ledgers.exists():
        raise UsageError(f"nothing has been published in {place.folder}: run a night first (kcb run)")
    _versions(place)  # refuses what another schema published
    return place


def _versions(place: Home) -> list[Version]:
    from kcb_pipeline.ledgers.previous import versions

    return versions(place.ledgers, place.limits())


def _known_version(place: Home, asked: int | None) -> int:
    """The version asked for, else the latest."""
    known = [entry.version for entry in _versions(place)]
    number = known[-1] if asked is None else asked
    if number not in known:
        raise UsageError(f"no version {number}; there are {min(known)} to {max(known)}")
    return number


def _latest_date(place: Home) -> dt.date:
    return max(entry.comparison_date for entry in _versions(place))


# -- the process ---------------------------------------------------------------------------------------------------------


def program() -> None:
    """`kcb` as a process of its own; `main` is the command for whoever calls it from Python.

    A night makes a million objects that stay, most of them of the modules it imports: so garbage is looked for less often. And a process that
    ends in good order lets the system take its memory back whole, where the interpreter would free one object after the other for a second.
    """
    gc.set_threshold(50_000, 20, 100)
    ended: list[int] = []
    # What a command registers is called before this, which is registered first.
    atexit.register(lambda: _leave(ended[0]) if ended else None)
    try:
        main()
    except SystemExit as end:
        ended += [end.code] if isinstance(end.code, int) else []
        raise


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    program()
