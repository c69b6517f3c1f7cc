"""Fits a polynomial by least squares, and tells how far off it is on points that it has not seen."""

import argparse
import json
import os
import pathlib

arguments = argparse.ArgumentParser()
arguments.add_argument("--degree", type=int, required=True)
arguments.add_argument("--ridge", type=float, required=True)
given = arguments.parse_args()


def solve(matrix, right):
    """Solves a system of linear equations, pivoting."""
    rows = [row + [value] for row, value in zip(matrix, right)]
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(size):
            if row != column:
                factor = rows[row][column] / rows[column][column]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column])]
    return [rows[row][size] / rows[row][row] for row in range(size)]


data = json.loads(pathlib.Path("out/data.json").read_text())
powers = range(given.degree + 1)
matrix = [[sum(x ** (a + b) for x, _ in data["train"]) for b in powers] for a in powers]
for power in powers:
    matrix[power][power] += given.ridge
right = [sum(y * x**power for x, y in data["train"]) for power in powers]
weights = solve(matrix, right)

misses = [y - sum(w * x**power for power, w in enumerate(weights)) for x, y in data["judge"]]
error = round(sum(miss**2 for miss in misses) / len(misses), 4)

file = pathlib.Path(f"out/model-{given.degree}-{given.ridge}.json")
partial = file.with_suffix(".partial")
partial.write_text(json.dumps({"degree": given.degree, "ridge": given.ridge, "weights": weights}))
partial.rename(file)

model = {"degree": given.degree, "ridge": given.ridge, "error": error, "file": str(file)}
pathlib.Path(os.environ["AUTOGLM_OUTPUT"]).write_text(json.dumps({"model": model}))
print(f"degree {given.degree}, ridge {given.ridge}: error {error}")
