"""A run: waiting for it, looking at it, and what it left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterator, Optional

from ._api import segment
from ._errors import EngineError, RunFailed

if TYPE_CHECKING:
    from ._engine import Engine

#: The statuses in which a run stays.
ENDED = frozenset(["succeeded", "failed", "cancelled"])
#: How long to wait before an engine that went away is asked for again.
PAUSE_SECONDS = 0.2
#: How many items are asked for at a time.
PAGE = 1000


@dataclass(frozen=True)
class LogLine:
    """A piece of what a task wrote. Pieces end anywhere, not at the ends of lines."""

    task: str
    item: Optional[int]
    attempt: int
    stream: str
    text: str
    time: str


class Run:
    """A run of a workflow. It lives in the engine; this is a way to look at it."""

    def __init__(self, engine: Engine, number: int) -> None:
        self.engine = engine
        self.number = number

    def __repr__(self) -> str:
        return f"<Run {self.number}>"

    @property
    def status(self) -> str:
        """``queued``, ``running``, ``paused``, ``stopping``, ``succeeded``, ``failed`` or ``cancelled``."""
        return str(self.details()["run"]["status"])

    def details(self) -> dict[str, Any]:
        """The run with its tasks, as the API has them."""
        self.engine.start()
        details: dict[str, Any] = self.engine.api.get(f"runs/{self.number}")
        cursor = details.pop("next", None)
        while cursor is not None:
            page = self.engine.api.get(f"runs/{self.number}", {"cursor": cursor})
            details["tasks"].extend(page["tasks"])
            cursor = page.get("next")
        return details

    def wait(self, timeout: Optional[float] = None) -> str:
        """Waits until it has ended, and says how. ``TimeoutError`` after so many seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                rest = None if deadline is None else max(deadline - time.monotonic(), 0.001)
                for progress in self._progress(rest):
                    if progress["status"] in ENDED:
                        return str(progress["status"])
                    if deadline is not None and time.monotonic() > deadline:
                        break
            except TimeoutError:
                pass
            except EngineError:
                # Whoever held the folder has let go of it: it goes on with the next one.
                time.sleep(PAUSE_SECONDS)
            if self.status in ENDED:
                return self.status
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"run {self.number} is {self.status}")

    def progress(self) -> Iterator[dict[str, Any]]:
        """How far it is, again and again until it has ended."""
        return self._progress(None)

    def _progress(self, silence: Optional[float]) -> Iterator[dict[str, Any]]:
        self.engine.start()
        path = f"runs/{self.number}/progress"
        return self.engine.api.stream(path, {"follow": True}, silence=silence)

    def result(self, timeout: Optional[float] = None) -> Any:
        """Waits for it, and gives what its workflow returns. :class:`RunFailed` if it failed."""
        status = self.wait(timeout)
        tasks = self.details()["tasks"]
        if status != "succeeded":
            troubles = {it["name"]: it["trouble"] for it in tasks if it.get("trouble")}
            raise RunFailed(self.number, status, troubles)
        if any(it["name"] == "return" for it in tasks):
            return self.outputs("return").get("result")
        return None

    def outputs(self, task: str) -> dict[str, Any]:
        """What a task has put out, by name; of a fan-out a list for each name, item by item."""
        found = [it for it in self.details()["tasks"] if it["name"] == task]
        if not found:
            raise KeyError(f"run {self.number} has no task {task}")
        outputs = [item.get("outputs") or {} for item in self._items(task)]
        if not found[0]["fan_out"]:
            return dict(outputs[0])
        names = {name: None for output in outputs for name in output}
        return {name: [output.get(name) for output in outputs] for name in names}

    def _items(self, task: str) -> Iterator[dict[str, Any]]:
        """The items of a task with what each left, page by page."""
        path, query = f"runs/{self.number}/tasks/{segment(task)}/items", {"limit": PAGE}
        while True:
            page = self.engine.api.get(path, query)
            if page.get("outputs_cut") and query["limit"] > 1:
                # An answer has room for so much: fewer items have it, too.
                query["limit"] = max(1, query["limit"] // 4)
                continue
            yield from page["items"]
            if page.get("next") is None:
                return
            query["cursor"] = page["next"]

    def logs(self, task: Optional[str] = None, *, follow: bool = False) -> Iterator[LogLine]:
        """What its tasks wrote."""
        self.engine.start()
        query = {"task": task, "follow": follow}
        for line in self.engine.api.stream(f"runs/{self.number}/logs", query):
            yield LogLine(
                task=line["task"],
                item=line.get("item"),
                attempt=line["attempt"],
                stream=line["stream"],
                text=line["text"],
                time=line["time"],
            )

    def stop(self) -> None:
        """Asks it to end: tasks are asked, handlers run."""
        self.engine.start()
        self.engine.api.post(f"runs/{self.number}/stop", {"kind": "stop"})

    def terminate(self) -> None:
        """Ends it at once."""
        self.engine.start()
        self.engine.api.post(f"runs/{self.number}/stop", {"kind": "terminate"})
