#!/usr/bin/env bash
# Checks the package: what it depends on, that it publishes, and that what its README says
# works in a project of its own. Called by tests/run.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=false

fail() { printf '%s\n' "$*" >&2; exit 1; }

# The default features' tree, without the crate itself.
crates=$(cargo tree --locked --edges normal --prefix none --no-dedupe | sort -u | tail -n +2 | wc -l)
((crates <= 66)) || fail "the default features bring $crates crates: 66 at most"
duplicates=$(cargo tree --locked --edges normal --duplicates 2>/dev/null)
[[ -z $duplicates ]] || fail "the default features bring crates twice: $duplicates"
echo "$crates crates by default, none twice"

# Each of them, and each that builds one, is in the notes.
noted=$(awk -F' *[|] *' '/^[|] [a-z]/ && $2 != "crate" { print $2, "v" $3 }' tests/dependencies/audits.md | sort)
used=$(cargo tree --locked --edges normal,build --prefix none --no-dedupe |
    awk '$1 != "tower-message-feedback" { print $1, $2 }' | sort -u)
unnoted=$(diff <(cut -d' ' -f1 <<<"$noted") <(cut -d' ' -f1 <<<"$used") | grep '^[<>]' || true)
[[ -z $unnoted ]] ||
    fail "tests/dependencies/audits.md lacks the crates with >, and has those with < in vain: $unnoted"
comm -13 <(printf '%s\n' "$noted") <(printf '%s\n' "$used") |
    sed 's/^/another version than was looked at: /'

# Packaged as crates.io would get it. It is built below, in a project of its own.
changed=()
[[ ${CI:-} ]] || changed=(--allow-dirty)
package() {
    local said
    said=$(cargo "$@" --no-verify --locked "${changed[@]}" --target-dir "$target/package-check" 2>&1) ||
        fail "$said"
    ! grep '^warning' <<<"$said" | grep -v 'aborting upload due to dry run' || fail "cargo $1 warns: $said"
}
package publish --dry-run
package package
version=$(cargo pkgid | sed 's/.*[#@]//')
packages=$target/package-check/package
packaged=$packages/tower-message-feedback-$version
rm -rf "$packaged"
tar -xzf "$packaged.crate" -C "$packages"

# The versions that Cargo.toml asks for at least are enough.
oldest=$(mktemp -d)
trap 'rm -rf "$oldest"' EXIT
cp -r "$packaged/." "$oldest"
# Those of tests ask for more.
awk '/^\[/ { skip = /^\[dev-dependencies/ } !skip' "$packaged/Cargo.toml" >"$oldest/Cargo.toml"
rm "$oldest/Cargo.lock" "$oldest/Cargo.toml.orig"
(
    cd "$oldest"
    # The option waits to be stable.
    RUSTC_BOOTSTRAP=1 cargo update --quiet -Z direct-minimal-versions
    cargo check --quiet --locked --lib --target-dir "$target/package-check/oldest"
)
echo "the oldest versions that are allowed build"

# A project outside of the repository, with the first program of the packaged README.
project=$(mktemp -d)
trap 'rm -rf "$oldest" "$project"' EXIT
cp -r "$packaged" "$project/crate"
mkdir -p "$project/site/src"
cat >"$project/site/Cargo.toml" <<'TOML'
[package]
name = "site"
version = "0.0.0"
edition = "2024"

[workspace]
TOML
cp Cargo.lock "$project/site/"
awk '/^```rust,no_run$/ && !n++ { on = 1; next } /^```$/ { on = 0 } on' \
    "$project/crate/README.md" >"$project/site/src/main.rs"
grep -q 'fn main' "$project/site/src/main.rs" || fail "the README begins with no program"
cd "$project/site"
# As the README says, but for where this crate comes from, and without TLS, which is C that
# takes as long as all the rest.
grep -q '^cargo add tower-message-feedback --features reqwest$' ../crate/README.md
cargo add --quiet --path ../crate --features reqwest
$(grep '^cargo add axum ' ../crate/README.md) --quiet
cargo add --quiet reqwest --no-default-features
# Its port may be taken here.
sed -i 's/127\.0\.0\.1:3000/127.0.0.1:0/; s|^    axum::serve|    println!("{}", listener.local_addr()?);\n&|' src/main.rs
CARGO_TARGET_DIR=$target/package-check cargo build --quiet
coproc site {
    TWILIO_ACCOUNT_SID=AC0123456789abcdef0123456789abcdef TWILIO_AUTH_TOKEN=token \
        exec "$target/package-check/debug/site"
}
pid=$site_PID
read -r -t 30 address <&"${site[0]}"
exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
printf 'GET /confirm?id=1 HTTP/1.0\r\n\r\n' >&3
answer=$(cat <&3)
exec 3>&-
[[ $answer == *"Thank you!"* ]] || fail "the README's program answered: $answer"
kill -INT "$pid"
wait "$pid" || fail "the README's program ended with $?"
echo "the README's lines work in a project of their own"
