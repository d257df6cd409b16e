#!/usr/bin/env bash
# Compares what a run costs in Tidemill, TensorFlow, JAX, candle and rust-autograd.
#
#   benches/peers/session.sh [--quick] [--only CASE]...
#
# It makes what it needs in target/peers: a Python environment, the programs of the Rust peers.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

cargo build --release --quiet --manifest-path "$here/rust/Cargo.toml" --bin peer-tidemill \
    --bin peer-candle --bin peer-autograd >&2
cargo build --release --quiet --manifest-path "$root/Cargo.toml" --example linear_regression >&2
strip -o "$cache/linear_regression" "$CARGO_TARGET_DIR/release/examples/linear_regression"

exec "$venv/bin/python" "$here/session.py" \
    --binaries "$CARGO_TARGET_DIR/release" --example "$cache/linear_regression" "$@"
