"""Snakemake on this machine, with a process beside it that has imported what makes stages.

``python -m winimagetools.workflows.matrix.engine`` runs Snakemake as soon as a line of standard
input, :func:`request`, says what is to be made; until then it imports what that takes, which is
as long as a matrix is decided on. For each rule Snakemake calls :func:`run_stage`, and the process
beside it forks a copy of itself that does what ``python -m MODULE WORDS`` does, without the half
second that starting Python takes. Snakemake decides when, as for any other rule.

Copies are asked to end when Snakemake is gone, and end with the process they are copies of.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from winimagetools.errors import CommandError, WinImageError

ENGINE = "snakemake"
PRELOADED = (
    *("winimagetools.cli.main", "winimagetools.cli.arguments", "winimagetools.cli.matrix"),
    *("winimagetools.workflows.matrix.stage", "winimagetools.net.on_demand"),
    *("cyclonedx.model.bom", "cyclonedx.output.json"),
)
"""What stages import, together with the host."""
_OF_ENGINE = "snakemake.cli"
"""What Snakemake imports first, which is nearly everything."""
_STANDARD_INPUT = 0
_PDEATHSIG = 1
_READ = 1 << 16


class _Asker:
    """The side of Snakemake: sends the words of stages, and hands over how they ended."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        self._asked: dict[int, Future[int]] = {}
        self._lock = threading.Lock()
        self._count = 0
        self._reader: threading.Thread | None = None

    def ask(self, words: Sequence[str]) -> int:
        """Make a stage and return its exit code. Raises OSError when nobody makes any."""
        ended: Future[int] = Future()
        with self._lock:
            if self._reader is None:
                # Not before: Snakemake may not like threads while it reads its file.
                self._reader = threading.Thread(target=self._read, daemon=True)
                self._reader.start()
            self._count += 1
            self._asked[self._count] = ended
            line = json.dumps([self._count, Path.cwd().as_posix(), *words]).encode() + b"\n"
            while line:
                line = line[os.write(self._requests, line) :]
        return ended.result()

    def _read(self) -> None:
        # Without a buffer, whose lock Python would wait for in vain at its end.
        with os.fdopen(self._answers, "rb", buffering=0) as answers:
            for line in answers:
                number, code = json.loads(line)
                self._asked.pop(number).set_result(code)
        for ended in self._asked.values():
            ended.set_exception(BrokenPipeError("the process that makes stages is gone"))


class _Server:
    """The process beside Snakemake: forks a copy of itself for each stage.

    Args:
        requests: where the words of stages come from; its end is that of Snakemake.
        answers: where it is said how they ended.
    """

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        self._stages: dict[int, int] = {}
        self._heard = b""
        self._woken, writer = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # What is meant for all processes of Snakemake reaches the stages too; this one waits
        # until they have taken away what they began.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def serve(self) -> list[str] | None:
        """Serve until Snakemake is gone: None here, in a copy its folder and its words."""
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        asking = True
        while asking or self._stages:
            ready = [handle for handle, _ in poll.poll()]
            if self._woken in ready:
                self._reap()
            if self._requests in ready:
                data = os.read(self._requests, _READ)
                if not data:
                    asking = False
                    poll.unregister(self._requests)
                    self._end_stages()
                words = self._take(data)
                if words is not None:
                    return words
        return None

    def _take(self, data: bytes) -> list[str] | None:
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            number, *words = json.loads(line)
            if self._fork(int(number)):
                return [str(word) for word in words]
        return None

    def _fork(self, number: int) -> bool:
        """Make a copy; whether this is the copy."""
        parent = os.getpid()
        signals = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        child = os.fork()
        if not child:
            self._become_stage(parent)
        else:
            self._stages[child] = number
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        return not child

    def _become_stage(self, parent: int) -> None:
        signal.set_wakeup_fd(-1)
        for name in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(name, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        for handle in (self._requests, self._answers, self._woken):
            os.close(handle)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._woken, _READ):
                pass
        while self._stages:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            answer = [self._stages.pop(child), os.waitstatus_to_exitcode(status)]
            with suppress(BrokenPipeError):  # Snakemake is gone
                os.write(self._answers, json.dumps(answer).encode() + b"\n")

    def _end_stages(self) -> None:
        for child in self._stages:
            os.kill(child, signal.SIGTERM)


