#!/usr/bin/env python3
"""Stands for a reader of yours, which asks a model what a page says."""

import sys

print("reads", sys.argv[1])
