"""Durable workflows of Python functions.

A function becomes a task by ``@task``, and a function that calls tasks becomes a workflow by
``@workflow``. Calling a task within a workflow does not run it: it gives a value to come, and what
is handed from task to task makes the graph.

    from openglm import task, workflow

    @task(retry=2)
    def load(path: str) -> list:
        return open(path).read().split()

    @task
    def count(words: list) -> int:
        return len(words)

    @workflow
    def words(path: str = "text.txt"):
        return count(load(path))

    if __name__ == "__main__":
        print(words.run(path="text.txt"))

Outside of a workflow a task is the function that it was: ``count(["a", "b"])`` is 2.
"""

from ._engine import Engine
from ._errors import ApiError, EngineError, OpenGlmError, RunFailed, WorkflowError
from ._run import LogLine, Run
from ._task import Task, task
from ._value import Value
from ._workflow import Workflow, workflow
from .attempt import Attempt, checkpointed, current, heartbeat, outputs, progress

__all__ = [
    "ApiError",
    "Attempt",
    "Engine",
    "EngineError",
    "LogLine",
    "OpenGlmError",
    "Run",
    "RunFailed",
    "Task",
    "Value",
    "Workflow",
    "WorkflowError",
    "checkpointed",
    "current",
    "heartbeat",
    "outputs",
    "progress",
    "task",
    "workflow",
]
