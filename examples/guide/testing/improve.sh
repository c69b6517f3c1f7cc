#!/bin/sh
# Stands for a training that is better each time: the loss is 0.4, 0.2, 0.1, 0.05, ...
touch turns
echo turn >> turns
awk 'END { printf "loss=%g\n", 0.8 / 2 ^ NR }' turns | tee "$AUTOGLM_OUTPUT"
