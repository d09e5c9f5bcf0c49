#!/usr/bin/env bash
# Lives so many days of the simulation, from a seed on:
# tests/simulation/run.sh [days, 10000 by default] [first seed, 0 by default]
set -euo pipefail
cd "$(dirname "$0")/../.."
export SIMULATION_SEEDS=${1:-10000} SIMULATION_FROM=${2:-0}
exec cargo test --release --all-features --test simulation the_promises -- --nocapture
