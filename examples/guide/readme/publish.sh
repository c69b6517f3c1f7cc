#!/bin/sh
# Stands for a release of yours.
echo "publishes $1"
