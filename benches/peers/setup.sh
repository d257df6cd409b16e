# What session.sh, kernels.sh and models.sh share: the folders, and a Python environment in target/peers.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${PEERS_CACHE:-$root/target/peers}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
venv=$cache/venv

requirements=("$here/requirements.txt")
if [ "${PEERS_TORCH:-}" = 1 ]; then
    requirements+=("$here/requirements-torch.txt")
fi

mkdir -p "$cache"
# Each list by itself: a script that asks for fewer packages leaves the others installed.
for list in "${requirements[@]}"; do
    installed=$venv/$(basename "$list")
    if ! cmp -s "$list" "$installed"; then
        [ -x "$venv/bin/pip" ] || "${PYTHON:-python3}" -m venv --clear "$venv" >&2
        "$venv/bin/pip" install --quiet --requirement "$list" >&2
        cp "$list" "$installed"
    fi
done
