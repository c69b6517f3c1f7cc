#!/bin/sh
# Stands for a program that cannot do what is asked of it.
echo "there is no truck" >&2
exit 1
