# Counts the letters of its argument and leaves the number for later tasks.
set -eu
letters=$(printf %s "$1" | wc -m | tr -d ' ')
echo "letters=$letters" >> "$AUTOGLM_OUTPUT"
echo "$1 has $letters letters"
