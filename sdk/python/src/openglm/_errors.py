"""What can go wrong, by whom: the caller, the engine, or the work itself."""

from __future__ import annotations

from typing import Any, Mapping, Optional


class OpenGlmError(Exception):
    """The root of all errors of this package."""


class WorkflowError(OpenGlmError):
    """A workflow is not written as it has to be."""


class EngineError(OpenGlmError):
    """The engine cannot be found, started or reached."""


class ApiError(OpenGlmError):
    """The engine refused a request. It has changed nothing.

    ``code`` is stable (``E0204``); ``problem`` is the whole answer (RFC 9457).
    """

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.problem = dict(problem)
        self.code: Optional[str] = problem.get("code")
        self.hint: Optional[str] = problem.get("hint")
        detail = problem.get("detail") or problem.get("title") or "the request was refused"
        rendered = [it.get("rendered") for it in problem.get("diagnostics") or []]
        text = "\n".join(filter(None, [f"[{self.code}] {detail}", *rendered]))
        super().__init__(f"{text}\nhelp: {self.hint}" if self.hint else text)


class RunFailed(OpenGlmError):
    """A run has ended, and not well."""

    def __init__(self, run: int, status: str, troubles: Mapping[str, str]) -> None:
        self.run = run
        self.status = status
        self.troubles = dict(troubles)
        lines = [f"  {name}: {trouble}" for name, trouble in self.troubles.items()]
        super().__init__("\n".join([f"run {run} {status}", *lines]))
