#!/bin/sh
# Stands for a training that is better in each round.
echo train.sh "$@"
round=${2:-1}
echo "loss=$(awk -v round="$round" 'BEGIN { print 0.4 / round }')" >> "$AUTOGLM_OUTPUT"
echo "model=model.bin" >> "$AUTOGLM_OUTPUT"
