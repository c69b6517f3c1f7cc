"""The parts of the pipeline that need nothing installed."""

import unittest

from documents.clean import plain
from documents.evaluate import purity, shared
from documents.gather import FIELDS, of_module
from documents.report import cell, drawn


class Documents(unittest.TestCase):
    def test_cleaning_takes_out_examples_and_drawings(self):
        text = "Adds two.\n\n    >>> add(1, 2)\n    3\n-----\nMore  words"
        self.assertEqual(plain(text), "Adds two. 3 More words")
        self.assertEqual(plain(">>> only()\n"), "")

    def test_a_perfect_grouping_is_all_that_there_is_to_know(self):
        same = [(1, "a"), (1, "a"), (2, "b"), (2, "b")]
        mixed = [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
        self.assertAlmostEqual(shared(same), 1.0)
        self.assertAlmostEqual(shared(mixed), 0.0)
        self.assertEqual((purity(same), purity(mixed)), (1.0, 0.5))

    def test_this_python_has_documents(self):
        import sysconfig
        from pathlib import Path

        library = Path(sysconfig.get_path("stdlib"))
        found = dict(of_module(library, "json"))
        self.assertIn("json.decoder.JSONDecoder", found)
        self.assertTrue(all(modules for modules in FIELDS.values()))

    def test_the_map_escapes_names(self):
        svg = drawn([{"group": 0, "name": "<b>", "place": [0.5, 0.5]}])
        self.assertIn("&lt;b&gt;", svg)

    def test_no_name_breaks_the_table(self):
        self.assertEqual(cell(" two\r\nlines | <b>"), "two lines \\| &lt;b&gt;")


if __name__ == "__main__":
    unittest.main()
