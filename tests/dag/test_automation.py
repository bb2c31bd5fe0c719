"""What starts a night by itself, and what says that one is missing."""

import datetime as dt
import hashlib
import os
import shutil

import dagster as dg
import pytest

from kcb_pipeline.claim import claimed
from kcb_pipeline.extracts.arrival import Digests, look_for_arrivals
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.due import CLOCK
from kcb_pipeline.orchestration import automation, processes
from kcb_pipeline.orchestration.definitions import build_definitions
from kcb_pipeline.orchestration.resources import HomeResource

TODAY = dt.datetime.now(tz=CLOCK).date()


def rules(home, **settings):
    home.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} = {value!r}".replace("'", '"') for name, value in settings.items()]
    (home / "kcb.toml").write_text("[orchestration]\n" + "\n".join(lines) + "\n", encoding="utf-8")


class Office:
    """An extracts folder that agencies fill, and the sensor that looks at it."""

    def __init__(self, home, instance):
        self.home, self.instance, self.cursor = home, instance, None
        self.sensor = build_definitions(str(home)).resolve_sensor_def("arrivals")

    def send(self, name="population.csv", text="id_number\n1\n", date=TODAY):
        path = self.home / "extracts" / str(date) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def send_all(self, date=TODAY):
        return [self.send(f"{name}.csv", date=date) for name in ("population", "student_registry")]

    def list(self, *paths, date=TODAY):
        lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in paths]
        return self.send("SHA256SUMS", "\n".join(lines) + "\n", date=date)

    def tick(self):
        """One evaluation: the run requests, and the reason where there are none."""
        context = dg.build_sensor_context(
            self.instance, cursor=self.cursor, resources={"home": HomeResource(folder=str(self.home))}
        )
        result = self.sensor(context)
        if isinstance(result, dg.SkipReason):
            return [], result.skip_message
        self.cursor = result.cursor
        reason = (
            result.skip_reason.skip_message if isinstance(result.skip_reason, dg.SkipReason) else result.skip_reason
        )
        return list(result.run_requests or []), reason


@pytest.fixture
def office(tmp_path):
    rules(tmp_path / "home", start="arrival", settled_minutes=0)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Office(tmp_path / "home", instance)


def test_complete_extracts_start_their_date_once(office):
    assert office.tick() == ([], "nothing new: 0 date(s) that are looked at have extracts, and each has been started")
    office.send_all()

    [request], _ = office.tick()
    again, reason = office.tick()

    assert request.partition_key == str(TODAY)
    assert request.run_key.startswith(f"{TODAY}:")
    assert again == []
    assert "each has been started" in reason


def test_a_correction_starts_it_again_and_a_touch_or_a_duplicate_does_not(office):
    population, _ = office.send_all()
    [first], _ = office.tick()

    os.utime(population, (1, 1))
    touched, _ = office.tick()
    population.unlink()
    office.send_all()
    sent_again, _ = office.tick()
    office.send(text="id_number\n2\n")
    [corrected], _ = office.tick()
    office.send(text="id_number\n1\n")
    [taken_back], _ = office.tick()

    assert (touched, sent_again) == ([], [])
    assert corrected.run_key != first.run_key
    assert taken_back.partition_key == str(TODAY)


