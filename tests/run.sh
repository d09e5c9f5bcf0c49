#!/usr/bin/env bash
# Runs every test, the lints and the documentation. Needs stable Rust, for the
# stores PostgreSQL, PgBouncer and Redis, for the pages Chromium with its driver and
# axe-core, and for signatures and the gateway Twilio's SDKs for Python and Node, its
# command line, and curl. Says what is missing; all but Rust, a C compiler and Python it
# installs itself where it may.
set -euo pipefail
cd "$(dirname "$0")/.."

# Debian's packages start servers of the system: the tests never use those, they
# start their own on free ports.
has() { PATH="$PATH:/usr/sbin" command -v "$1" >/dev/null; }
has_postgres() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || has initdb ||
        [[ -x $(pg_config --bindir 2>/dev/null)/initdb ]]
}
has_redis() { [[ -x ${TMF_REDIS_SERVER:-} ]] || has redis-server || has valkey-server; }
has_redis_cli() { has redis-cli || has valkey-cli; }
packages=()
has chromium && has chromedriver || packages+=(chromium chromium-driver)
has_postgres || packages+=(postgresql)
has pgbouncer || packages+=(pgbouncer)
has_redis && has_redis_cli || packages+=(redis-server)
has curl || packages+=(curl)
has node && has npm || packages+=(nodejs npm)
if ((${#packages[@]} && EUID == 0)) && has apt-get; then
    # If it fails, what is missing is listed below. One source of many may be away.
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${packages[@]}" >/dev/null || true
fi

target=${CARGO_TARGET_DIR:-target}
sdks=$target/twilio-sdk
# Each in a folder of its own; nothing is installed elsewhere.
python_sdk() {
    python3 -m pip install --quiet --disable-pip-version-check --upgrade \
        --only-binary :all: --target "$sdks/python" twilio==9.13.0
}
npm_sdk() { npm install --silent --no-audit --no-fund --prefix "$sdks/$1" "$2"; }
get() {
    [[ -e $sdks/$1.complete ]] || { "${@:2}" && touch "$sdks/$1.complete"; }
}
mkdir -p "$sdks"
{
    get python python_sdk
    get node npm_sdk node twilio@6.2.0
    get cli npm_sdk cli twilio-cli@6.2.4
} >"$target/sdks.log" 2>&1 &
sdks_pid=$!

axe=$target/axe-core
# What examines pages for people who cannot see, hear or point: one file of an npm package.
if [[ ! -e $axe/axe.min.js ]] && has python3; then
    mkdir -p "$axe"
    python3 - "$axe" <<'PYTHON' || true
import io, sys, tarfile, urllib.request
package = "https://registry.npmjs.org/axe-core/-/axe-core-4.10.3.tgz"
with urllib.request.urlopen(package, timeout=60) as answer:
    files = tarfile.open(fileobj=io.BytesIO(answer.read()))
with files.extractfile("package/axe.min.js") as script:
    open(f"{sys.argv[1]}/axe.min.js", "wb").write(script.read())
PYTHON
fi

missing=()
has cargo || missing+=("cargo (https://rustup.rs)")
cargo fmt --version >/dev/null 2>&1 || missing+=("rustfmt (rustup component add rustfmt)")
cargo clippy --version >/dev/null 2>&1 || missing+=("clippy (rustup component add clippy)")
# ring, the cryptography of the HTTPS client, compiles C, as does SQLite.
has cc || has gcc || has clang ||
    missing+=("a C compiler (apt-get install gcc)")
# libFuzzer is compiled.
has c++ || has g++ || has clang++ || missing+=("a C++ compiler (apt-get install g++)")
has chromium || missing+=("chromium (apt-get install chromium)")
has chromedriver || missing+=("chromedriver (apt-get install chromium-driver)")
has_postgres || missing+=("PostgreSQL (apt-get install postgresql)")
has pgbouncer || missing+=("PgBouncer (apt-get install pgbouncer)")
has_redis && has_redis_cli || missing+=("Redis (apt-get install redis-server)")
has python3 || missing+=("Python 3 (apt-get install python3 python3-pip)")
has curl || missing+=("curl (apt-get install curl)")
has node && has npm || missing+=("Node and npm (apt-get install nodejs npm)")
[[ -e $axe/axe.min.js ]] || missing+=("axe-core (npm pack axe-core, and its axe.min.js to $axe)")
# The tests' servers die with them.
has setpriv || missing+=("setpriv (apt-get install util-linux)")
if ((${#missing[@]})); then
    printf 'missing: %s\n' "${missing[@]}" >&2
    exit 1
fi

step() {
    printf '\n== %s (after %s s)\n' "$*" "$SECONDS"
    "$@"
}
# Nothing here is built twice, or looked at in a debugger.
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=false

# Beside everything else, in what that leaves of the processors.
lint() (
    # A directory of its own, or it and the build would wait for each other.
    export CARGO_TARGET_DIR=$target/lint
    set -e
    renice -n 19 "$BASHPID" >/dev/null || true
    step cargo clippy --quiet --all-features --all-targets -- -D warnings
    # The examples are there for the dependencies' sake: with them those are the same
    # as above.
    RUSTDOCFLAGS="-D warnings" step cargo doc --quiet --all-features --no-deps --lib --examples
    # Each feature alone, without what the tests enable.
    for features in "" axum gzip https-client http2 metrics phone-number reqwest reqwest-middleware \
        serde simulator "test-util sqlite-unbundled" postgres redis; do
        step cargo clippy --quiet --lib --no-default-features --features "$features" -- -D warnings
    done
)

# The package, its dependencies, and what is a project of its own: the orders that threads
# may go in, and hostile input.
apart() (
    renice -n 19 "$BASHPID" >/dev/null || true
    set -e
    step ./tests/package.sh
    step ./tests/audit.sh
    CARGO_TARGET_DIR=$(realpath -m "$target") step ./tests/interleavings/run.sh
    CARGO_TARGET_DIR=$(realpath -m "$target") step ./tests/fuzz/run.sh 30
)

step cargo fmt --check
mkdir -p "$target"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
lint >"$target/lint.log" 2>&1 &
lint=$!
apart >"$target/apart.log" 2>&1 &
apart=$!
step cargo test --quiet --all-features --no-run
if ! wait "$sdks_pid"; then
    cat "$target/sdks.log" >&2
    echo "missing: Twilio's SDKs in $sdks" >&2
    exit 1
fi

# Runs an example, which has to print these lines.
example() {
    local name=$1 printed
    printed=$(step cargo run --quiet --example "$name")
    printf '%s\n' "$printed"
    for line in "${@:2}"; do
        grep -qF "$line" <<<"$printed" || { echo "$name did not print: $line" >&2; exit 1; }
    done
}
example quickstart '12 messages, 12 of them with ProvideFeedback=true' '6 times Outcome=confirmed'
example code_entry '999999: 401, 0 reported' '081500: 200, 1 reported' \
    'the second message is confirmed: true'
example temporary_password 'alice: 401, 0 reported' 'bob: 200, 0 reported' 'alice: 200, 1 reported'
example unique_link 'opened: 0 reported' 'pressed: 1 reported'
example reply_by_message 'forged: answered 403' 'STOP: 0 reported' 'yes: 1 reported'
example delivery_status 'given up: true, abandoned: 1' 'delivered, and status OK in the report: true' \
    '1 reported'
example grpc '1234: Unauthenticated, 0 reported' '4711: Ok, 1 reported'
example hyper_server '404 Not Found: 0 reported' '200 OK: 1 reported'
example reply_by_call 'called: 0 reported' 'pressed 2: 0 reported' 'pressed 1: 1 reported'

example pumping 'ALERT: 60 messages to LV in an hour, and 0 in the busiest before' \
    'Latvia: 60 attempted, 0 conversions'

# Starts an example that serves, whose first line says where. Before `--` stands what
# `env` is given.
serve() {
    local environment=()
    while [[ $1 != -- ]]; do environment+=("$1"); shift; done
    step cargo build --quiet --example "$2"
    coproc example { exec env "${environment[@]}" "$target/debug/examples/$2" "${@:3}"; }
    pid=$example_PID
    read -r -t 30 url <&"${example[0]}"
    serving=/dev/tcp/127.0.0.1/${url##*:}
}
# Prints what it answers to a request.
ask() {
    exec 3<>"$serving"
    printf '%s\r\n' "$@" '' >&3
    cat <&3
    exec 3>&-
}
# It has to end when it is asked to.
stop() {
    kill "-$1" "$pid"
    wait "$pid" || { echo "an example ended with $?" >&2; exit 1; }
}
# What the last answer has to say.
says() { grep -qF -- "$1" <<<"$answer" || { echo "it answered: $answer" >&2; exit 1; }; }

serve -u TWILIO_ACCOUNT_SID -- otp_login --listen 127.0.0.1:0
answer=$(ask 'GET / HTTP/1.0')
says '<h1>Sign in</h1>'
stop INT

serve TWILIO_ACCOUNT_SID=AC0123456789abcdef0123456789abcdef TWILIO_AUTH_TOKEN=token \
    GATEWAY_TOKEN='a token of the tests' GATEWAY_CORRELATION_KEY='a key of the tests' \
    GATEWAY_STORE="sqlite:$target/gateway.db" -- gateway --listen 127.0.0.1:0
answer=$(ask 'GET /ready HTTP/1.0')
says '"ready":true'
answer=$(ask 'POST /confirm HTTP/1.0' 'Authorization: Bearer a token of the tests' \
    'Content-Type: application/x-www-form-urlencoded' 'Content-Length: 4' '' 'id=1')
says '{"confirmation":"unknown"}'
stop TERM
answer=$("$target/debug/examples/gateway" --help)
says '--correlate'
answer=$(env -u GATEWAY_TOKEN "$target/debug/examples/gateway" --listen 127.0.0.1:0 2>&1) && exit 1
says 'GATEWAY_TOKEN: it is missing'

step cargo test --all-features

wait "$lint" && linted=true || linted=false
wait "$apart" && packaged=true || packaged=false
cat "$target/lint.log" "$target/apart.log"
"$linted" && "$packaged"
