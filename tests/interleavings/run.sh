#!/usr/bin/env bash
# Tries out in which order threads may come to what they share; the argument says in how
# many orders for each test (100, or for a night 10000).
#
# A failure prints the schedule it happened in: `REPLAY=<schedule> run.sh <iterations> <test>`
# runs that one again. What comes behind the argument goes to the tests.
set -euo pipefail
cd "$(dirname "$0")"
export ITERATIONS=${1:-100}
# Everything is built with the cfg, and so apart from everything else.
target=$(realpath -m "${CARGO_TARGET_DIR:-../../target}")
export CARGO_TARGET_DIR=$target/interleavings RUSTFLAGS="--cfg message_feedback_shuttle"
export CARGO_INCREMENTAL=0
exec cargo test --quiet --locked -- "${@:2}"
