#!/usr/bin/env python3
import sys

print("train.py", *sys.argv[1:])
