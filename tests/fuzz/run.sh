#!/usr/bin/env bash
# Runs the fuzz targets, two at a time:
#
#     tests/fuzz/run.sh [--keep] [seconds of CPU for each target, 600 by default] [target …]
#
# Each begins with what `corpus` has for it and leaves that as it is; `--keep` puts there
# what this run has found, as few inputs as reach all of the code. Prints a line for each,
# and for what one finds the command that repeats it.
#
# Needs Rust (stable), a C++ compiler and Linux. The flags are those of
# `cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none`, which does the same for one
# target; to build cargo-fuzz itself would take half as long again as everything here.
# Without unsafe code there is nothing for a sanitizer to find.
set -euo pipefail
cd "$(dirname "$0")"

keep=false seconds=600 targets=()
for argument; do
    case $argument in
    --keep) keep=true ;;
    *[!0-9]*) targets+=("$argument") ;;
    *) seconds=$argument ;;
    esac
done
((${#targets[@]})) || for target in fuzz_targets/*.rs; do targets+=("$(basename "$target" .rs)"); done

fail() { printf '%s\n' "$*" >&2; exit 1; }
((seconds)) || fail "a target needs a second at least"
for target in "${targets[@]}"; do
    [[ -e fuzz_targets/$target.rs ]] || fail "there is no target $target"
done

# Everything that is made stays here.
out=$(realpath -m "${CARGO_TARGET_DIR:-../../target}")/fuzz
mkdir -p "$out"
sources=$(cargo metadata --locked --format-version 1 |
    grep -o '"[^"]*/libfuzzer-sys-[^"/]*/Cargo.toml"' | head -n 1 | tr -d '"')
sources=${sources%/Cargo.toml}/libfuzzer
engine=$out/$(basename "$(dirname "$sources")")
# libFuzzer's files take twice as long one by one. Two of them do not go with the rest.
if [[ ! -e $engine/libfuzzer.a ]]; then
    mkdir -p "$engine"
    apart=(FuzzerFork.cpp FuzzerInterceptors.cpp)
    for file in "$sources"/*.cpp; do
        [[ " ${apart[*]} " == *" $(basename "$file") "* ]] || echo "#include \"$file\""
    done >"$engine/together.cpp"
    for file in "$engine/together.cpp" "${apart[@]/#/$sources/}"; do
        "${CXX:-c++}" -O1 -std=c++17 -w -fno-omit-frame-pointer "-I$sources" \
            -c "$file" -o "$engine/$(basename "$file").o"
    done
    ar crs "$engine/libfuzzer.a" "$engine"/*.o
fi

host=$(rustc -vV | sed -n 's/^host: //p')
flags=(--cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 -Cpasses=sancov-module)
for option in sanitizer-coverage-{level=4,inline-8bit-counters,pc-table,trace-compares} \
    simplifycfg-branch-fold-threshold=0; do
    flags+=("-Cllvm-args=-$option")
done
# A short run would take longer to optimise than it saves.
level=0
((seconds < 120)) || level=2
CUSTOM_LIBFUZZER_PATH=$engine/libfuzzer.a RUSTFLAGS=${flags[*]} CARGO_INCREMENTAL=0 \
    cargo build --quiet --locked --release --target "$host" --target-dir "$out" \
    --config "profile.release.opt-level=$level" "${targets[@]/#/--bin=}"
# A copy: the next build may come before this run's end.
bin=$(mktemp -d "$out/run.XXXXXX")
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$bin"' EXIT
built=$out/$host/release

options() {
    # It counts the time in which the machine is busy with others, too.
    printf '%s\n' -timeout=120 -rss_limit_mb=1024 "-artifact_prefix=$out/artifacts/$1/"
    [[ ! -e dictionaries/$1.dict ]] || echo "-dict=dictionaries/$1.dict"
}

fuzz() {
    local target=$1 log=$out/$1.log corpus=$bin/corpus/$1 options stat
    mapfile -t options < <(options "$target")
    mkdir -p "$corpus" "$out/artifacts/$target"
    "$bin/$target" "${options[@]}" -print_final_stats=1 -reload=0 "$corpus" "corpus/$target" \
        >"$log" 2>&1 &
    # libFuzzer itself would count the time in which it waits for a processor.
    local pid=$! hertz
    hertz=$(getconf CLK_TCK)
    while { read -r -a stat <"/proc/$pid/stat"; } 2>/dev/null && [[ ${stat[2]} != Z ]]; do
        echo $(((stat[13] + stat[14]) / hertz)) >"$bin/$target.seconds"
        ((stat[13] + stat[14] < seconds * hertz)) || kill -USR1 "$pid" 2>/dev/null || true
        sleep 0.5
    done
    wait "$pid"
}

report() {
    local target=$1 log=$out/$1.log coverage runs took
    took=$(cat "$bin/$target.seconds" 2>/dev/null) || took=0
    coverage=$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -n 1) || coverage='cov: ?'
    runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
    printf '%-14s %10s runs %7s a second  %5s new inputs  %s\n' "$target" "${runs:-?}" \
        "$((${runs:-0} / (took ? took : 1)))" \
        "$(find "$bin/corpus/$target" -type f | wc -l)" "$coverage"
}

cp "${targets[@]/#/$built/}" "$bin"
failed=()
running=()
finish() {
    local target=${running[0]%:*} pid=${running[0]#*:}
    running=("${running[@]:1}")
    wait "$pid" || failed+=("$target")
    report "$target"
}
for target in "${targets[@]}"; do
    ((${#running[@]} < 2)) || finish
    fuzz "$target" &
    running+=("$target:$!")
done
while ((${#running[@]})); do finish; done

if "$keep"; then
    for target in "${targets[@]}"; do
        mkdir -p "$bin/least/$target"
        "$bin/$target" -set_cover_merge=1 -use_counters=0 "$bin/least/$target" "corpus/$target" "$bin/corpus/$target" \
            >>"$out/$target.log" 2>&1
        rm -rf "corpus/$target"
        cp -r "$bin/least/$target" "corpus/$target"
    done
fi

for target in "${failed[@]}"; do
    printf '\n%s failed:\n' "$target" >&2
    grep -m 1 -A 3 -E 'panicked at|ERROR: libFuzzer' "$out/$target.log" >&2 || tail -n 5 "$out/$target.log" >&2
    input=$(sed -n 's/.*Test unit written to //p' "$out/$target.log" | tail -n 1)
    printf 'again: %s %s\n' "$built/$target" "$input" >&2
done
((${#failed[@]} == 0))
