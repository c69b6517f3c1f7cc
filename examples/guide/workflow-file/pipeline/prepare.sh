#!/bin/sh
# Stands for a program that prepares data.
echo "data.csv is as it should be"
