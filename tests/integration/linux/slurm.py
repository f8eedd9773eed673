"""A real Slurm of one node on loopback, as an ordinary user's, for the length of a test.

Nothing is written outside of its folder. Programs of Slurm find their configuration by the
variable ``SLURM_CONF``, which the plugin of Snakemake takes away from what it starts, so they are
called through scripts that set it again.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

CLIENTS = ("sbatch", "srun", "squeue", "scancel", "sacct", "scontrol", "sinfo", "sacctmgr")
_CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=10000
SlurmdParameters=config_overrides
MaxJobCount=500
MinJobAge=600
KillWait=5
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=60000 State=UNKNOWN
PartitionName=build Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def slurm(folder: Path) -> Iterator[Path]:
    """A running Slurm; yields the folder with its programs, to be put into ``PATH``."""
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    config = folder / "slurm.conf"
    config.write_text(
        _CONFIG.format(
            host=socket.gethostname().partition(".")[0],
            user=getpass.getuser(),
            folder=folder,
            port=_free_port(),
            node_port=_free_port(),
        )
    )
    for name in CLIENTS:
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nSLURM_CONF={config} exec {_find(name)} "$@"\n')
        script.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    munge = [
        *(_find("munged"), "--foreground", "--force", f"--key-file={key}"),
        *(f"--socket={folder}/munge.socket", f"--pid-file={folder}/munge.pid"),
        *(f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"),
    ]
    with ExitStack() as stack:
        stack.enter_context(_daemon(munge, folder))
        _wait(lambda: (folder / "munge.socket").exists())
        stack.enter_context(_daemon([_find("slurmctld"), "-D", "-i", "-f", str(config)], folder))
        stack.enter_context(_daemon([_find("slurmd"), "-D", "-f", str(config)], folder))
        _wait(lambda: "idle" in _said([str(folder / "bin" / "sinfo"), "-h", "-o", "%T"]))
        yield folder / "bin"


def _find(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found is not None, f"{name} is missing"
    return found


@contextmanager
def _daemon(words: list[str], folder: Path) -> Iterator[None]:
    env = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    output = (folder / f"{Path(words[0]).name}.out").open("wb")
    with output, subprocess.Popen(words, env=env, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _said(words: list[str]) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def _wait(ready: object) -> None:
    assert callable(ready)
    deadline = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < deadline, "Slurm does not start"
        time.sleep(0.1)
