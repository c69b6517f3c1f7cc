"""Workflows of functions on a real engine, which each test starts in a folder of its own."""

import os
import shutil
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import flows  # noqa: E402
import openglm  # noqa: E402
from openglm import ApiError, Engine, RunFailed, WorkflowError  # noqa: E402

PATIENCE_SECONDS = 60

# Where it is not installed, the processes of the engine find the package as this one does.
os.environ["PYTHONPATH"] = str(Path(openglm.__file__).resolve().parents[1])


class Runs(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.engine = Engine(self.folder / "state", options=["--cpu", "2"])
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.engine.close)

    def test_a_workflow_gives_what_it_returns(self):
        self.assertEqual(flows.letters.run(engine=self.engine), 7)
        self.assertEqual(flows.letters.run(engine=self.engine, text="abcd e", base=0), 5)
        runs = list(self.engine.runs(name="letters"))
        self.assertEqual([run.status for run in runs], ["succeeded", "succeeded"])

    def test_logs_and_outputs_can_be_read(self):
        run = flows.letters.submit(engine=self.engine)
        self.assertEqual(run.wait(PATIENCE_SECONDS), "succeeded")
        said = sorted(line.text for line in run.logs("size"))
        self.assertEqual(said, ["sizing a\n", "sizing bc\n", "sizing def\n"])
        self.assertEqual(run.outputs("size"), {"result": [1, 2, 3]})
        self.assertEqual(run.outputs("total"), {"result": {"total": 7}})

    def test_a_failure_is_tried_again_and_at_last_told(self):
        self.assertEqual(flows.retried.run(engine=self.engine, folder=str(self.folder)), "worked")
        with self.assertRaises(RunFailed) as failed:
            flows.refused.run(engine=self.engine, why="because")
        self.assertIn("refuse", failed.exception.troubles)
        run = self.engine.run(failed.exception.run)
        said = "".join(line.text for line in run.logs("refuse"))
        self.assertIn("ValueError: because", said)
        self.assertIn("flows.py", said)

    def test_one_call_takes_many_values(self):
        self.assertEqual(flows.batched.run(engine=self.engine), [1, 2, 3])
        run = flows.batched.submit(engine=self.engine, text="ab bad c")
        self.assertEqual(run.wait(PATIENCE_SECONDS), "failed")
        statuses = {it["name"]: it["items"] for it in run.details()["tasks"]}
        self.assertEqual(statuses["lengths"].get("failed"), 1)

    def test_a_task_knows_who_it_is(self):
        who = flows.identified.run(engine=self.engine)
        self.assertEqual(who["task"], "who")
        self.assertTrue(who["token"] and who["folder"])
        self.assertEqual(who["python"], sys.executable)

    def test_a_task_names_outputs_beside_its_result(self):
        run = flows.counting.submit(engine=self.engine)
        self.assertEqual(run.result(PATIENCE_SECONDS), 4)
        self.assertEqual(run.outputs("count"), {"words": 2, "lines": 1, "result": 4})

    def test_a_task_that_hangs_is_ended_and_one_that_lives_is_not(self):
        self.assertEqual(flows.living.run(engine=self.engine), "still here")
        with self.assertRaises(RunFailed) as failed:
            flows.silent.run(engine=self.engine)
        self.assertEqual(failed.exception.troubles, {"mute": "timed out"})

    def test_conditions_choose(self):
        run = flows.branching.submit(engine=self.engine)
        self.assertEqual(run.wait(PATIENCE_SECONDS), "succeeded")
        statuses = {it["name"]: it["status"] for it in run.details()["tasks"]}
        self.assertEqual(statuses, {"good": "skipped", "bad": "succeeded"})

    def test_a_run_can_be_stopped_and_waits_have_an_end(self):
        run = flows.resting.submit(engine=self.engine)
        with self.assertRaises(TimeoutError):
            run.wait(0.5)
        run.stop()
        self.assertEqual(run.wait(PATIENCE_SECONDS), "cancelled")

    def test_an_engine_that_ends_leaves_its_runs_to_the_next(self):
        run = flows.resting.submit(engine=self.engine, seconds=1.0)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while run.details()["run"]["items"].get("running") != 1:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.engine.close()
        self.assertFalse(self.engine.api.is_served())
        self.assertEqual(run.result(PATIENCE_SECONDS), "rested")

    def test_what_is_refused_says_why(self):
        with self.assertRaises(ApiError) as refused:
            flows.letters.submit(engine=self.engine, base="many")
        self.assertTrue(refused.exception.code.startswith("E01"), refused.exception)
        with self.assertRaisesRegex(WorkflowError, "no parameter texts"):
            flows.letters.submit(engine=self.engine, texts="a")
        with self.assertRaises(ApiError):
            self.engine.run(99).details()


if __name__ == "__main__":
    unittest.main()
