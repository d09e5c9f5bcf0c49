#!/usr/bin/env bash
# Changes the code in small ways, and says which changes no test notices:
# tests/mutants.sh [k/n, one part of n of them] [files, all rooms by default]
#
# A part of a room for a look: tests/mutants.sh 0/20 'src/delivery/**'. Needs cargo-mutants,
# and what tests/run.sh needs.
set -euo pipefail
cd "$(dirname "$0")/.."
part=${1:-0/1}
files=("${@:2}")
((${#files[@]})) || files=('src/outgoing/**' 'src/incoming/**' 'src/delivery/**' 'src/store/**' 'src/twilio/**')
export CARGO_PROFILE_DEV_DEBUG=false
tests=(delivery handle incoming outgoing postgres privacy redis report sqlite store)
exec cargo mutants --shard "$part" --sharding round-robin --output "${CARGO_TARGET_DIR:-target}" \
    --exclude 'src/store/conformance/**' --timeout 300 "${files[@]/#/--file=}" \
    -- --all-features --lib "${tests[@]/#/--test=}"