_asker: _Asker | None = None
_stage: list[str] = []


def can_fork() -> bool:
    """Whether this system lets a process make copies of itself."""
    return hasattr(os, "fork")


def run_stage(job: str, log_file: str) -> None:
    """Make a stage; called by the rules of Snakemake.

    Args:
        job: file with the job.
        log_file: where its lines go.

    Raises:
        CommandError: it failed, or was ended.
    """
    if _asker is None:
        raise RuntimeError("this process was not started as an engine")
    words = [*_stage, job, "--log-file", log_file]
    if code := _asker.ask(words):
        raise CommandError(f"python -m {' '.join(words)}", code, "")


def request(stage: Sequence[str], folder: Path, arguments: Sequence[str]) -> str:
    """What the process that runs Snakemake waits for.

    Args:
        stage: a module and its first words, which, followed by a job and a log, make a stage.
        folder: of the run; stages begin there, and what Snakemake leaves goes with it.
        arguments: those of Snakemake.
    """
    return json.dumps({"stage": stage, "folder": str(folder), "arguments": arguments}) + "\n"


def main() -> None:
    """Run Snakemake, or in a copy of this process a stage; neither where nobody asks for it."""
    requests, answers = os.pipe(), os.pipe()
    if os.fork():
        os.close(requests[0])
        os.close(answers[1])
        _run_engine(_Asker(requests[1], answers[0]))
    os.close(requests[1])
    os.close(answers[0])
    _close_input()
    _serve(_Server(requests[0], answers[1]))


def _run_engine(asker: _Asker) -> NoReturn:
    """Import Snakemake, wait for what it is to do, and do that."""
    global _asker
    _import_early(_OF_ENGINE)
    asked = sys.stdin.readline()
    if not asked:
        _leave(0)  # there was nothing to make, or it was refused
    _close_input()
    record = json.loads(asked)
    _asker = asker
    _stage[:] = record["stage"]
    _keep_files_in(record["folder"])
    _leave(_run_module([ENGINE, *record["arguments"]]))


def _serve(server: _Server) -> NoReturn:
    """Make copies of this process until Snakemake is gone; in a copy, make its stage."""
    for module in PRELOADED:
        _import_early(module)
    from winimagetools.host import select_host  # not in the process of Snakemake

    with suppress(WinImageError):
        select_host()
    gc.freeze()  # what is imported stays, and its memory shared
    words = server.serve()
    if words is None:
        _leave(0)
    os.chdir(words[0])
    _leave(_run_module(words[1:]))


def _import_early(module: str) -> None:
    """Import what will be needed; what is missing is missed by whoever needs it."""
    with suppress(ImportError):
        importlib.import_module(module)


def _close_input() -> None:
    """Nothing that is started from here on reads what others are asked."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, _STANDARD_INPUT)
    os.close(nothing)


def _keep_files_in(folder: str) -> None:
    """Let what Snakemake leaves when it is killed go with the folder of its run."""
    os.environ["TMPDIR"] = os.environ["XDG_CACHE_HOME"] = folder
    tempfile.tempdir = None


def _run_module(words: Sequence[str]) -> int:
    """Do what ``python -m`` does and return its exit code."""
    sys.argv[1:] = words[1:]
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
            return 1
        return ended.code or 0
    return 0


def _leave(code: int) -> NoReturn:
    """End this process without taking Python apart, which takes as long as a short stage.

    Snakemake leaves timers that would look for further jobs a second later, and Python would
    wait for them.
    """
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    # Under its other name, by which the rules import it, it is a module of its own.
    from winimagetools.workflows.matrix import engine

    engine.main()
