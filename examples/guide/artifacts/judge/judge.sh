#!/bin/sh
# Stands for a judge of yours: looks at all models, and writes a page.
cat model-*.bin
find pictures -name '*.png' | sort
echo '<p>The second is the best.</p>' > report.html
