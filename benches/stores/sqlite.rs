use std::sync::Arc;

use tower_message_feedback::store::SqliteStore;

use crate::{
    idle,
    measure::{Bench, NoRaw},
    table::Table,
};

pub(crate) async fn bench(pending: &[u64], table: &mut Table) {
    // Beside the table, on a disk: a file in memory would sync for nothing.
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("stores-sqlite");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("bench.db");
    SqliteStore::migrate(&path).await.expect("tables");
    let store = SqliteStore::builder(&path).max_messages(50_000_000).max_outbox(10_000_000);
    let store = Arc::new(store.open().await.expect("the store"));
    let bench = Bench::new("sqlite", store, None::<Arc<NoRaw>>);
    // Ten million are more than one machine's file is for.
    for &pending in pending.iter().filter(|pending| **pending <= 1_000_000) {
        let before = size(&path);
        let filled = bench.fill(pending).await;
        table.weight("sqlite", pending, (size(&path) - before) / filled as f64);
        bench.measure(pending, table).await;
    }
    let idle_path = directory.join("idle.db");
    SqliteStore::migrate(&idle_path).await.expect("tables");
    let idle_store = SqliteStore::open(&idle_path).await.expect("the store");
    let (p50, p95) = idle::confirm_to_post(idle_store).await;
    table.idle("sqlite", p50, p95);
    drop(bench);
    let _ = std::fs::remove_dir_all(&directory);
}

fn size(path: &std::path::Path) -> f64 {
    std::fs::metadata(path).map_or(0.0, |metadata| metadata.len() as f64)
}
