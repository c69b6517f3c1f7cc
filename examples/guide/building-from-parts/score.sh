#!/bin/sh
# Stands for a program of yours that finds the best of some rows.
echo "best=$(($1 * 2))" >> "$AUTOGLM_OUTPUT"
