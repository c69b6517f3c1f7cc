"""Workflows: functions that call tasks, turned into workflow files."""

from __future__ import annotations

import functools
import inspect
import json
import sys
import typing
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Union, overload

from ._engine import Engine
from ._errors import WorkflowError
from ._run import Run
from ._tracing import Trace, current
from ._value import Value

#: The types of parameters, by annotation.
TYPES = {int: "int", float: "float", bool: "bool", str: "string", list: "list", dict: "object"}
#: The task whose output is what the workflow returns.
RETURNED = "return"


class Workflow:
    """A graph of tasks that can be run, or written to a file and run by anybody."""

    def __init__(self, function: Callable[..., Any], settings: Mapping[str, Any]) -> None:
        self.function = function
        self.settings = dict(settings)
        self.signature = inspect.signature(function)
        functools.update_wrapper(self, function)  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """What its runs are called."""
        return self.settings.get("name") or self.function.__name__.replace("_", "-")

    @property
    def path(self) -> Path:
        """The Python file that it is written in, which tells its runs from those of others."""
        file = inspect.getsourcefile(self.function)
        if file is None:
            raise WorkflowError(f"the workflow {self.name} is in no file: write it into one")
        return Path(file).resolve()

    def build(self, python: Optional[str] = None) -> dict[str, Any]:
        """The workflow file, as a value of JSON. ``python`` is the interpreter of its tasks."""
        if current() is not None:
            raise WorkflowError(f"the workflow {self.name} cannot stand within another")
        trace = Trace(python or sys.executable)
        arguments = {name: Value(f"params.{name}", frozenset()) for name in self._parameters()}
        with trace.record():
            returned = self.function(**arguments)
        if not trace.tasks:
            raise WorkflowError(f"the workflow {self.name} calls no task")
        if returned is not None:
            trace.emit(RETURNED, returned)
        folders = list(trace.folders)
        if len(folders) > 1:
            shown = ", ".join(folders)
            raise WorkflowError(
                f"the tasks of {self.name} are imported from several folders ({shown}): "
                "install their modules, or put them into one"
            )
        file: dict[str, Any] = {"version": 1, "name": self.name}
        if self.function.__doc__:
            file["description"] = inspect.cleandoc(self.function.__doc__).splitlines()[0]
        if self._parameters():
            file["params"] = self._parameters()
        file.update({key: value for key, value in self.settings.items() if key != "name"})
        file["working_dir"] = folders[0]
        file["tasks"] = trace.tasks
        return file

    def to_json(self) -> str:
        """The workflow file as a text, which ``autoglm run`` takes, too."""
        return json.dumps(self.build(), indent=2, ensure_ascii=False)

    def submit(self, *, engine: Optional[Engine] = None, new: bool = True, **params: Any) -> Run:
        """Begins a run, and does not wait for it.

        ``new=False`` goes on with the last run of the same parameters if that has not ended.
        """
        unknown = sorted(set(params) - set(self._parameters()))
        if unknown:
            raise WorkflowError(f"the workflow {self.name} has no parameter {', '.join(unknown)}")
        engine = engine or Engine.default()
        path = self.path.with_name(f"{self.path.stem}.{self.name}.json")
        return engine.submit(self.to_json(), path=path, params=params, new=new)

    def run(self, *, engine: Optional[Engine] = None, new: bool = True, **params: Any) -> Any:
        """Runs it to its end, and gives what it returns.

        Raises :class:`RunFailed` if it does not succeed.
        """
        return self.submit(engine=engine, new=new, **params).result()

    def _parameters(self) -> dict[str, dict[str, Any]]:
        try:
            hints = typing.get_type_hints(self.function)
        except NameError:  # Of a name that only type checkers see.
            hints = {}
        found = {}
        for name, parameter in self.signature.parameters.items():
            hint = hints.get(name)
            kind = TYPES.get(typing.get_origin(hint) or hint)  # type: ignore[arg-type]
            declared: dict[str, Any] = {}
            if parameter.default is not inspect.Parameter.empty:
                kind = kind or TYPES.get(type(parameter.default))
                declared["default"] = parameter.default
            found[name] = {"type": kind or "string", **declared}
        return found


@overload
def workflow(function: Callable[..., Any], /) -> Workflow: ...


@overload
def workflow(
    *,
    name: Optional[str] = None,
    timeout: Union[str, float, None] = None,
    priority: Optional[int] = None,
    on_failure: Optional[str] = None,
    max_parallel: Optional[int] = None,
    labels: Optional[Mapping[str, str]] = None,
) -> Callable[[Callable[..., Any]], Workflow]: ...


def workflow(function: Any = None, /, **settings: Any) -> Any:
    """Makes a function that calls tasks a workflow. The settings are those of a workflow file."""
    given = {key: value for key, value in settings.items() if value is not None}
    if function is not None:
        return Workflow(function, given)
    return lambda function: Workflow(function, given)
