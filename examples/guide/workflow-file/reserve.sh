#!/bin/sh
# Stands for a program that reserves something.
echo "id=R-17" >> "$AUTOGLM_OUTPUT"
