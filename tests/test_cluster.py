"""The flow `nsnet-features` on a Prefect server: whoever encodes or is killed, the tables are the local run's."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client, LocalCluster
from prefect.testing.utilities import prefect_test_harness

from nsnet.cluster.settings import Cluster
from nsnet.core.paths import Paths
from nsnet.stages.features import extract
from tests.conftest import ROOT, change
from tests.killed import KilledAfterFirstPart


@pytest.fixture(scope="module", autouse=True)
def flows() -> Iterator[None]:
    """A Prefect server, and the folder of flows as Prefect has it when it loads one."""
    sys.path.insert(0, str(ROOT / "flows"))
    with prefect_test_harness(server_startup_timeout=90):
        yield
    sys.path.remove(str(ROOT / "flows"))


@pytest.fixture
def emptied(project: Path, copy_of: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny project, whose features nobody has made yet, as the folder of work."""
    copy = copy_of(project)
    shutil.rmtree(copy / "store/features")
    shutil.rmtree(copy / "artifacts/features")
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two workers, each a process, on loopback."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


def run_flow(folder: Path, **settings: Any) -> int:
    """Run the flow with small shards."""
    from extract_features import extract_features

    change(folder, "cluster", shard_pictures=40, **settings)
    return extract_features()


def check_tables(project: Path, folder: Path) -> None:
    """The stage finds all it needs in the store, and writes what the local run wrote."""
    assert extract(Paths(folder)).computed == 0
    for name in ("features", "patches"):
        table = f"artifacts/features/{name}.parquet"
        assert (project / table).read_bytes() == (folder / table).read_bytes()


def test_two_workers_make_the_bytes_of_the_local_run(project: Path, emptied: Path, cluster: LocalCluster) -> None:
    assert run_flow(emptied, runner="dask", address=cluster.scheduler_address) > 200
    check_tables(project, emptied)


def test_a_worker_killed_in_a_shard_is_survived(
    project: Path, emptied: Path, tmp_path: Path, cluster: LocalCluster
) -> None:
    with Client(cluster) as client:
        client.register_plugin(KilledAfterFirstPart(tmp_path / "killed"), name="kill")
        before = set(client.scheduler_info()["workers"])
        run_flow(emptied, runner="dask", address=cluster.scheduler_address)
        assert (tmp_path / "killed").read_text() in before - set(client.scheduler_info()["workers"])
    check_tables(project, emptied)


def test_threads_of_this_machine(project: Path, emptied: Path) -> None:
    assert run_flow(emptied, runner="threads") > 200
    check_tables(project, emptied)
    assert run_flow(emptied, runner="threads") == 0


@pytest.mark.slow
def test_a_killed_process_breaks_the_pool_and_the_next_round_goes_on(project: Path, emptied: Path) -> None:
    killed: list[int] = []

    def kill() -> None:
        while not list(emptied.glob("store/shards/*/*/*/*/part-*.parquet")):
            time.sleep(0.01)
        [victim, *_] = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
        victim.send_signal(signal.SIGKILL)
        killed.append(victim.pid)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    run_flow(emptied, runner="processes")
    assert killed
    check_tables(project, emptied)


def test_ray(project: Path, emptied: Path) -> None:
    pytest.importorskip("prefect_ray", reason="needs the extra nsnet[ray]")
    run_flow(emptied, runner="ray")
    check_tables(project, emptied)


def test_without_a_runner_the_stage_does_it(emptied: Path) -> None:
    assert run_flow(emptied) == 0
    assert not (emptied / "store/features").exists()


@pytest.mark.parametrize("extra", ["dask", "ray"])
def test_a_missing_integration_names_its_extra(extra: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from task_runners import task_runner

    monkeypatch.setitem(sys.modules, f"prefect_{extra}.task_runners", None)
    settings = Cluster(runner=extra, workers=2, address=None, shards=None, data=None, shard_pictures=1)
    with pytest.raises(ImportError, match=rf"cluster.runner is {extra}, which needs pip install 'nsnet\[{extra}\]'"):
        task_runner(settings, __name__)
