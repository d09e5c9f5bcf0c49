#!/usr/bin/env bash
# Runs every test, the lints and the documentation. Needs stable Rust, and says
# so if it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v cargo >/dev/null || missing+=("cargo (https://rustup.rs)")
cargo fmt --version >/dev/null 2>&1 || missing+=("rustfmt (rustup component add rustfmt)")
cargo clippy --version >/dev/null 2>&1 || missing+=("clippy (rustup component add clippy)")
# ring, the cryptography of the HTTPS client, compiles C.
command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null ||
    missing+=("a C compiler (apt-get install gcc)")
if ((${#missing[@]})); then
    printf 'missing: %s\n' "${missing[@]}" >&2
    exit 1
fi

step() {
    printf '\n== %s\n' "$*"
    "$@"
}

step cargo fmt --check
step cargo clippy --all-features --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --all-features --no-deps
# Each feature alone, without what the tests enable.
for features in "" axum https-client reqwest simulator test-util; do
    step cargo clippy --quiet --lib --no-default-features --features "$features" -- -D warnings
done
quickstart=$(step cargo run --quiet --example quickstart)
printf '%s\n' "$quickstart"
for line in '12 messages, 12 of them with ProvideFeedback=true' '6 times Outcome=confirmed'; do
    grep -qF "$line" <<<"$quickstart" || { echo "the quickstart did not print: $line" >&2; exit 1; }
done
step cargo test --all-features
