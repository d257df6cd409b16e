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
for folder in fuzz/seeds/*/ tests/regressions/*/; do
    for file in "$folder"*; do [ ! -f "$file" ] || seed "$(basename "$folder")" "$file"; done
done
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
    # A constant may repeat one element up to a gibibyte; nothing else may ask for so much.
    limit=256
    [ "$target" != graph_def ] || limit=1100
    cargo fuzz run "$target" -- -max_total_time="$seconds" -malloc_limit_mb=$limit -rss_limit_mb=4096 \
        -timeout=10 -max_len=65536 -print_final_stats=1 > "$log" 2>&1 || status=1
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    reached=$(grep -oE 'cov: [0-9]+' "$log" | tail -1)
    found=$(grep -cE '^(SUMMARY|==[0-9]+== ERROR)' "$log" || true)
    echo "$target: ${runs:-?} runs, ${reached:-cov: ?}, $found findings"
    [ "$found" = 0 ] || tail -40 "$log" >&2
    rm "$log"
done
exit $status
