#!/bin/sh
# Stands for a program of yours that counts rows.
echo "rows=7" >> "$AUTOGLM_OUTPUT"
