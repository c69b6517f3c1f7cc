#!/bin/sh
# Stands for a program that finds files.
echo '{"files": ["a.txt", "b.txt"]}' > "$AUTOGLM_OUTPUT"
