#!/usr/bin/env bash
# Compares what operations and networks cost in Tidemill and TensorFlow.
#
#   benches/peers/kernels.sh [--quick] [--threads N] [--only PART_OF_A_NAME]...
#
# It makes what it needs in target/peers: a Python environment, the graphs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

cargo build --release --quiet --manifest-path "$here/rust/Cargo.toml" --bin peer-graph >&2

exec "$venv/bin/python" "$here/kernels.py" --program "$CARGO_TARGET_DIR/release/peer-graph" \
    --corpus "$root/tests/conformance/corpus" --folder "$cache/kernels" "$@"
