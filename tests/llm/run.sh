#!/bin/sh
# Language models for real: llama.cpp with a random model, and what the official client sends.
#
#     tests/llm/run.sh [AUTOGLM [FOLDER]]
#
# It installs what it needs into FOLDER (kept between runs if it is named; about a minute the first
# time), plays flow.yaml, and compares requests.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
autoglm=$(realpath "${1:-$here/../../target/debug/autoglm}")
made=
[ $# -ge 2 ] || made=$(mktemp -d)
work=$(realpath "${2:-$made}")
state=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$state" ${made:+"$made"}
}
trap finish EXIT INT TERM

"$here/install.sh" "$work"
cd "$work"
node server.mjs random.gguf "$state/port" "$state/requests" &
server=$!
tries=0
until [ -s "$state/port" ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 600 ] && kill -0 "$server" || { echo "the server does not start" >&2; exit 1; }
  sleep 0.1
done
endpoint="http://127.0.0.1:$(cat "$state/port")/v1"

export LLM_KEY=sk-0123456789abcdef AUTOGLM_HOME="$state/home"
REPORT="$state/report" "$autoglm" run "$here/flow.yaml" -p "endpoint=$endpoint"
python3 - "$state/report" <<'END'
import json, sys
with open(sys.argv[1]) as file:
    outputs = json.load(file)
text, whole, fits = outputs["text"], outputs["whole"], outputs["fits"]
assert text["text"] == whole["text"], (text, whole)
assert text["usage"]["tokens_out"] > 0 and text["usage"]["cost_micro"] > 0, text
assert fits["json"]["kind"] in ("river", "lake"), fits
one, many = outputs["one"], outputs["many"]
assert many["count"] == 3 and one["embedding"] == many["embeddings"][0]
print("answers fit:", fits["json"], "- text:", repr(text["text"][:40]))
END
if grep -rq "$LLM_KEY" "$AUTOGLM_HOME"; then
  echo "the key stands in the state folder" >&2
  exit 1
fi

mv "$state/requests" "$state/ours"
: > "$state/requests"
venv/bin/python "$here/compare.py" "$endpoint" "$state/ours" "$state/requests"