def test_without_a_manifest_it_waits_until_the_files_have_settled(tmp_path):
    folder = tmp_path / "extracts"
    date = folder / str(TODAY)
    date.mkdir(parents=True)
    for name in ("population", "student_registry"):
        (date / f"{name}.csv").write_text("id_number\n1\n", encoding="utf-8")
    seen, read = {}, []

    def look(now):
        nonlocal seen
        digests = Digests(tmp_path / "digests.json")
        found = look_for_arrivals(folder, seen, digests, since=TODAY, until=TODAY, settled_seconds=600, now=now)
        digests.keep()
        seen = found.seen
        read.append(digests.read)
        return [delivery.comparison_date for delivery in found.ready], found.waiting

    assert look(0) == ([], (f"{TODAY}: still settling (no SHA256SUMS): 600 s to go if nothing changes",))
    (date / "population.csv").write_text("id_number\n12\n", encoding="utf-8")
    assert look(599) == ([], (f"{TODAY}: still settling (no SHA256SUMS): 600 s to go if nothing changes",))
    assert look(1198)[0] == []
    assert look(1199) == ([TODAY], ())
    assert look(1229) == ([], ())
    assert read == [0, 0, 0, 2, 0]  # files are read once they have settled, and not again

    (date / "population.csv").write_text("id_number\n123\n", encoding="utf-8")
    look(1300)
    assert look(2000)[0] == [TODAY]
    assert read[-1] == 1  # only what has changed


def test_with_a_manifest_it_starts_as_soon_as_everything_listed_is_there(tmp_path):
    rules(tmp_path / "home", start="arrival", settled_minutes=60)
    with dg.DagsterInstance.ephemeral() as instance:
        office = Office(tmp_path / "home", instance)
        population, registry = office.send_all()
        office.list(population, registry)
        registry.rename(registry.with_suffix(".elsewhere"))
        assert "still settling" in office.tick()[1]
        registry.with_suffix(".elsewhere").unlink()

        _, missing = office.tick()
        office.send("student_registry.csv", "id_number\nhalf")
        _, torn = office.tick()
        office.send("student_registry.csv")
        [request], _ = office.tick()

        assert "SHA256SUMS, file 2: expected the file it lists; found no such file" in missing
        assert "as SHA256SUMS says" in torn
        assert request.partition_key == str(TODAY)


def test_it_says_what_it_waits_for_and_never_falls(office):
    office.send("population.csv")
    assert "the required source student_registry" in office.tick()[1]
    office.send("student_registry.csv", "")
    assert "found an empty file" in office.tick()[1]
    office.send("student_registry.csv")
    (office.home / "extracts" / str(TODAY) / "in_school.csv").symlink_to("gone.csv")
    assert "FileNotFoundError" in office.tick()[1]

    shutil.rmtree(office.home / "extracts")
    office.cursor = "no cursor of ours"
    assert office.tick()[0] == []
    rules(office.home, start="arrival", settled_minutes=-1)
    assert "settled_minutes" in office.tick()[1]


def test_dates_to_come_and_dates_long_past_are_left_alone_and_the_earlier_of_two_goes_first(office):
    days = [TODAY + dt.timedelta(n) for n in (-40, -1, 0, 1)]
    for day in days:
        office.send_all(day)

    requests, _ = office.tick()

    assert [request.partition_key for request in requests] == [str(day) for day in days[1:3]]
    earlier, later = (int(request.tags["dagster/priority"]) for request in requests)
    assert earlier > later


@pytest.mark.parametrize(
    ("start", "schedules", "sensors"),
    [
        ("schedule", {"nightly", "watch_daily"}, set()),
        ("arrival", {"watch_daily"}, {"arrivals"}),
        ("manual", {"watch_daily"}, set()),
    ],
)
def test_one_thing_starts_nights_and_it_is_on(tmp_path, start, schedules, sensors):
    rules(tmp_path, start=start, nightly_at="03:15")

    definitions = build_definitions(str(tmp_path))

    assert {schedule.name for schedule in definitions.schedules or []} == schedules
    assert {sensor.name for sensor in definitions.sensors or []} == sensors
    assert all(schedule.default_status == dg.DefaultScheduleStatus.RUNNING for schedule in definitions.schedules)
    assert all(sensor.default_status == dg.DefaultSensorStatus.RUNNING for sensor in definitions.sensors or [])
    if start == "schedule":
        assert definitions.resolve_schedule_def("nightly").cron_schedule == "15 3 * * *"


