"""Ways to measure many cases: one after the other in this process, or by many workers at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from KPrismCore.evaluation.benchmark import Benchmark, Done
from KPrismCore.evaluation.cases import Case, EvaluationSet
from KPrismCore.evaluation.cluster import Workers, measure_on_workers, ray_session
from KPrismCore.evaluation.cluster_worker import Recipe, question
from KPrismCore.evaluation.protocol import Record

Chosen = Sequence[tuple[EvaluationSet, Case]]
# number of the case among the chosen, and its records
Measured = Iterator[tuple[int, Iterable[Record]]]


def measured_here(benchmark: Benchmark, chosen: Chosen, done: Done) -> Measured:
    """Measure in this process, in order; every record can be kept as it comes."""
    for number, (image_set, case) in enumerate(chosen):
        yield number, benchmark.records(image_set, case, done)


def measured_by_workers(
    benchmark: Benchmark, chosen: Chosen, done: Done, recipe: Recipe, workers: Workers
) -> Measured:
    """Measure by workers, in the order in which they finish; finished cases come first.

    Args:
        benchmark: of this process, which says what a case still lacks.
        chosen: the cases with their sets.
        done: earlier records by (key, case identity).
        recipe: of the same benchmark.
        workers: who measures; not started where nothing is left.

    Raises:
        MissingPackageError, WorkerError, DeviceError: see `ray_session` and `measure_on_workers`.
    """
    questions = []
    for number, (image_set, case) in enumerate(chosen):
        keys = benchmark.keys(image_set)
        earlier = [done[key, case.identity] for key in keys if (key, case.identity) in done]
        if len(earlier) == len(keys):
            yield number, benchmark.records(image_set, case, done)
        else:
            questions.append(question(number, case, earlier))
    if questions:
        with ray_session(workers) as ray:
            for number, records, _ in measure_on_workers(ray, recipe, questions, workers):
                yield number, records
