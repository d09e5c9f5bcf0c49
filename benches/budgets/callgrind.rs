//! Instructions, counted by valgrind: as steady on a busy machine as on an idle one.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Command, Stdio},
};

/// The name of the function whose instructions count, with what it calls.
const COUNTED: &str = "--toggle-collect=*counted_by_callgrind*";

/// Runs this program again, as `part`, and answers the instructions of what it has
/// counted; `None` where there is no valgrind.
pub(crate) fn instructions(part: &[&str]) -> Option<u64> {
    let program = std::env::current_exe().ok()?;
    let mut valgrind = Command::new("valgrind")
        // Or the allocator tidies up now and then, and whoever it meets pays for all.
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=60000")
        // What is not counted runs four times as quickly.
        .args(["--tool=callgrind", "--instr-atstart=no"])
        .args(["--callgrind-out-file=/dev/null", COUNTED])
        .arg(program)
        .arg("--part")
        .args(part)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut ready = String::new();
    BufReader::new(valgrind.stdout.as_mut()?).read_line(&mut ready).ok()?;
    let id = valgrind.id().to_string();
    let told = Command::new("callgrind_control").args(["--instr=on", &id]).output().ok()?;
    valgrind.stdin.take()?.write_all(b"go\n").ok()?;
    let mut said = String::new();
    valgrind.stderr.as_mut()?.read_to_string(&mut said).ok()?;
    let is_over = valgrind.wait().is_ok_and(|status| status.success());
    assert!(is_over && told.status.success(), "{said}");
    let line = said.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Says that what counts comes next, and waits until it may.
pub(crate) fn ready() {
    println!("ready");
    let _ = std::io::stdin().lock().read_line(&mut String::new());
}

/// Does `work`, which counts.
#[inline(never)]
pub(crate) fn counted_by_callgrind<T>(work: impl FnOnce() -> T) -> T {
    // In a frame of its own, or the call would be a jump.
    std::hint::black_box(work())
}
