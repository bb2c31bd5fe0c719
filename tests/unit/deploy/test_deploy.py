"""The ways to install as a service fit the program and each other: units, containers, their environment."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy
import yaml

from kcb_pipeline.orchestration import resources, run, storage

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("systemd/*.service"))
COMMON = DEPLOY / "systemd" / "kcb-.service.d" / "common.conf"
SERVICES = ("code", "daemon", "webserver")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def commands(unit):
    return [shlex.split(line) for line in re.findall(r"^ExecStart=(.*)$", unit.read_text(), flags=re.MULTILINE)]


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="no systemd-analyze on this machine (Debian: apt-get install systemd)",
)
def test_systemd_understands_the_units(tmp_path):
    shutil.copytree(DEPLOY / "systemd", tmp_path / "units")
    units = tmp_path / "units"
    for unit in units.glob("*.service"):
        unit.write_text(unit.read_text().replace("/opt/kcb/bin", str(Path(sys.executable).parent)))
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:", "LC_ALL": "C"}
    files = [str(path) for path in sorted(units.iterdir()) if path.is_file()]

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], env=environment, capture_output=True, text=True, check=False
    )
    exposed = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(units / "kcb-code.service")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (verified.returncode, verified.stderr) == (0, "")
    assert exposed.returncode == 0, exposed.stdout[-500:]


def test_units_run_what_the_package_installs():
    assert {unit.stem for unit in UNITS} == {"kcb-backup", *(f"kcb-{name}" for name in SERVICES)}
    for unit in UNITS:
        for program, *_ in commands(unit):
            assert program.startswith("/opt/kcb/bin/")
            assert Path(sys.executable).with_name(Path(program).name).exists(), program


def test_every_service_is_closed_to_others_and_to_the_network():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(COMMON.read_text())
    common = dict(parser["Service"])

    assert {unit.name.split("-")[0] for unit in UNITS} == {"kcb"}, "the shared file holds for kcb-*.service"
    wanted = {
        "User": "kcb", "UMask": "0077", "ProtectSystem": "strict", "ProtectHome": "yes", "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "", "IPAddressDeny": "any", "IPAddressAllow": "localhost", "EnvironmentFile": "/etc/kcb/kcb.env",
        "StateDirectoryMode": "0700",
    }  # fmt: skip
    assert {name: common.get(name) for name in wanted} == wanted


def test_containers_run_what_the_units_run():
    for name in SERVICES:
        [unit] = commands(DEPLOY / "systemd" / f"kcb-{name}.service")
        container = COMPOSE["services"][name]["command"]
        at_home = {"/opt/kcb/bin/": "", "/run/kcb/code.sock": "", "127.0.0.1": "0.0.0.0"}
        for named, real in at_home.items():
            unit = [word.replace(named, real) for word in unit]
        if name == "code":
            assert container == [*unit[: unit.index("--socket")], "--host", "0.0.0.0", "--port", "4266"]
        else:
            assert container == unit


def test_containers_keep_children_inside():
    for name in SERVICES:
        service = COMPOSE["services"][name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "inside" in service["networks"]
        assert service["secrets"] == ["postgres_password"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert COMPOSE["services"]["webserver"]["ports"] == ["127.0.0.1:3000:3000"]
    assert [name for name in COMPOSE["services"] if COMPOSE["services"][name].get("ports")] == ["webserver"]
    image = (DEPLOY / "Dockerfile").read_text()
    assert image.rindex("\nUSER kcb") < image.index("\nENTRYPOINT")
    assert "umask 077" in image
    assert image.count("--require-hashes") == 1
    # What the image is made of is the list of what reaches the builder, and both are there.
    copied = {
        word
        for line in re.findall(r"^COPY (?!--)(.*)$", image, flags=re.MULTILINE)
        for word in line.split()[:-1]
    }  # fmt: skip
    let_in = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}  # fmt: skip
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


def test_variables_are_those_that_the_program_reads():
    known = {
        resources.HOME_VARIABLE, run.STATE_VARIABLE, storage.URL_VARIABLE, storage.PASSWORD_FILE_VARIABLE,
        "DAGSTER_HOME", "KCB_CODE_SOCKET", "KCB_CODE_HOST",
    }  # fmt: skip
    named = set()
    for path in (DEPLOY / "kcb.env", DEPLOY / "Dockerfile", DEPLOY / "compose.yaml"):
        named |= set(re.findall(r"\b((?:KCB|DAGSTER)_[A-Z_]+)\b", path.read_text()))
    workspaces = "".join(path.read_text() for path in DEPLOY.glob("workspace*.yaml"))

    assert named == known
    assert {"KCB_CODE_SOCKET", "KCB_CODE_HOST"} == set(re.findall(r"env: (\w+)", workspaces))


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, None),
        ({"KCB_DAGSTER_POSTGRES_URL": ""}, None),
        (
            {"KCB_DAGSTER_POSTGRES_URL": "postgresql://kcb@db/dagster"},
            "postgresql+psycopg2://kcb@db/dagster?plugin=kcb_live_connections",
        ),
    ],
)
def test_one_setting_chooses_postgresql(environment, url):
    assert storage.postgres_url(environment) == url


def test_a_kept_connection_is_asked_whether_it_lives():
    url = storage.postgres_url({"KCB_DAGSTER_POSTGRES_URL": "postgresql://kcb@db/dagster"})
    engine = sqlalchemy.create_engine(url, pool_size=1)

    assert engine.pool._pre_ping
    assert str(engine.url) == "postgresql+psycopg2://kcb@db/dagster"


def test_the_password_of_a_file_joins_the_address(tmp_path):
    file = tmp_path / "password"
    file.write_text("p@ss/word\n")
    environment = {"KCB_DAGSTER_POSTGRES_URL": "postgresql://kcb@db/dagster", "KCB_DAGSTER_POSTGRES_PASSWORD_FILE": str(file)}  # fmt: skip

    assert (
        storage.postgres_url(environment)
        == "postgresql+psycopg2://kcb:p%40ss%2Fword@db/dagster?plugin=kcb_live_connections"
    )


@pytest.mark.parametrize("written", ["mysql://kcb:s3cret@db/x", "postgresql://kcb:s3cret@db", "s3cret", "postgresql://kcb:s3cret@db:port/x"])  # fmt: skip
def test_an_address_that_is_none_is_refused_and_not_quoted(written):
    with pytest.raises(storage.UsageError, match="KCB_DAGSTER_POSTGRES_URL is no address") as raised:
        storage.postgres_url({"KCB_DAGSTER_POSTGRES_URL": written})

    assert "s3cret" not in str(raised.value)


def test_a_password_file_that_is_missing_is_said(tmp_path):
    with pytest.raises(storage.UsageError, match="cannot be read"):
        storage.postgres_url({"KCB_DAGSTER_POSTGRES_URL": "postgresql://kcb@db/x", "KCB_DAGSTER_POSTGRES_PASSWORD_FILE": str(tmp_path / "none")})  # fmt: skip
