"""How a workflow becomes a file: its function is called once, and each call of a task is noted."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, FrozenSet, Iterator, Mapping, Optional

from ._errors import WorkflowError
from ._value import Value, filled, written

if TYPE_CHECKING:
    from ._task import Task

_CURRENT: ContextVar[Optional[Trace]] = ContextVar("openglm_trace", default=None)


def current() -> Optional[Trace]:
    """The workflow that is being traced here, if one is."""
    return _CURRENT.get()


class Trace:
    """The tasks of a workflow, as they are called."""

    def __init__(self, python: str) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.folders: dict[str, None] = {}
        self.item = Value("item", frozenset())
        self._python = python

    @contextmanager
    def record(self) -> Iterator[None]:
        """While it lasts, calls of tasks are noted here."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)

    def call(self, task: Task[Any, Any], arguments: Mapping[str, Any]) -> Value:
        """One task."""
        name, _ = self._add(task, arguments, {}, frozenset())
        return self._result(name)

    def fan_out(self, task: Task[Any, Any], values: Any, arguments: Mapping[str, Any]) -> Value:
        """A task for each of some values."""
        if isinstance(values, Value):
            # Whole expressions keep their type.
            listed, tasks = values._expression, values._tasks
        else:
            listed, tasks = filled(list(values))
        name, body = self._add(task, arguments, {"foreach": listed}, tasks)
        parallel = task.settings.get("max_parallel")
        if parallel is not None:
            body["max_parallel"] = parallel
        return self._result(name)

    def emit(self, name: str, value: Any) -> None:
        """A task whose only output is a value."""
        output, tasks = filled(value)
        body: dict[str, Any] = {"emit": {"result": output}}
        if tasks:
            body["depends_on"] = sorted(tasks)
        self.tasks[self._free(name)] = body

    def _add(
        self,
        task: Task[Any, Any],
        arguments: Mapping[str, Any],
        more: Mapping[str, Any],
        tasks: FrozenSet[str],
    ) -> tuple[str, dict[str, Any]]:
        from ._task import SETTINGS

        values, used = filled(dict(arguments))
        tasks = tasks | used
        function = {"handler": task.handler, "args": values, "python": self._python}
        if task.is_batched:
            # Each item is its value alone; the call gets a list of them.
            function["batch"] = task.settings["batch"]
            (function["args"],) = values.values()
        body: dict[str, Any] = {"function": function, **more}
        for setting, key in SETTINGS.items():
            if setting in task.settings:
                body[key] = task.settings[setting]
        if "when" in task.settings:
            body["when"], used = written(task.settings["when"])
            tasks = tasks | used
        for value in task.settings.get("after", ()):
            if not isinstance(value, Value):
                raise WorkflowError(f"`after` of {task.name} takes values to come, not {value!r}")
            tasks = tasks | value._tasks
        if tasks:
            body["depends_on"] = sorted(tasks)
        self.folders.setdefault(str(task.folder))
        name = self._free(task.name)
        self.tasks[name] = body
        return name, body

    def _free(self, name: str) -> str:
        if name not in self.tasks:
            return name
        number = 2
        while f"{name}_{number}" in self.tasks:
            number += 1
        return f"{name}_{number}"

    @staticmethod
    def _result(name: str) -> Value:
        text, _ = written(name)
        return Value(f"tasks[{text}].outputs.result", frozenset([name]))
