#!/usr/bin/env bash
# Lets TensorFlow and NumPy read what Tidemill writes, and the reverse: graphs, checkpoints,
# SavedModels, arrays, records, events.
#
#   tests/peers/run.sh            with the TensorFlow of python3, or of $PYTHON
#   tests/peers/run.sh --install  with one that it installs in target/peers-tests
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-python3}
if [[ "${1:-}" == --install ]]; then
    venv=$root/target/peers-tests
    if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
        "$python" -m venv --clear "$venv"
        "$venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
        cp "$here/requirements.txt" "$venv/installed.txt"
    fi
    python=$venv/bin/python
fi

corpus=$root/tests/conformance/corpus
written=$(mktemp -d)
trap 'rm -rf "$written"' EXIT
cargo run --release --quiet --manifest-path "$root/Cargo.toml" \
    -p tidemill-testing --example rewrite_corpus -- "$corpus" "$written"
"$python" "$here/check.py" "$corpus" "$written"

mkdir "$written/files-of-peers" "$written/files"
"$python" "$here/files.py" make "$written/files-of-peers"
cargo run --release --quiet --manifest-path "$root/Cargo.toml" \
    -p tidemill-testing --example rewrite_files -- "$written/files-of-peers" "$written/files"
"$python" "$here/files.py" check "$written/files-of-peers" "$written/files"
