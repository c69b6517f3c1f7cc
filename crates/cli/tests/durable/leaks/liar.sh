#!/bin/sh
# Stands for an interpreter that cannot begin.
printf 'no interpreter for %s, %s\n' "$TOKEN" "$MARK" >&2
exit 3
