"""Runs the commands of workflow.yaml without the engine, and checks what they leave behind.

    python3 -m unittest test_pipeline.py

The commands are read from the workflow itself, so that the two cannot drift apart. `Workflow`
reads just the YAML that this one file uses: it is no parser, and the standard library has none.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

from digits import results, samples

HERE = Path(__file__).resolve().parent
DATA = HERE / "data" / "digits.csv.gz"
SVG = "{http://www.w3.org/2000/svg}"


class Workflow:
    """The workflow file, and its tasks in the order in which they stand there."""

    def __init__(self) -> None:
        head, *blocks = re.split(
            r"\n  - name: ", (HERE / "workflow.yaml").read_text(encoding="utf-8")
        )
        self.params = dict(re.findall(r"^  (\w+): \{type: \w+, default: ([\w.]+),", head, re.M))
        self.tasks = {block.split("\n", 1)[0]: block for block in blocks}

    def items(self, task: str) -> list[dict[str, str]]:
        """The entries of a task's fan-out; one empty entry when it has none."""
        entries = re.findall(r"^      - \{(.+)\}$", self.tasks[task], re.M)
        return [dict(re.findall(r"(\w+): ([\w.]+)", entry)) for entry in entries] or [{}]

    def script(self, task: str) -> str:
        """What the task's shell is given, with its templates."""
        found = re.search(r"^    script: (?:>-\n((?:      .+\n)+)|(.+)$)", self.tasks[task], re.M)
        assert found, f"task {task} has no script that this reader understands"
        return " ".join((found[1] or found[2]).split())

    def env(self, task: str) -> dict[str, str]:
        """The task's own environment, with its templates."""
        return dict(re.findall(r'^      ([A-Z]+): "(.+)"$', self.tasks[task], re.M))

    def depends_on(self, task: str) -> list[str]:
        """The names of the tasks that come before."""
        return re.findall(r"^    depends_on: (\w+)$", self.tasks[task], re.M)


