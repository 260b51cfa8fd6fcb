"""Evaluation over many workers with Ray Data: on this computer, or on a Ray cluster whose address is given.

Cases are the rows of a dataset that a pool of actors works through. Ray starts a worker anew when its process
dies and asks for its cases again; the driver alone writes records, so none is lost and none counts twice.
Without an address nothing listens or asks beyond this computer: Ray's ports are on the loopback interface,
and its usage statistics, dashboard and search for a cloud are off.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from KPrismCore.errors import DeviceError, MissingPackageError, WorkerError
from KPrismCore.evaluation.cluster_worker import CaseWorker, Recipe, Row, records_of
from KPrismCore.evaluation.protocol import Record

ROOT = Path(__file__).resolve().parents[2]
# A case that kills its worker every time would be tried for ever.
NO_PROGRESS_SECONDS = 3600
KNOCK_SECONDS = 10
# Few, so that the last cases spread over all workers.
CASES_IN_FLIGHT = 2
# Ray keeps what workers send in shared memory; records are small.
STORE_BYTES = 100_000_000
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
# Ray's own switch for a session without a network; by default it is off on Linux.
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@dataclass(frozen=True)
class Workers:
    """Who measures.

    Args:
        count: number of worker processes, at least 1.
        gpus: share of a GPU for each worker, such as 0.5; 0 for the processor.
        address: of a running Ray cluster, such as "10.0.0.1:6379", on whose machines this folder, the data
            and the checkpoints lie at the same places; None for processes on this computer.
    """

    count: int
    gpus: float = 0.0
    address: str | None = None


@contextmanager
def ray_session(workers: Workers) -> Iterator[Any]:
    """Ray while the block runs, yielded as the module; a session that is there already is used and kept.

    Raises:
        MissingPackageError: Ray is not installed.
        WorkerError: Ray does not start, or no cluster answers at the address.
        DeviceError: the share of a GPU is larger than all GPUs of the session.
    """
    with _variables(QUIET), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        with _variables(local_variables(Path(home)) if workers.address is None else {}):
            ray = import_ray()
            started = not ray.is_initialized()
            logs = _start(ray, workers) if started else None
        try:
            found = ray.cluster_resources().get("GPU", 0)
            if workers.gpus > found:
                raise DeviceError(
                    f"Each worker is to have {workers.gpus:g} GPUs; Ray finds {found:g}.",
                    "Give a smaller --gpus-per-worker, or leave it out to use the processors.",
                )
            yield ray
        finally:
            if started:
                ray.shutdown()
            if logs is not None:
                shutil.rmtree(logs, ignore_errors=True)


def measure_on_workers(
    ray: Any, recipe: Recipe, questions: Sequence[Row], workers: Workers
) -> Iterator[tuple[int, list[Record], int]]:
    """Yield the records of cases as they are finished, in any order, each case once.

    Args:
        ray: of `ray_session`.
        recipe: of the benchmark.
        questions: the cases, as `question` makes them; at least one.
        workers: how many; more than there are cases make no difference.

    Yields:
        (number of the case, its records, process id of the worker).

    Raises:
        KPrismError: a worker met it.
        WorkerError: the workers failed in another way.
    """
    try:
        for row in _dataset(ray, recipe, questions, workers).iter_rows():
            yield int(row["number"]), records_of(row["answer"]), int(row["process"])
    except ray.data.exceptions.ExecutionTimeoutError as error:
        raise _stopped(f"no case was finished for {NO_PROGRESS_SECONDS // 60} minutes.") from error
    except ray.exceptions.RayError as error:
        # the lines above the last are Ray's own traceback
        raise _stopped((str(error).strip().splitlines() or [type(error).__name__])[-1]) from error


def _stopped(reason: str) -> WorkerError:
    return WorkerError(
        f"The workers stopped: {reason}",
        "What they had finished is kept: the same command goes on from there. "
        "If it stops again, run it without --workers, which shows the case and the whole error.",
    )


def import_ray() -> Any:
    """Ray with Ray Data.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingPackageError(
            f"Evaluation over many workers needs Ray ({error}).",
            "Run 'python3 kprism.py setup --research', or leave --workers out.",
        ) from error
    return ray


def _start(ray: Any, workers: Workers) -> Path | None:
    """Start a session, or join a cluster; return the folder that Ray made for a session of this computer."""
    common = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if workers.address is None:
            # "local" also keeps Ray from a cluster that the variable RAY_ADDRESS names
            context = ray.init(
                "local", num_cpus=workers.count, object_store_memory=STORE_BYTES, include_dashboard=False,
                **common,
            )  # fmt: skip
            return Path(context.address_info["session_dir"])
        _knock(workers.address)
        variables = QUIET | ONE_THREAD | {"PYTHONPATH": str(ROOT)}
        ray.init(workers.address, runtime_env={"env_vars": variables}, **common)
        return None
    except Exception as error:
        # where its processes are slow to start, Ray raises an exception of no kind
        known = (OSError, RuntimeError, ValueError, ray.exceptions.RayError)
        if type(error) is not Exception and not isinstance(error, known):
            raise
        raise _no_session(workers, error) from error


def _no_session(workers: Workers, error: Exception) -> WorkerError:
    if workers.address is None:
        remedy = "Try again when the computer has less to do, or leave --workers out."
    else:
        remedy = (
            "Check the address, and that the cluster has the same versions of Python and Ray; "
            "or leave --workers out."
        )
    place = "on this computer" if workers.address is None else f"at {workers.address}"
    return WorkerError(f"There is no Ray session {place} ({error}).", remedy)


def _knock(address: str) -> None:
    """Raise OSError where nothing listens at HOST:PORT; Ray itself would try for many minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()


def _dataset(ray: Any, recipe: Recipe, questions: Sequence[Row], workers: Workers) -> Any:
    """The answers to come: one block per case, so that each arrives when it is finished."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = NO_PROGRESS_SECONDS
    pool = ray.data.ActorPoolStrategy(
        size=min(workers.count, len(questions)), max_tasks_in_flight_per_actor=CASES_IN_FLIGHT
    )
    # Ray takes one of both; a worker with a share of a GPU is bounded by that
    share = {"num_gpus": workers.gpus} if workers.gpus else {"num_cpus": 1}
    cases = ray.data.from_items(list(questions), override_num_blocks=len(questions))
    return cases.map_batches(CaseWorker, fn_constructor_args=(recipe,), batch_size=1, compute=pool, **share)


def local_variables(home: Path) -> dict[str, str]:
    """Return the environment variables of a session on this computer.

    Even with its statistics off, Ray asks the metadata addresses of cloud providers where it runs, unless its
    own description of a cluster lies in the home folder. An empty one keeps it from asking.

    Args:
        home: an empty folder, which Ray's processes get as their home folder.
    """
    (home / "ray_bootstrap_config.yaml").write_text("{}\n", encoding="ascii")
    # a worker has to find this package wherever the driver was started
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return ONE_THREAD | LOOPBACK | {"PYTHONPATH": path, "HOME": str(home), "USERPROFILE": str(home)}


@contextmanager
def _variables(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables, which Ray reads when it is loaded and hands to its processes."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
