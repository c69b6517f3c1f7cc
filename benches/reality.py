"""Policies by loads, simulated and really run: how far the two are apart.

    python3 benches/reality.py [AUTOGLM]          the table, in about six minutes
    python3 benches/reality.py --short [AUTOGLM]  one load, in about one

Generated jobs of one to seven tasks come at random times to four nodes that are made up, of which
one is twice as fast and one has GPUs. Each policy plans the same jobs, once simulated and once
really, with tasks that sleep for one to ten seconds. Figures are means over several seeds: where
the order of two ends decides who goes where, one run differs from the next. The policies are
rehearsed side by side, since sleeping needs no core. It measures whatever AUTOGLM says, by default
target/release/autoglm, and prints the table as it stands in docs/guide/rehearse.md.
"""

import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

POLICIES = ["fifo", "round_robin", "autoglm"]
# The part of the cluster that is asked for, and how many jobs come: about 35 s each.
LOADS = [("light", 0.4, 16), ("medium", 0.8, 30), ("heavy", 1.4, 46)]
SEEDS = [1, 2, 3]
NODES = """nodes:
  - {name: usual, count: 2, cpu: 4, memory: 16Gi}
  - {name: fast, cpu: 4, memory: 16Gi, speed: 2}
  - {name: gpu, cpu: 4, memory: 16Gi, gpus: 2}
"""
MEASURES = [
    ("DONE", lambda figures: figures["completion"]["mean_s"]),
    ("WAIT", lambda figures: figures["wait"]["mean_s"]),
    ("MAKESPAN", lambda figures: figures["makespan_s"]),
]


def jobs(count, seed):
    """A trace of jobs: a task, up to five behind it, of which one may want a GPU, and a last one."""
    chance = random.Random(seed)
    rows = ["job,name,submit_s,duration_s,estimate_s,cpu,gpus,depends_on"]

    def row(job, name, mean, cpu, gpus, before):
        took = min(max(chance.lognormvariate(math.log(mean), 0.6), 1.0), 10.0)
        guess = took * chance.lognormvariate(0, 0.3)
        rows.append(f"{job},{name},0,{took:.3f},{guess:.3f},{cpu},{gpus},{before}")

    for job in range(count):
        wide = chance.choice([0, 1, 2, 3, 5])
        row(job, "first", 1.5, 1, "", "")
        for number in range(wide):
            gpus = 1 if chance.random() < 0.15 else ""
            row(job, f"middle-{number}", 3.0, chance.choice([1, 1, 2]), gpus, "first")
        before = ";".join(f"middle-{number}" for number in range(wide))
        if wide:
            row(job, "last", 1.2, 1, "", before)
    return "\n".join(rows) + "\n"


def rehearsed(program, folder, load, seed, policy):
    """What came of a policy: its figures, simulated and real."""
    command = [program, "simulate", f"{seed}.csv", "--cluster", "nodes.yaml", "--rehearse", "1",
               "--arrivals", f"poisson:{load}", "--seed", str(seed), "--compare", policy,
               "-o", "json"]
    told = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
    simulated, real = [result["figures"] for result in json.loads(told.stdout)["results"]]
    return [[of(figures) for _, of in MEASURES] for figures in (simulated, real)]


def means(runs):
    """Measure by measure, the means of what was simulated and of what was real."""
    for measure in range(len(MEASURES)):
        yield [sum(run[way][measure] for run in runs) / len(runs) for way in (0, 1)]


def cells(simulated, real):
    """One measure in the three columns of the table."""
    # Of almost nothing a part says nothing.
    apart = f"{(real - simulated) / simulated * 100:+6.1f} %" if simulated > 0.05 else "-"
    return f"{simulated:8.2f} {real:8.2f} {apart:>8}"


def main(arguments):
    is_short = "--short" in arguments
    named = [argument for argument in arguments if argument != "--short"]
    program = str(pathlib.Path(named[0] if named else "target/release/autoglm").resolve())
    loads, seeds = (LOADS[1:2], SEEDS[:1]) if is_short else (LOADS, SEEDS)
    heads = "".join(f"  {name + ' sim':>8} {'real':>8} {'apart':>8}" for name, _ in MEASURES)
    print(f"{'LOAD':7} {'POLICY':12}{heads}")
    with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(len(POLICIES)) as pool:
        folder = pathlib.Path(made)
        (folder / "nodes.yaml").write_text(NODES)
        for name, load, count in loads:
            runs = {policy: [] for policy in POLICIES}
            for seed in seeds:
                (folder / f"{seed}.csv").write_text(jobs(count, seed))
                tasks = [pool.submit(rehearsed, program, folder, load, seed, policy)
                         for policy in POLICIES]
                for policy, task in zip(POLICIES, tasks):
                    runs[policy].append(task.result())
            for policy, came in runs.items():
                row = "".join("  " + cells(*pair) for pair in means(came))
                print(f"{name:7} {policy:12}{row}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
