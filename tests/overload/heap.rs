//! What the heap gives: this program counts it.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::sync::{Mutex, MutexGuard};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes that are held in all.
pub(crate) fn held() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// One test after the other, or they would count each other's.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

/// `later` is what was held before, but for a little.
#[track_caller]
pub(crate) fn is_flat(before: usize, later: usize) {
    const LITTLE: usize = 1024 * 1024;
    assert!(later <= before + before / 20 + LITTLE, "{before} bytes were held, and then {later}");
}
