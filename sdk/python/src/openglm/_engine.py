"""The engine: whoever holds a state folder, or a process that is started for it."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sysconfig
import time
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Union

from ._api import Api
from ._errors import EngineError
from ._run import Run

#: The variable that names another binary.
BINARY_VARIABLE = "AUTOGLM_BIN"
#: The variable that names the state folder, as for the command line.
HOME_VARIABLE = "AUTOGLM_HOME"
#: What the binary ends with if somebody else holds the folder.
HELD = 75
#: How long an engine may take to begin or to let go.
PATIENCE_SECONDS = 20.0


def binary() -> str:
    """The path of ``autoglm``: the one that is named, the one of this package, or the one on the path."""
    named = os.environ.get(BINARY_VARIABLE)
    if named:
        return named
    for folder in _beside():
        if (folder / "autoglm").is_file():
            return str(folder / "autoglm")
    found = shutil.which("autoglm")
    if found is None:
        raise EngineError(
            "there is no `autoglm`: install the wheel of this package, which brings it, put it on "
            f"the path, or name it by {BINARY_VARIABLE}"
        )
    return found


def _beside() -> Iterator[Path]:
    """Where installers put the programs of a package."""
    yield Path(sysconfig.get_path("scripts"))
    yield Path(sysconfig.get_path("scripts", f"{os.name}_user"))
    # Of a package that was installed into a folder, `pip install --target`.
    yield Path(__file__).parents[1] / "bin"


def default_home() -> Path:
    """The state folder that the command line takes when none is named."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Path(named)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "autoglm"


class Engine:
    """The engine of a state folder.

    If somebody holds the folder already, as ``autoglm serve`` does, that engine is used. If nobody
    does, one is started that ends with this process, whatever ends it; runs that have not ended by
    then go on where they stopped as soon as somebody holds the folder again. With
    ``outlives=True`` it goes on by itself, until it is told to end by TERM.

    ``options`` are those of ``autoglm serve``, such as ``["--cpu", "4"]``.
    """

    _default: Optional[Engine] = None

    def __init__(
        self,
        home: Union[str, Path, None] = None,
        *,
        options: Iterator[str] = (),  # type: ignore[assignment]
        outlives: bool = False,
    ) -> None:
        self.home = Path(home).expanduser() if home is not None else default_home()
        self.options = list(options)
        self.outlives = outlives
        self.api = Api(self.home.absolute() / "api.sock")
        self._process: Optional[subprocess.Popen[bytes]] = None

    @classmethod
    def default(cls) -> Engine:
        """The engine of the default folder."""
        if cls._default is None or cls._default.home != default_home():
            cls._default = cls()
        return cls._default

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Makes sure that somebody holds the folder and serves it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.api.is_served():
            if self._process is None or self._process.poll() is not None:
                self._launch()
            if time.monotonic() > deadline:
                raise EngineError(f"no engine serves {self.home}")
            # Somebody else is about to serve it, or about to let go of it.
            time.sleep(0.02)

    def _launch(self) -> None:
        log = None
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = [binary(), "serve", "--home", str(self.home.absolute()), "-o", "name"]
        if not self.outlives:
            command.append("--until-eof")
        with open(self.home / "holder.log", "ab") as log:
            process = subprocess.Popen(
                command + self.options,
                stdin=subprocess.DEVNULL if self.outlives else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert process.stdout is not None
        ready = process.stdout.readline()
        if ready:
            self._process = process
            if not self.outlives:
                atexit.register(self.close)
            return
        code = process.wait()
        if code != HELD:
            said = (self.home / "holder.log").read_text(errors="replace").strip().splitlines()
            raise EngineError(f"`autoglm serve` ended with {code}: {said[-1] if said else ''}")

    def close(self) -> None:
        """Ends the engine if this object started it, and waits until it has let go."""
        process, self._process = self._process, None
        if process is None or self.outlives or process.poll() is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def submit(
        self, content: str, *, path: Path, params: Mapping[str, Any], new: bool = True
    ) -> Run:
        """Begins a run of a workflow file."""
        self.start()
        body = {"path": str(path), "content": content, "params": dict(params), "new": new}
        answer = self.api.post("runs", body)
        return Run(self, answer["run"])

    def run(self, number: int) -> Run:
        """A run by its number."""
        self.start()
        return Run(self, number)

    def runs(self, *, name: Optional[str] = None, status: Optional[str] = None) -> Iterator[Run]:
        """All runs that are kept, newest first."""
        self.start()
        cursor = None
        while True:
            page = self.api.get("runs", {"name": name, "status": status, "cursor": cursor})
            for found in page["runs"]:
                yield Run(self, found["run"])
            cursor = page.get("next")
            if cursor is None:
                return
