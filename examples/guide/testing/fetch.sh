#!/bin/sh
# Stands for a program that fetches the rows of a day.
echo "the rows of $1"
echo "rows=12" >> "$AUTOGLM_OUTPUT"
