# What session.sh, kernels.sh and models.sh share: the folders, and a Python environment in target/peers.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${PEERS_CACHE:-$root/target/peers}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
venv=$cache/venv

mkdir -p "$cache"
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    "${PYTHON:-python3}" -m venv --clear "$venv" >&2
    "$venv/bin/pip" install --quiet --requirement "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$venv/installed.txt"
fi
