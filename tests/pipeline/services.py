"""A real PostgreSQL server, and the services as the systemd units start them, in temporary folders."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy" / "systemd"
PASSWORD = "a-p@ss/word: that has to be quoted"


def postgres_programs() -> Path | None:
    """The folder of a PostgreSQL server's programs, the newest; Debian keeps them out of the PATH."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return Path(found).resolve().parent if found else debian[-1].parent if debian else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """A server of our own. It refuses to be root, so under root it is nobody."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder, self.port = programs, folder, free_port()
        self.password_file = folder / "password"
        self.password_file.write_text(PASSWORD + "\n")
        self._who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
        if self._who:
            for path in (folder, self.password_file):
                shutil.chown(path, "nobody", "nogroup")
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", "kcb", "-A", "scram-sha-256", "--pwfile", self.password_file, "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True, capture_output=True, cwd=folder, **self._who,
        )  # fmt: skip
        self._server: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        """The address, without the password."""
        return f"postgresql://kcb@127.0.0.1:{self.port}/postgres"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KCB_DAGSTER_POSTGRES_URL": self.url,
            "KCB_DAGSTER_POSTGRES_PASSWORD_FILE": str(self.password_file),
        }

    def start(self) -> None:
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", *(part for name, value in options.items() for part in ("-c", f"{name}={value}"))],
                stdout=log, stderr=log, cwd=self.folder, **self._who,
            )  # fmt: skip
        wait_for(lambda: self.query("SELECT 1") == [(1,)], 30, "PostgreSQL")

    def stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # "fast": connections are cut
            self._server.wait(30)

    def query(self, sql: str) -> list[tuple]:
        import psycopg2

        connection = psycopg2.connect(self.url, password=PASSWORD)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()
        finally:
            connection.close()


@contextmanager
def postgres():
    """A running server, gone afterwards."""
    programs = postgres_programs()
    assert programs is not None
    # Not under pytest's folders: those are closed to nobody.
    folder = Path(tempfile.mkdtemp(prefix="kcb-pg-"))
    try:
        server = Postgres(programs, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


class Services:
    """The three services with the commands of their units, and what an operator asks of the web interface."""

    def __init__(self, home: Path, folder: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        etc, run = folder / "etc", folder / "run"
        for place in (etc, run):
            place.mkdir()
        shutil.copy(ROOT / "dagster.yaml", etc)
        shutil.copy(ROOT / "deploy" / "workspace.yaml", etc)
        self._places = {
            "/opt/kcb/bin": str(Path(sys.executable).parent), "/etc/kcb": str(etc), "/run/kcb": str(run),
            "/var/lib/kcb": str(home), "--port 3000": f"--port {self.port}",
        }  # fmt: skip
        env = (ROOT / "deploy" / "kcb.env").read_text()
        self.environment = {
            **os.environ,
            **dict(line.split("=", 1) for line in self._placed(env).splitlines() if line and not line.startswith("#")),
            **environment,
        }
        self.folder, self.processes = folder, {}

    def _placed(self, text: str) -> str:
        for named, real in self._places.items():
            text = text.replace(named, real)
        return text

    def start(self, name: str) -> None:
        """Start one as its unit says."""
        [command] = re.findall(r"^ExecStart=(.*)$", (UNITS / f"kcb-{name}.service").read_text(), flags=re.MULTILINE)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                shlex.split(self._placed(command)), env=self.environment, cwd=self.folder, umask=0o077,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def ask(self, query: str, **variables: object) -> dict:
        """A question to the web interface, as its pages ask it."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def launch(self, date: object, *assets: str) -> str:
        """Launch a night, or some of its assets, as the interface does; the run."""
        selector = {"repositoryLocationName": "kcb", "repositoryName": "__repository__", "jobName": "night"}
        selected = {"assetSelection": [{"path": [name]} for name in assets], "assetCheckSelection": []}
        answer = self.ask(
            "mutation($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename ... on LaunchRunSuccess { run { runId } } "
            "... on PythonError { message } } }",
            p={
                "selector": selector | (selected if assets else {}),
                "runConfigData": {},
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": str(date)}]},
            },
        )["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def status(self, run_id: str) -> str:
        return self.ask("query($r: ID!) { runOrError(runId: $r) { ... on Run { status } } }", r=run_id)["runOrError"][
            "status"
        ]

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))


@contextmanager
def services(home: Path, environment: dict[str, str]):
    """Code location, daemon and web interface of a home, ready; stopped afterwards."""
    with ExitStack() as stack:
        # A socket's path has to be short.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kcb-")))
        started = Services(home, folder, environment)
        stack.callback(started.stop)
        started.start("code")
        # Not at once: a web server that asks while the code location is just coming up has been seen never to listen (Dagster 1.13.27).
        wait_for((folder / "run" / "code.sock").exists, 90, "the code location", said=started.logs)
        for name in ("daemon", "webserver"):
            started.start(name)
        loaded = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"
        wait_for(lambda: "RepositoryLocation" in json.dumps(started.ask(loaded)), 90, "the services", said=started.logs)
        yield started


def wait_for(holds, seconds: float, what: str, said=str) -> None:
    """Ask until it holds, and give what it gave; the last error and what was said in the meantime where it never does."""
    until, last = time.monotonic() + seconds, None
    while time.monotonic() < until:
        try:
            if found := holds():
                return found
        except Exception as error:
            last = error
        time.sleep(0.3)
    raise AssertionError(f"{what} within {seconds:.0f} s: {last}\n{said()[-3000:]}")
