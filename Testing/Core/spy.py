"""A stand-in for one method of a network."""

from __future__ import annotations

from typing import Any

from KPrismCore.network.kprism import KPrism


class Spy:
    """Calls a method of a network, keeps the arguments of every call, and fails first if told to."""

    def __init__(self, network: KPrism, name: str, failure: Exception | None = None) -> None:
        self.method, self.failure = getattr(network, name), failure
        self.calls: list[tuple[Any, ...]] = []
        setattr(network, name, self)

    def __call__(self, *arguments: Any) -> Any:
        self.calls.append(arguments)
        if self.failure is not None and len(self.calls) == 1:
            raise self.failure
        return self.method(*arguments)
