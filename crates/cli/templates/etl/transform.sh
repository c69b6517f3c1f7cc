# Sums the sales of one city. Arguments: the city, the number of the part.
set -eu
awk -F, -v city="$1" '$1 == city { sum += $2 } END { print city "," sum }' "$OUT/sales.csv" \
  > "$OUT/part-$2.csv.partial"
mv "$OUT/part-$2.csv.partial" "$OUT/part-$2.csv"
