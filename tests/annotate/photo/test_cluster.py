"""A real Dask cluster of two processes on this machine, one of them killed on the way."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fkp.cli.main import cli
from fkp.errors import FkpError
from tests.helpers import SAMPLES

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for i in range(160):
        (folder / f"{i:04d}.jpg").symlink_to(SAMPLES / ("group.jpg" if i % 3 else "coffee.jpg"))
    (folder / "0007x.jpg").touch()
    return folder


def run(*arguments: str | Path) -> int:
    return int(cli.main(["annotate", *map(str, arguments), "-q"], standalone_mode=False))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Dask itself
def test_a_worker_killed_on_the_way(tmp_path: Path, many: Path) -> None:
    options = ("--det-size", "320", "--overlay-size", "200")
    whole = tmp_path / "whole"
    subprocess.run(
        [sys.executable, "-m", "fkp", "annotate", many, "--out", whole, "-q", *options],
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        pids = [worker.pid for worker in cluster.workers.values()]
        out = tmp_path / "out"

        def kill() -> None:
            while not (out / "overlays").exists():  # the first pictures are drawn
                time.sleep(0.02)
            os.kill(pids[0], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        address = cluster.scheduler_address
        code = run(many, "--out", out, "--backend", "dask", "--scheduler", address, *options)
        killer.join()
    assert code == 3  # one input is empty
    assert (out / "keypoints.csv").read_bytes() == (whole / "keypoints.csv").read_bytes()
    drawn = sorted(p.name for p in (out / "overlays").iterdir())
    assert drawn == sorted(p.name for p in (whole / "overlays").iterdir())
    for name in drawn:
        assert (out / "overlays" / name).read_bytes() == (whole / "overlays" / name).read_bytes()


@pytest.mark.slow
def test_no_cluster_there(tmp_path: Path, many: Path) -> None:
    with pytest.raises(FkpError, match="no Dask scheduler answers"):
        run(many, "--out", tmp_path, "--backend", "dask", "--scheduler", "tcp://127.0.0.1:9")
