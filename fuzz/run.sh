#!/usr/bin/env bash
# Fuzzes every target for so many seconds (60), from the conformance corpus and what earlier runs
# found, and prints how often each ran and how much of the code it reached:
#     fuzz/run.sh [seconds]
# It needs `cargo install cargo-fuzz`. What it finds is in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
# Sanitizers are options of unstable compilers, which a stable one has when it is told to.
export RUSTC_BOOTSTRAP=1
seeds=tests/conformance/corpus

seed() { # target, file: adds the file to what the target starts from
    local folder=fuzz/corpus/$1
    mkdir -p "$folder"
    cp "$2" "$folder/$(sha1sum "$2" | cut -c1-16)"
}

find "$seeds" -name '*.pb' -size -64k | while read -r file; do seed graph_def "$file"; done
find "$seeds" -name '*.index' | while read -r file; do seed checkpoint_index "$file"; done
find "$seeds" -name '*.safetensors' -size -16k | while read -r file; do seed safetensors "$file"; done
for file in crates/tidemill-formats/tests/numpy/*.np?; do seed npy "$file"; done
for folder in tests/regressions/*/; do
    for file in "$folder"*; do seed "$(basename "$folder")" "$file"; done
done
# Two events, whose checksums do not matter here.
mkdir -p fuzz/corpus/records
printf '\x0f\0\0\0\0\0\0\0\0\0\0\0\x1a\x0dbrain.Event:2\0\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\x2a\x0a\x0a\x08\x0a\x01x\x15\0\0\x80\x3f\0\0\0\0' \
    > fuzz/corpus/records/scalars
find "$seeds" -name '*.data-00000-of-00001' -size -32k | while read -r data; do
    index=${data%.data-*}.index
    [ -f "$index" ] || continue
    size=$(stat -c %s "$data")
    { printf "\\x$(printf %02x $((size % 256)))\\x$(printf %02x $((size / 256)))"; cat "$data" "$index"; } > fuzz/seed
    seed checkpoint_data fuzz/seed
    rm fuzz/seed
done

cargo fuzz build >&2
status=0
for target in $(cargo fuzz list); do
    log=$(mktemp)
    cargo fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=2048 -malloc_limit_mb=256 \
        -timeout=5 -max_len=65536 -print_final_stats=1 > "$log" 2>&1 || status=1
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    reached=$(grep -oE 'cov: [0-9]+' "$log" | tail -1)
    found=$(grep -cE '^(SUMMARY|==[0-9]+== ERROR)' "$log" || true)
    echo "$target: ${runs:-?} runs, ${reached:-cov: ?}, $found findings"
    [ "$found" = 0 ] || tail -40 "$log" >&2
    rm "$log"
done
exit $status
