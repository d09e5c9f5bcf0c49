#!/usr/bin/env bash
# Runs every test, the lints and the documentation. Needs stable Rust and, for
# the pages of an example, Chromium with its driver. Says what is missing; the
# browser it installs itself where it may.
set -euo pipefail
cd "$(dirname "$0")/.."

browser_is_here() { command -v chromium >/dev/null && command -v chromedriver >/dev/null; }
if ! browser_is_here && ((EUID == 0)) && command -v apt-get >/dev/null; then
    # If it fails, what is missing is listed below.
    apt-get update -qq &&
        apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null || true
fi

missing=()
command -v cargo >/dev/null || missing+=("cargo (https://rustup.rs)")
cargo fmt --version >/dev/null 2>&1 || missing+=("rustfmt (rustup component add rustfmt)")
cargo clippy --version >/dev/null 2>&1 || missing+=("clippy (rustup component add clippy)")
# ring, the cryptography of the HTTPS client, compiles C.
command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null ||
    missing+=("a C compiler (apt-get install gcc)")
command -v chromium >/dev/null || missing+=("chromium (apt-get install chromium)")
command -v chromedriver >/dev/null || missing+=("chromedriver (apt-get install chromium-driver)")
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

step cargo build --quiet --example otp_login
# It says where it is, serves, and ends when it is asked to.
coproc otp_login { exec env -u TWILIO_ACCOUNT_SID "${CARGO_TARGET_DIR:-target}/debug/examples/otp_login" --listen 127.0.0.1:0; }
pid=$otp_login_PID
read -r -t 30 url <&"${otp_login[0]}"
exec 3<>"/dev/tcp/127.0.0.1/${url##*:}"
printf 'GET / HTTP/1.0\r\n\r\n' >&3
page=$(cat <&3)
exec 3>&-
grep -q '<h1>Sign in</h1>' <<<"$page" || { echo "otp_login served: $page" >&2; exit 1; }
kill -INT "$pid"
wait "$pid" || { echo "otp_login ended with $?" >&2; exit 1; }

step cargo test --all-features
