//! Instructions, counted by valgrind: as steady on a busy machine as on an idle one.

use std::process::Command;

/// The name of the function whose instructions count, with what it calls.
const COUNTED: &str = "--toggle-collect=*counted_by_callgrind*";

/// Runs this program again, as `part`, and answers the instructions of what it has
/// counted; `None` where there is no valgrind.
pub(crate) fn instructions(part: &[&str]) -> Option<u64> {
    let program = std::env::current_exe().ok()?;
    let output = Command::new("valgrind")
        // Or the allocator tidies up now and then, and whoever it meets pays for all.
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=60000")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", COUNTED])
        .arg(program)
        .arg("--part")
        .args(part)
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let line = said.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Does `work`, which counts.
#[inline(never)]
pub(crate) fn counted_by_callgrind<T>(work: impl FnOnce() -> T) -> T {
    // In a frame of its own, or the call would be a jump.
    std::hint::black_box(work())
}
