"""Helpers for the inside of a task, as a script has them. Nothing is run here."""

import contextlib
import io
import json
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import openglm


class Helpers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "file"

    def variable(self, name: str):
        return mock.patch.dict(os.environ, {name: str(self.file)})

    def test_outside_of_a_run_they_do_nothing(self):
        with mock.patch.dict(os.environ, clear=True):
            self.assertIsNone(openglm.current())
            openglm.outputs(rows=3)
            openglm.heartbeat()
            openglm.checkpointed()
        self.assertFalse(self.file.exists())

    def test_outputs_of_a_script_keep_their_types_and_what_was_there(self):
        self.file.write_text("name=a=b\n\nrows=2\n")
        with self.variable("AUTOGLM_OUTPUT"):
            openglm.outputs(rows=3)
            openglm.outputs(good=[True, None])
        wanted = {"name": "a=b", "rows": 3, "good": [True, None]}
        self.assertEqual(json.loads(self.file.read_text()), wanted)

    def test_a_heartbeat_touches_the_file_that_is_named(self):
        with self.variable("AUTOGLM_HEARTBEAT"):
            openglm.heartbeat()
        self.assertTrue(self.file.exists())

    def test_each_checkpoint_is_a_line_of_the_file_that_is_named(self):
        with self.variable("AUTOGLM_CHECKPOINTS"):
            openglm.checkpointed()
            openglm.checkpointed("epoch 3\nof 10")
        self.assertEqual(self.file.read_text(), "\nepoch 3 of 10\n")

    def test_progress_is_a_line_of_the_log(self):
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            openglm.progress(3, 10, "epochs")
            openglm.progress(0.5)
        self.assertEqual(said.getvalue(), "progress: 3/10 epochs\nprogress: 0.5\n")


if __name__ == "__main__":
    unittest.main()