def test_the_published_version_is_expected_every_morning(tmp_path):
    rules(tmp_path, expected_by="09:30", expected_on=[1, 2, 7])
    key = dg.AssetKey("published_version")

    definitions = build_definitions(str(tmp_path))

    policy = definitions.resolve_asset_graph().get(key).freshness_policy_or_from_metadata
    assert (policy.deadline_cron, policy.timezone) == ("30 9 * * 1,2,0", "Asia/Shanghai")
    assert policy.lower_bound_delta == dt.timedelta(days=1)
    assert definitions.resolve_schedule_def("watch_daily").cron_schedule == "30 9 * * 1,2,0"


def test_where_nothing_is_expected_nothing_is_late(tmp_path):
    rules(tmp_path, expected_on=[])

    definitions = build_definitions(str(tmp_path))

    assert (
        definitions.resolve_asset_graph().get(dg.AssetKey("published_version")).freshness_policy_or_from_metadata
        is None
    )
    assert {schedule.name for schedule in definitions.schedules} == {"nightly"}


def test_cron_counts_sunday_as_it_does():
    assert automation.cron("02:30") == "30 2 * * *"
    assert automation.cron("08:05", (1, 5)) == "5 8 * * 1,5"
    assert automation.cron("08:05", (7,)) == "5 8 * * 0"


def test_a_run_whose_process_is_gone_is_failed_and_no_other(monkeypatch):
    @dg.job
    def nothing():
        pass

    with dg.DagsterInstance.ephemeral() as instance:
        mine, gone, elsewhere = (
            instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED, tags={processes.PROCESS_TAG: tag})
            for tag in (
                processes.this_process(),
                processes.this_process() + "0",  # the same number, another process
                "another-machine:1:1",
            )
        )

        assert processes.fail_abandoned_runs(instance) == [gone.run_id]

        states = [instance.get_run_by_id(run.run_id).status.value for run in (mine, gone, elsewhere)]
        assert states == ["STARTED", "FAILURE", "STARTED"]


def test_alarms_of_an_expected_date(tmp_path):
    """Made to fail by a date that has not come, and to pass by not expecting any."""
    yesterday = TODAY - dt.timedelta(1)
    rules(tmp_path, expected_by="00:00")
    Office.send(type("Place", (), {"home": tmp_path})(), date=TODAY)

    def watch():
        job = build_definitions(str(tmp_path)).resolve_job_def("alarms")
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(instance=instance)
            return result.success, {check.check_name: check for check in result.get_asset_check_evaluations()}

    succeeded, checks = watch()
    late = checks["expected_date_present"]
    assert succeeded  # an alarm, no failure
    assert not late.passed
    assert late.severity == dg.AssetCheckSeverity.WARN
    assert late.metadata["late"].value == f"{TODAY}: extracts have come, it has not been run"
    assert checks["no_date_is_stale"].passed

    shutil.rmtree(tmp_path / "extracts")
    assert watch()[1]["expected_date_present"].metadata["late"].value == f"{TODAY}: no extracts have come"

    rules(tmp_path, expected_on=[yesterday.isoweekday()])
    assert watch()[1]["expected_date_present"].passed


def test_a_date_is_held_by_one_process(tmp_path):
    """And whoever waits says so."""
    from kcb_pipeline.claim import running, wait_for_earlier
    from kcb_pipeline.errors import KcbError

    workspace, later = (Home(tmp_path).workspace(day) for day in (TODAY, TODAY + dt.timedelta(1)))
    (workspace.files / "landed").mkdir(parents=True)
    half = workspace.files / "landed" / "population-abc.unfinished"
    half.touch()
    said = []

    with claimed(workspace, said.append):
        assert not half.exists()
        assert running(workspace.folder) == [TODAY]
        with pytest.raises(KcbError, match="look for a run that hangs"):
            wait_for_earlier(later, said.append, wait=0)
        wait_for_earlier(workspace, said.append, wait=0)
    wait_for_earlier(later, said.append, wait=0)

    assert said == []  # they gave up at once, with an error that says it
    assert running(workspace.folder) == []
