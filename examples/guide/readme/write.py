#!/usr/bin/env python3
"""Stands for a writer of yours: leaves a report."""

with open("report.md", "w", encoding="utf-8") as report:
    report.write("# Rivers\n")
