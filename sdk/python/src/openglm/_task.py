"""Tasks: Python functions that run as steps of workflows."""

from __future__ import annotations

import functools
import inspect
import sys
from pathlib import Path
from typing import Any, Callable, Generic, Mapping, Optional, Sequence, TypeVar, Union, overload

from . import _tracing
from ._errors import WorkflowError
from ._value import Value

if sys.version_info >= (3, 10):
    from typing import ParamSpec
else:  # The names of parameters are for type checkers alone.
    ParamSpec = TypeVar  # type: ignore[misc, assignment]

P = ParamSpec("P")
R = TypeVar("R")

#: Settings of a task and the keys of a workflow file that they are.
SETTINGS = {
    "retry": "retry",
    "timeout": "timeout",
    "expected": "expected",
    "alternatives": "alternatives",
    "heartbeat": "heartbeat",
    "preemptible": "preemptible",
    "restart_cost": "restart_cost",
    "resources": "resources",
    "priority": "priority",
    "critical": "critical",
    "on_failure": "on_failure",
    "cache": "cache",
    "locks": "locks",
    "rate": "rate",
    "env": "env",
    "labels": "labels",
}


class Task(Generic[P, R]):
    """A function that is a step of workflows, and otherwise the function that it was."""

    def __init__(self, function: Callable[P, R], settings: Mapping[str, Any]) -> None:
        unknown = set(settings) - {*SETTINGS, "name", "when", "after", "max_parallel", "batch"}
        if unknown:
            known = ", ".join(sorted(SETTINGS))
            raise WorkflowError(
                f"a task has no setting {', '.join(sorted(unknown))}; it has: {known}, name, "
                "when, after, max_parallel, batch"
            )
        self.function = function
        self.settings = dict(settings)
        self.signature = inspect.signature(function)
        functools.update_wrapper(self, function)

    @property
    def name(self) -> str:
        """What it is called in a workflow, if it is there once."""
        return self.settings.get("name") or self.function.__name__

    @property
    def handler(self) -> str:
        """``module:function``, as a worker finds it."""
        qualified = self.function.__qualname__
        if "<locals>" in qualified:
            raise WorkflowError(
                f"{qualified} is defined within a function, where no other process finds it: "
                "define tasks at the top of a module"
            )
        return f"{self._module()}:{qualified}.{'recorded_each' if self.is_batched else 'recorded'}"

    @property
    def is_batched(self) -> bool:
        """Whether one call of the function takes many values, and returns a list."""
        return "batch" in self.settings

    @property
    def folder(self) -> Path:
        """The folder from which its module is imported."""
        module = sys.modules[self.function.__module__]
        file = getattr(module, "__file__", None)
        if file is None:
            raise WorkflowError(f"{self.function.__qualname__} is in no file: write it into one")
        path = Path(file).resolve()
        # Of a package the folder above all of it.
        dots = self._module().count(".") + (path.name == "__init__.py")
        return path.parents[dots]

    def _module(self) -> str:
        name = self.function.__module__
        if name != "__main__":
            return name
        main = sys.modules["__main__"]
        spec = getattr(main, "__spec__", None)
        if spec is not None and spec.name:
            return str(spec.name)
        file = getattr(main, "__file__", None)
        if file is None:
            raise WorkflowError("a task is in no file: write it into one")
        return Path(file).stem

    def recorded(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        """Runs the function for a workflow: whatever it returns is the output ``result``."""
        return {"result": self.function(*arguments, **named)}

    def recorded_each(self, values: Sequence[Any]) -> list[Any]:
        """Runs the function for many values at once: what it returns for each is its ``result``.

        An exception in the place of a result fails that value alone.
        """
        function: Callable[[list[Any]], Sequence[Any]] = self.function  # type: ignore[assignment]
        results = function(list(values))
        return [it if isinstance(it, BaseException) else {"result": it} for it in results]

    def options(self, **settings: Any) -> Task[P, R]:
        """The same task with other settings, such as ``when=score > 0.9`` or ``retry=5``."""
        return Task(self.function, {**self.settings, **settings})

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        trace = _tracing.current()
        if trace is None:
            return self.function(*arguments, **named)
        if self.is_batched:
            raise WorkflowError(f"{self.name} has a `batch`: run it for many values, by `map`")
        bound = self._bind(arguments, named)
        # A value to come stands for the result: type checkers see the result.
        return trace.call(self, bound)  # type: ignore[return-value]

    def map(self, values: Union[Sequence[Any], Value], **named: Any) -> Any:
        """Runs the task for each of some values, the first argument; gives a list of results.

        ``values`` may be a value to come: then the run is as wide as what comes.
        """
        trace = _tracing.current()
        if self.is_batched and named:
            raise WorkflowError(f"{self.name} has a `batch`, and takes nothing but the values")
        if trace is None and self.is_batched:
            return [it["result"] for it in self.recorded_each(values)]  # type: ignore[arg-type]
        if trace is None:
            return [self.function(value, **named) for value in values]
        first = next(iter(self.signature.parameters), None)
        if first is None:
            raise WorkflowError(f"{self.name} takes no argument to run it for")
        arguments = self._bind((trace.item,), named)
        return trace.fan_out(self, values, arguments)

    def _bind(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
        try:
            bound = self.signature.bind(*arguments, **named)
        except TypeError as error:
            raise WorkflowError(f"{self.name}: {error}") from None
        kinds = {parameter.kind for parameter in self.signature.parameters.values()}
        if inspect.Parameter.VAR_POSITIONAL in kinds or inspect.Parameter.POSITIONAL_ONLY in kinds:
            raise WorkflowError(f"{self.name} takes arguments without names: give all of them names")
        flat: dict[str, Any] = {}
        for key, value in bound.arguments.items():
            if self.signature.parameters[key].kind is inspect.Parameter.VAR_KEYWORD:
                flat.update(value)
            else:
                flat[key] = value
        return flat


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    *,
    name: Optional[str] = None,
    retry: Union[int, Mapping[str, Any], None] = None,
    timeout: Union[str, float, None] = None,
    expected: Union[str, float, None] = None,
    alternatives: Optional[Sequence[Mapping[str, Any]]] = None,
    heartbeat: Union[str, float, None] = None,
    preemptible: Optional[bool] = None,
    restart_cost: Union[str, float, None] = None,
    resources: Optional[Mapping[str, Any]] = None,
    priority: Optional[int] = None,
    critical: Optional[bool] = None,
    on_failure: Optional[str] = None,
    cache: Union[bool, Mapping[str, Any], None] = None,
    locks: Any = None,
    rate: Any = None,
    env: Optional[Mapping[str, str]] = None,
    labels: Optional[Mapping[str, str]] = None,
    max_parallel: Optional[int] = None,
    batch: Optional[Mapping[str, Any]] = None,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(function: Any = None, /, **settings: Any) -> Any:
    """Makes a function a task. The settings are those of a task in a workflow file."""
    given = {key: value for key, value in settings.items() if value is not None}
    if function is not None:
        return Task(function, given)
    return lambda function: Task(function, given)
