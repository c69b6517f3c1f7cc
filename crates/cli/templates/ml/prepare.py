"""Makes points on a curve with some noise: a part to train on, and a part to judge by."""

import argparse
import json
import pathlib
import random

arguments = argparse.ArgumentParser()
arguments.add_argument("--seed", type=int, required=True)
seed = arguments.parse_args().seed

noise = random.Random(seed)
points = []
for step in range(60):
    x = -1 + step / 30
    points.append([x, 1 - 2 * x + 3 * x**3 + noise.gauss(0, 0.1)])
noise.shuffle(points)

out = pathlib.Path("out")
out.mkdir(exist_ok=True)
partial = out / "data.json.partial"
partial.write_text(json.dumps({"train": points[:40], "judge": points[40:]}))
partial.rename(out / "data.json")
print(f"{len(points)} points")
