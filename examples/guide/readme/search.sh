#!/bin/sh
# Stands for a search of yours: finds three pages.
echo "searches for $1"
echo '{"pages": ["a.html", "b.html", "c.html"]}' > "$AUTOGLM_OUTPUT"
