#!/usr/bin/env bash
# Other machines: the crate compiles where a pointer has 32 bits, and what it writes to
# Redis is read by machines with the other order of bytes. Needs redis-server, the targets
# i686-unknown-linux-gnu and s390x-unknown-linux-gnu, and for the second a cross compiler and
# QEMU (Debian: gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user-static).
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ -z ${RUSTC:-} ]]; then
    rustup target add i686-unknown-linux-gnu s390x-unknown-linux-gnu
fi
target=$(realpath -m "${CARGO_TARGET_DIR:-target}/portability")
export CARGO_TARGET_DIR=$target CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=false
# Without what is written in C, which needs a C compiler for each of them.
cargo check --lib --no-default-features --target i686-unknown-linux-gnu \
    --features axum,gzip,metrics,serde,simulator,test-util,postgres,redis

export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER=s390x-linux-gnu-gcc
manifest=tests/portability/Cargo.toml
cargo build --manifest-path "$manifest" --target s390x-unknown-linux-gnu
cargo build --manifest-path "$manifest"
little=$target/debug/portability
big() { qemu-s390x-static -L /usr/s390x-linux-gnu "$target/s390x-unknown-linux-gnu/debug/portability" "$@"; }

port=$((20000 + RANDOM % 20000))
redis-server --port "$port" --save '' --daemonize no >/dev/null &
trap 'kill %1' EXIT
until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.1; done
for writer in little big; do
    [[ $writer == little ]] && reader=big || reader=$little
    [[ $writer == little ]] && writer=$little
    redis-cli -p "$port" flushall >/dev/null
    "$writer" write "redis://127.0.0.1:$port" >"$target/written"
    "$reader" read "redis://127.0.0.1:$port" >"$target/read"
    diff "$target/written" "$target/read"
done
echo 'each reads what the other wrote'