class Run:
    """One run of the workflow in a folder of its own: no retries, no resuming, just the order."""

    def __init__(self, workflow: Workflow, folder: Path) -> None:
        self.workflow = workflow
        self.folder = folder
        self.outputs: dict[str, list[dict]] = {}

    def run_all(self) -> None:
        """All tasks in order; the items of a fan-out two at a time."""
        for task in self.workflow.tasks:
            missing = [name for name in self.workflow.depends_on(task) if name not in self.outputs]
            assert not missing, f"task {task} stands before {missing}"
            items = self.workflow.items(task)
            with ThreadPoolExecutor(max_workers=2) as pool:
                started = [pool.submit(self.run_item, task, *entry) for entry in enumerate(items)]
                self.outputs[task] = [item.result() for item in started]

    def run_item(self, task: str, index: int, item: dict[str, str]) -> dict:
        """One command, as the engine would start it; its outputs."""
        written = self.folder / f".outputs-{task}-{index}"
        env = {key: self.render(text, item) for key, text in self.workflow.env(task).items()}
        subprocess.run(
            ["sh", "-eu", "-c", self.render(self.workflow.script(task), item)],
            cwd=HERE,
            env={
                **os.environ,
                **env,
                "DIGITS_OUT": str(self.folder / "out"),
                "AUTOGLM_OUTPUT": str(written),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return json.loads(written.read_text(encoding="utf-8"))

    def render(self, text: str, item: dict[str, str]) -> str:
        """The text with the values of its templates."""

        def value(match: re.Match) -> str:
            path, as_json = match[1].split("."), match[2]
            if path[0] == "params":
                return self.workflow.params[path[1]]
            if path[0] == "item":
                return item[path[1]]
            values = [outputs[path[3]] for outputs in self.outputs[path[1]]]
            return json.dumps(values) if as_json else str(values[0])

        return re.sub(r"\{\{ ([\w.]+)( \| tojson)? \}\}", value, text)


def run_step(step: str, *arguments: object, out: Path) -> subprocess.CompletedProcess:
    """One step by itself, to see how it fails."""
    return subprocess.run(
        ["python3", "-m", f"digits.{step}", *map(str, arguments)],
        cwd=HERE,
        env={**os.environ, "DIGITS_OUT": str(out)},
        capture_output=True,
        text=True,
        check=False,
    )


class Pipeline(unittest.TestCase):
    """The whole workflow, run once for all of these."""

    completed: Run
    out: Path
    evaluation: dict

    @classmethod
    def setUpClass(cls) -> None:
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.completed = Run(Workflow(), Path(temporary.name))
        cls.completed.run_all()
        cls.out = Path(temporary.name) / "out"
        cls.evaluation = json.loads((cls.out / "evaluation.json").read_text(encoding="utf-8"))

    def test_fan_out_is_the_full_grid(self) -> None:
        items = self.completed.workflow.items("score")
        candidates = {(item["model"], item["setting"]) for item in items}
        grid = {(*candidate, fold) for candidate in candidates for fold in "123"}
        self.assertGreaterEqual(len(candidates), 12)
        self.assertEqual({(i["model"], i["setting"], i["fold"]) for i in items}, grid)
        self.assertEqual(len(items), len(grid))

    def test_parts_are_disjoint_and_complete(self) -> None:
        parts = [samples.read(path) for path in sorted(self.out.glob("*.csv"))]
        self.assertEqual(len(parts), 4)
        self.assertEqual(sorted(sum(parts, [])), sorted(samples.read(DATA)))

    def test_held_out_accuracy(self) -> None:
        self.assertGreaterEqual(self.evaluation["accuracy"], 0.95)
        self.assertEqual(
            self.completed.outputs["report"][0]["accuracy"], self.evaluation["accuracy"]
        )

    def test_every_held_out_image_is_counted_once(self) -> None:
        confusion = self.evaluation["confusion"]
        self.assertEqual(sum(map(sum, confusion)), self.completed.outputs["split"][0]["test"])
        self.assertEqual(
            sum(confusion[digit][digit] for digit in range(10)), self.evaluation["right"]
        )
        self.assertEqual(len(self.evaluation["mistakes"]), self.evaluation["wrong"])

    def test_best_candidate_was_trained(self) -> None:
        board = json.loads((self.out / "leaderboard.json").read_text(encoding="utf-8"))
        self.assertEqual(board[0]["mean"], max(entry["mean"] for entry in board))
        for key in ("model", "setting"):
            self.assertEqual(self.evaluation[key], board[0][key])

    def test_report_is_well_formed(self) -> None:
        report = (self.out / "report.md").read_text(encoding="utf-8")
        figures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", report)
        self.assertEqual(figures, ["confusion.svg", "mistakes.svg"])
        for figure in figures:
            self.assertTrue((self.out / figure).is_file(), figure)
        for table in re.findall(r"(?:^\|.*\|\n)+", report, re.M):
            self.assertEqual(len({line.count("|") for line in table.splitlines()}), 1, table)
        self.assertEqual(report.count("\n| "), 12 + 1 + 2, "candidates, their header, the digits")
        self.assertIn("CC BY 4.0", report)

    def test_figures_are_well_formed(self) -> None:
        matrix = ElementTree.parse(self.out / "confusion.svg").getroot()
        self.assertEqual(matrix.tag, f"{SVG}svg")
        self.assertEqual(len(matrix.findall(f"{SVG}g")), 100)
        drawn = [int(text.text or 0) for text in matrix.findall(f"{SVG}g/{SVG}text")]
        self.assertEqual(sum(drawn), self.completed.outputs["split"][0]["test"])
        gallery = ElementTree.parse(self.out / "mistakes.svg").getroot()
        captions = [
            text for text in gallery.findall(f"{SVG}text") if ", read as" in (text.text or "")
        ]
        self.assertEqual(len(captions), min(24, self.evaluation["wrong"]))

    def test_nothing_partial_is_left(self) -> None:
        self.assertEqual([path.name for path in self.out.glob(".*")], [])

    def test_steps_give_the_same_files_again(self) -> None:
        before = {path.name: path.read_bytes() for path in self.out.iterdir()}
        for task in ("check", "split", "choose", "train", "evaluate", "report"):
            self.completed.run_item(task, 0, {})
        self.assertEqual({path.name: path.read_bytes() for path in self.out.iterdir()}, before)

    def test_too_low_an_accuracy_fails_with_a_reason(self) -> None:
        ended = run_step("evaluate", "--accuracy-min", "1.01", out=self.out)
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stderr, r"^error: \d+ of \d+ held-out images .* below the 1\.01")
        self.assertNotIn("Traceback", ended.stderr)


class BadData(unittest.TestCase):
    """What `check` refuses, and the message that says why."""

    def assert_refused(self, text: str, reason: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "digits.csv"
            data.write_text(text, encoding="ascii")
            ended = run_step("check", "--data", data, out=Path(folder) / "out")
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertRegex(ended.stderr, reason)
        self.assertNotIn("Traceback", ended.stderr)

    def setUp(self) -> None:
        with gzip.open(DATA, "rt", encoding="ascii") as lines:
            self.lines = lines.readlines()

    def test_a_short_line(self) -> None:
        self.lines[2] = "1,2,3\n"
        self.assert_refused("".join(self.lines), r"digits\.csv:3: expected 64 pixels and a digit")

    def test_words_for_numbers(self) -> None:
        self.lines[0] = self.lines[0].replace("13", "ink", 1)
        self.assert_refused("".join(self.lines), r"digits\.csv:1: expected whole numbers")

    def test_a_pixel_out_of_range(self) -> None:
        self.lines[4] = "17" + self.lines[4][1:]
        self.assert_refused("".join(self.lines), r"digits\.csv:5: pixel 17 is not between 0 and 16")

    def test_a_digit_that_is_none(self) -> None:
        self.lines[0] = self.lines[0].rstrip()[:-1] + "11\n"
        self.assert_refused("".join(self.lines), r"digits\.csv:1: digit 11 is not between 0 and 9")

    def test_a_digit_that_is_rare(self) -> None:
        few = [line for line in self.lines if not line.endswith(",7\n")]
        self.assert_refused("".join(few), r"digit 7 has 0 of \d+ images")

    def test_no_data_at_all(self) -> None:
        self.assert_refused("", r"digits\.csv: no images in it")

    def test_a_file_that_is_not_there_or_is_not_text(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out, broken = Path(folder) / "out", Path(folder) / "digits.csv.gz"
            broken.write_bytes(DATA.read_bytes()[:5000])
            for data in (Path(folder) / "nowhere.csv", broken):
                ended = run_step("check", "--data", data, out=out)
                self.assertEqual(ended.returncode, 1, data)
                self.assertRegex(ended.stderr, f"^error: {re.escape(str(data))}: ")


class Files(unittest.TestCase):
    """A file is replaced whole, or not at all."""

    def test_a_write_that_fails_leaves_the_old_file_alone(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.md"
            results.write_text(path, "old\n")
            full = mock.patch("os.fsync", side_effect=OSError("no space left"))
            with full, self.assertRaises(OSError):
                results.write_text(path, "new\n")
            self.assertEqual(path.read_text(encoding="utf-8"), "old\n")
            results.write_text(path, "new\n")
            self.assertEqual(path.read_text(encoding="utf-8"), "new\n")
            self.assertEqual(os.listdir(folder), ["report.md"])


if __name__ == "__main__":
    unittest.main()
