# Takes a copy of the source, and tells which cities are in it, as JSON.
set -eu
mkdir -p "$OUT"
rm -f "$OUT"/part-*.csv
test -r "$SOURCE" || { echo "$SOURCE is not there yet" >&2; exit 75; }
tail -n +2 "$SOURCE" > "$OUT/sales.csv.partial"
mv "$OUT/sales.csv.partial" "$OUT/sales.csv"
cut -d, -f1 "$OUT/sales.csv" | sort -u |
  awk '{ list = list (NR > 1 ? ", " : "") "\"" $0 "\"" } END { print "{\"cities\": [" list "]}" }' \
  > "$AUTOGLM_OUTPUT"
