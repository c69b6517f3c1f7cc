"""What a workflow of functions is written as. Nothing is run here."""

import json
import unittest

from openglm import WorkflowError, task, workflow


@task(retry=2)
def load(path: str) -> list:
    return path.split("/")


@task
def length(word: str) -> int:
    return len(word)


@task(resources={"cpu": "500m"})
def total(numbers: list, base: int = 0) -> int:
    return sum(numbers) + base


@task
def tell(text: str, **more: str) -> str:
    return text + str(more)


@workflow(max_parallel=4)
def words(path: str = "a/b", base: int = 1):
    """Counts letters.

    And more.
    """
    counts = length.map(load(path))
    return total(counts, base=base + 1)


class Build(unittest.TestCase):
    def test_calls_become_tasks_and_values_dependencies(self):
        file = words.build(python="python3")
        self.assertEqual(file["name"], "words")
        self.assertEqual(file["description"], "Counts letters.")
        self.assertEqual(file["max_parallel"], 4)
        self.assertEqual(
            file["params"],
            {"path": {"type": "string", "default": "a/b"}, "base": {"type": "int", "default": 1}},
        )
        tasks = file["tasks"]
        self.assertEqual(list(tasks), ["load", "length", "total", "return"])
        self.assertEqual(tasks["load"]["function"]["args"], {"path": "{{ params.path }}"})
        self.assertEqual(tasks["load"]["retry"], 2)
        self.assertTrue(tasks["load"]["function"]["handler"].endswith("test_build:load.recorded"))
        self.assertEqual(tasks["length"]["foreach"], 'tasks["load"].outputs.result')
        self.assertEqual(tasks["length"]["function"]["args"], {"word": "{{ item }}"})
        self.assertEqual(
            tasks["total"]["function"]["args"],
            {
                "numbers": '{{ tasks["length"].outputs.result }}',
                "base": "{{ (params.base + 1) }}",
            },
        )
        self.assertEqual(tasks["total"]["depends_on"], ["length"])
        self.assertEqual(
            tasks["return"],
            {"emit": {"result": '{{ tasks["total"].outputs.result }}'}, "depends_on": ["total"]},
        )

    def test_outside_of_a_workflow_a_task_is_its_function(self):
        self.assertEqual(total([1, 2], base=3), 6)
        self.assertEqual(length.map(["a", "bc"]), [1, 2])
        self.assertEqual(total.recorded([1, 2]), {"result": 3})

    def test_a_task_that_is_called_twice_is_there_twice(self):
        @workflow
        def twice():
            first = tell("a")
            tell.options(after=[first], when=first == "a{}", name="say")("b", much="c")
            tell("c")

        tasks = twice.build()["tasks"]
        self.assertEqual(list(tasks), ["tell", "say", "tell_2"])
        self.assertEqual(tasks["say"]["when"], '(tasks["tell"].outputs.result == "a{}")')
        self.assertEqual(tasks["say"]["depends_on"], ["tell"])
        self.assertEqual(tasks["say"]["function"]["args"], {"text": "b", "much": "c"})

    def test_a_batch_takes_values_and_nothing_else(self):
        @task(batch={"max_size": 4})
        def lengths(words: list) -> list:
            return [len(word) for word in words]

        self.assertEqual(lengths.map(["a", "bc"]), [1, 2])

        @workflow
        def alone():
            lengths(["a"])

        with self.assertRaisesRegex(WorkflowError, "by `map`"):
            alone.build()
        with self.assertRaisesRegex(WorkflowError, "nothing but the values"):
            lengths.map(["a"], other=1)

    def test_texts_that_look_like_expressions_stay_texts(self):
        @workflow
        def odd():
            tell("{{ params.secret }} and {% raw %}")

        args = odd.build()["tasks"]["tell"]["function"]["args"]
        self.assertEqual(args["text"], '{{ "{{ params.secret }} and {% raw %}" }}')

    def test_what_cannot_be_is_told(self):
        @workflow
        def decides():
            if length("a") > 1:
                tell("b")

        with self.assertRaisesRegex(WorkflowError, "when=value > 3"):
            decides.build()

        @workflow
        def loops():
            for _ in load("a"):
                pass

        with self.assertRaisesRegex(WorkflowError, "task.map"):
            loops.build()

        @workflow
        def wrong():
            length("a", "b")

        with self.assertRaisesRegex(WorkflowError, "length: too many positional arguments"):
            wrong.build()

        @workflow
        def nothing():
            pass

        with self.assertRaisesRegex(WorkflowError, "calls no task"):
            nothing.build()

        @workflow
        def objects():
            tell(object())

        with self.assertRaisesRegex(WorkflowError, "type object"):
            objects.build()

        with self.assertRaisesRegex(WorkflowError, "no setting retries"):
            task(retries=3)(len)

    def test_the_file_is_json(self):
        self.assertEqual(json.loads(words.to_json())["version"], 1)


if __name__ == "__main__":
    unittest.main()
