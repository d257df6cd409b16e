#!/usr/bin/env bash
# Compares networks and large operations in Tidemill, TensorFlow, JAX, ONNX Runtime, LiteRT, PyTorch,
# candle and tract.
#
#   benches/peers/models.sh [--quick] [--threads 1|2] [--only PART_OF_A_NAME]... [--peers NAME,...]
#                           [--tidemill NAME=PROGRAM]...
#
# It makes what it needs in target/peers: a Python environment, the graphs. With PEERS_TORCH=1 the
# environment has PyTorch, which is left out where it is not installed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

cargo build --release --quiet --manifest-path "$here/rust/Cargo.toml" --bin peer-model \
    --bin peer-limits --bin peer-candle-model --bin peer-tract >&2

exec "$venv/bin/python" "$here/models.py" \
    --binaries "$CARGO_TARGET_DIR/release" --cache "$cache" "$@"
