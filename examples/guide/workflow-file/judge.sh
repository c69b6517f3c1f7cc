#!/bin/sh
# Stands for a program that judges a model.
echo judge.sh "$@"
echo "score=0.95" >> "$AUTOGLM_OUTPUT"
