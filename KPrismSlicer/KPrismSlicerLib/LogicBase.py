"""The ground of the logic: listeners, the queue of acts, the network, and the one place where errors end."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from slicer.i18n import tr as _

from KPrismCore.errors import CheckpointError, KPrismError
from KPrismSlicerLib.ActQueue import Act, ActQueue, Steps
from KPrismSlicerLib.Events import (
    ActFailed,
    BusyChanged,
    Event,
    HistoryChanged,
    MessageShown,
    ModelChanged,
    ModelState,
    PromptsChanged,
)
from KPrismSlicerLib.Model import DEFAULT, deviceText, loadPredictor, readyState
from KPrismSlicerLib.Worker import Worker

Listener = Callable[[Event], None]
ModelLoader = Callable[[str, str, Callable[[str], None]], Any]

_STOP_SECONDS = 0.2


class ActDropped(Exception):
    """What an act was to work on is gone; it ends without a word."""


class LogicBase:
    """See the module; everything on the main thread.

    Args:
        worker: runs the network.
        modelLoader: as `Model.loadPredictor`, which it is by default.
    """

    def __init__(self, worker: Worker | None = None, modelLoader: ModelLoader | None = None) -> None:
        self._worker = worker or Worker()
        self._loader = modelLoader or loadPredictor
        self._listeners: list[Listener] = []
        self._predictor: Any = None
        self._model = ModelState()
        # sentences of the predictor come from the worker's thread
        self._notices: deque[str] = deque()
        self._queue = ActQueue(
            self._worker,
            self._fail,
            lambda busy: self._tell(BusyChanged(busy)),
            asKPrismError,
            # an act counts for undo from when it is asked for, and no longer when it had nothing to do
            lambda: self._tell(HistoryChanged()),
        )

    # listeners

    def addListener(self, listener: Listener) -> None:
        """Have a callable told every event."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def removeListener(self, listener: Listener) -> None:
        """Tell it no more; one that was never added is fine."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    # the network

    @property
    def model(self) -> ModelState:
        """The network as it is now."""
        return self._model

    def loadModel(self, nameOrPath: str = DEFAULT, device: str = "auto") -> None:
        """Load a checkpoint in the background; `ModelChanged` tells how it goes.

        Acts asked for meanwhile wait for it. The one in use stays until the new one is there.

        Args:
            nameOrPath: 'default', the name of a shipped model, or the path of a checkpoint.
            device: 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'.
        """
        former = self._model
        self._setModel(ModelState("loading", nameOrPath))

        def steps(_act: Act) -> Steps:
            try:
                predictor, state = yield lambda: self._load(nameOrPath, device)
            except KPrismError as error:
                # the panel must not go on saying "loading"
                failed = ModelState("failed", nameOrPath, warnings=(error.cause, error.remedy))
                self._setModel(former if former.status == "ready" else failed)
                raise
            self._predictor = predictor
            self._setModel(state)
            yield from self._modelLoaded()

        self._queue.add(Act(_("load"), steps))

    def _load(self, nameOrPath: str, device: str) -> tuple[Any, ModelState]:
        predictor = self._loader(nameOrPath, device, self._notices.append)
        return predictor, readyState(predictor)

    def _modelLoaded(self) -> Steps:
        """The steps when a network has come: the case opens its session."""
        yield from ()

    def _entry(self, className: str | None) -> Any:
        """The catalogue's entry of a class; None for None.

        Raises:
            CheckpointError: no network is loaded.
            UnknownClassError: it has no such class.
        """
        if className is None:
            return None
        if self._predictor is None:
            raise noModel()
        return self._predictor.model.catalogue.by_name(className)

    def _setModel(self, state: ModelState) -> None:
        self._model = state
        self._tell(ModelChanged(state))

    # work

    @property
    def busy(self) -> bool:
        """Whether an act is at work or waiting."""
        return self._queue.busy

    @property
    def outcomesToCome(self) -> int:
        """How many acts that were asked for already have not told yet how they went."""
        return len(self._queue.toCome)

    def poll(self) -> bool:
        """Go on with what is finished; call it every 10 ms or so. True while there is work."""
        busy = self._queue.poll()
        while self._notices:
            self._say(self._notices.popleft())
            if self._predictor is not None and self._model.status == "ready":
                device = deviceText(self._predictor.model.device)
                self._setModel(replace(self._model, deviceText=device))
        return busy

    def waitForIdle(self, seconds: float = 60.0) -> bool:
        """Poll until all is done, for tests and scripts; False where that takes longer."""
        end = time.monotonic() + seconds
        while self.poll():
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        return True

    def cleanup(self) -> None:
        """End the worker and forget listeners and acts; the logic is of no use afterwards."""
        self._listeners.clear()
        self._queue.clear()
        self._worker.stop(_STOP_SECONDS)
        self._predictor = None

    # what listeners hear

    def _tell(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    def _say(self, text: str) -> None:
        self._tell(MessageShown(text))

    def _fail(self, error: Exception) -> None:
        """Where every error ends."""
        if not isinstance(error, ActDropped):
            self._tell(ActFailed(asKPrismError(error)))
        # a click that waited is no longer to be shown
        self._tell(PromptsChanged())


def asKPrismError(error: Exception) -> KPrismError:
    """Any error as one that can be shown; one that is no KPrismError is logged with its traceback."""
    if isinstance(error, KPrismError):
        return error
    logging.error("K-Prism: %s", error, exc_info=error)
    shown = KPrismError(
        _("Something unexpected went wrong ({kind}: {text}).").format(kind=type(error).__name__, text=error),
        _("Try again; if it comes back, report it with the application's log."),
    )
    shown.__cause__ = error
    return shown


def noModel() -> CheckpointError:
    """The error of an act that needs the network while there is none."""
    return CheckpointError(_("No model is loaded."), _("Press Load first."))
