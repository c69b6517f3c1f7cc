"""Values to come: what stands in a workflow for the result of a task or a parameter.

A value knows the expression that gives it once the run has it. Nothing is worked out here.
"""

from __future__ import annotations

import json
from typing import Any, FrozenSet, Iterator, NoReturn

from ._errors import WorkflowError


class Value:
    """A value that is known when the run has come to it.

    It can be handed to tasks, looked into (``value["key"]``), compared and calculated with, as in
    ``when=score > 0.9``. It has no truth and no length before the run.
    """

    __slots__ = ("_expression", "_tasks")
    # Two values are never "the same" by comparison: that makes another value.
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, expression: str, tasks: FrozenSet[str]) -> None:
        self._expression = expression
        self._tasks = tasks

    def __repr__(self) -> str:
        return f"Value({self._expression})"

    def __getitem__(self, key: Any) -> Value:
        inner, tasks = written(key)
        return Value(f"{self._expression}[{inner}]", self._tasks | tasks)

    def _with(self, operator: str, other: Any, *, swapped: bool = False) -> Value:
        text, tasks = written(other)
        left, right = (text, self._expression) if swapped else (self._expression, text)
        return Value(f"({left} {operator} {right})", self._tasks | tasks)

    def __eq__(self, other: object) -> Value:  # type: ignore[override]
        return self._with("==", other)

    def __ne__(self, other: object) -> Value:  # type: ignore[override]
        return self._with("!=", other)

    def __lt__(self, other: Any) -> Value:
        return self._with("<", other)

    def __le__(self, other: Any) -> Value:
        return self._with("<=", other)

    def __gt__(self, other: Any) -> Value:
        return self._with(">", other)

    def __ge__(self, other: Any) -> Value:
        return self._with(">=", other)

    def __add__(self, other: Any) -> Value:
        return self._with("+", other)

    def __radd__(self, other: Any) -> Value:
        return self._with("+", other, swapped=True)

    def __sub__(self, other: Any) -> Value:
        return self._with("-", other)

    def __rsub__(self, other: Any) -> Value:
        return self._with("-", other, swapped=True)

    def __mul__(self, other: Any) -> Value:
        return self._with("*", other)

    def __rmul__(self, other: Any) -> Value:
        return self._with("*", other, swapped=True)

    def __truediv__(self, other: Any) -> Value:
        return self._with("/", other)

    def __and__(self, other: Any) -> Value:
        return self._with("and", other)

    def __or__(self, other: Any) -> Value:
        return self._with("or", other)

    def __invert__(self) -> Value:
        return Value(f"(not {self._expression})", self._tasks)

    def length(self) -> Value:
        """How many elements it has."""
        return Value(f"({self._expression} | length)", self._tasks)

    def __bool__(self) -> NoReturn:
        raise WorkflowError(
            f"{self!r} is not known before the run, so that Python cannot decide by it: "
            "give the task a condition, `task.options(when=value > 3)(...)`; "
            "combine conditions by `&`, `|` and `~`"
        )

    def __iter__(self) -> Iterator[Any]:
        raise WorkflowError(
            f"{self!r} is not known before the run, so that Python cannot go through it: "
            "run a task for each element, `task.map(value)`"
        )

    def __len__(self) -> int:
        raise WorkflowError(f"{self!r} is not known before the run: use `value.length()`")


def written(value: Any) -> tuple[str, FrozenSet[str]]:
    """A value as part of an expression, and the tasks that it comes from."""
    if isinstance(value, Value):
        return value._expression, value._tasks
    if value is None or isinstance(value, (bool, int, float, str)):
        return _literal(value), frozenset()
    if isinstance(value, (list, tuple)):
        parts = [written(part) for part in value]
        tasks = frozenset().union(*(tasks for _, tasks in parts))
        return "[" + ", ".join(text for text, _ in parts) + "]", tasks
    raise WorkflowError(f"{value!r} cannot stand in an expression")


def _literal(value: Any) -> str:
    if isinstance(value, str):
        # The language has the escapes of JSON.
        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, allow_nan=False)


def filled(value: Any) -> tuple[Any, FrozenSet[str]]:
    """A value as it stands in a workflow file, and the tasks that it comes from.

    Values to come become expressions; texts that look like expressions stay texts.
    """
    if isinstance(value, Value):
        return f"{{{{ {value._expression} }}}}", value._tasks
    if isinstance(value, str):
        return _text(value), frozenset()
    if value is None or isinstance(value, (bool, int, float)):
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            raise WorkflowError(f"{value!r} is no value of JSON") from None
        return value, frozenset()
    if isinstance(value, (list, tuple)):
        parts = [filled(part) for part in value]
        tasks = frozenset().union(*(tasks for _, tasks in parts))
        return [part for part, _ in parts], tasks
    if isinstance(value, dict):
        fields: dict[str, Any] = {}
        tasks = frozenset()
        for key, part in value.items():
            if not isinstance(key, str):
                raise WorkflowError(f"the key {key!r} of an argument is no text")
            fields[key], more = filled(part)
            tasks |= more
        return fields, tasks
    raise WorkflowError(
        f"an argument of type {type(value).__name__} cannot be written into a workflow: "
        "hand over what JSON has, or the path of a file"
    )


def _text(text: str) -> str:
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return text
    return "{{ " + _literal(text) + " }}"
