"""The wheel: built as anybody builds it, installed where nothing else is, and used from there.

It is no test that is discovered, but a step of its own: `python3 sdk/python/tests/wheel.py`. It is
built with the profile of the tests, so that nothing is compiled twice, and must never see the
checkout once it is installed.
"""

import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 600

PROGRAM = """\
from openglm import current, task, workflow

@task
def words(text: str) -> list:
    return text.split()

@task
def size(word: str) -> int:
    assert current().task == "size"
    return len(word)

@workflow
def sizes(text: str = "a bc def"):
    return size.map(words(text))

if __name__ == "__main__":
    print(sizes.run())
"""


def said(*command: object, **settings: object) -> str:
    """What a command prints. Its errors are told if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=PATIENCE_SECONDS, **settings
    )
    if done.returncode != 0:
        raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout.strip()


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="openglm-wheel-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        build = ["wheel", "--quiet", "--no-deps", "--wheel-dir", cls.folder]
        profile = "build-args=--profile dev"
        said(sys.executable, "-m", "pip", *build, "--config-settings", profile, PACKAGE)
        (cls.wheel,) = cls.folder.glob("*.whl")
        cls.python = cls.new_python("venv")
        cls.own = cls.python.with_name("autoglm")
        cls.install(cls.python)

    @classmethod
    def new_python(cls, name: str) -> Path:
        """An interpreter that has nothing installed."""
        said(sys.executable, "-m", "venv", "--without-pip", cls.folder / name)
        return cls.folder / name / "bin" / "python"

    @classmethod
    def install(cls, python: Path, *options: object):
        """Nothing is asked of a registry."""
        quiet = ["--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"]
        pip = [sys.executable, "-m", "pip", "--python", python]
        said(*pip, "install", *quiet, *options, cls.wheel)

    def alone(self, *path: Path) -> dict:
        """The variables of a machine that has nothing of ours, but for these folders."""
        folders = [*map(str, path), "/usr/bin", "/bin"]
        return {"PATH": os.pathsep.join(folders), "HOME": str(self.folder)}

    def test_it_has_the_package_and_the_stripped_binary(self):
        with zipfile.ZipFile(self.wheel) as wheel:
            names = wheel.namelist()
            (binary,) = [name for name in names if name.endswith(".data/scripts/autoglm")]
            inside = wheel.read(binary)
        for source in (PACKAGE / "src" / "openglm").glob("*.py*"):
            self.assertIn(f"openglm/{source.name}", names)
        self.assertIn("openglm/py.typed", names)
        self.assertEqual(len([name for name in names if "/licenses/LICENSE-" in name]), 2, names)
        self.assertTrue(inside.startswith(b"\x7fELF"))
        self.assertFalse(b".symtab" in inside, "it is not stripped")
        self.assertTrue(self.own.read_bytes() == inside, "what is installed is another one")

    def test_the_binary_is_on_the_path_and_of_the_version_of_the_wheel(self):
        environment = self.alone(self.own.parent)
        version = said("autoglm", "--version", env=environment)
        ask = "from importlib.metadata import version; print(version('openglm'))"
        self.assertEqual(version.split()[:2], ["autoglm", said(self.python, "-c", ask)])

    def test_a_program_runs_where_nothing_is_set(self):
        program = self.folder / "program.py"
        program.write_text(PROGRAM)
        where = {"cwd": self.folder, "env": self.alone()}
        self.assertEqual(said(self.python, program, **where), "[1, 2, 3]")

    def test_the_binary_beside_it_comes_before_the_path_and_the_path_before_nothing(self):
        other = self.folder / "other"
        other.mkdir()
        (other / "autoglm").write_text("#!/bin/sh\nexit 9\n")
        (other / "autoglm").chmod(0o755)
        ask = "from openglm._engine import binary; print(binary())"
        self.assertEqual(said(self.python, "-c", ask, env=self.alone(other)), str(self.own))
        hidden = self.own.rename(self.folder / "hidden")
        self.addCleanup(hidden.rename, self.own)
        found = said(self.python, "-c", ask, env=self.alone(other))
        self.assertEqual(found, str(other / "autoglm"))
        with self.assertRaisesRegex(AssertionError, "install the wheel of this package"):
            said(self.python, "-c", ask, env=self.alone())

    def test_it_may_be_installed_into_a_folder(self):
        target, bare = self.folder / "target", self.new_python("bare")
        self.install(bare, "--target", target)
        ask = "from openglm._engine import binary; print(binary())"
        environment = {**self.alone(), "PYTHONPATH": str(target)}
        found = said(bare, "-c", ask, env=environment)
        self.assertEqual(found, str(target / "bin" / "autoglm"))


if __name__ == "__main__":
    unittest.main()
