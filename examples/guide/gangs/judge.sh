#!/bin/sh
# Stands for a program of yours: says by which name it was called, and with what.
echo "$(basename "$0")" "$@"
