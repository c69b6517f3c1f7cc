#!/bin/sh
# Stands for a program that finds 120 files.
files=$(seq -f '"%g.png",' 120 | tr -d '\n')
echo "{\"files\": [${files%,}]}" > "$AUTOGLM_OUTPUT"
