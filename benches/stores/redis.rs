use std::sync::Arc;

use tower_message_feedback::store::{RedisStore, RedisStoreBuilder};

use crate::{
    idle,
    measure::{Bench, NoRaw},
    servers::Redis,
    table::Table,
};

pub(crate) async fn bench(pending: &[u64], table: &mut Table) {
    let server = Redis::options()
        .append_only("everysec")
        .set("hash-max-listpack-entries", 256)
        .on_disk()
        .start();
    let most = pending.iter().copied().max().unwrap_or_default();
    let store =
        connect(RedisStore::builder().prefix("bench").expected_messages(most), &server).await;
    let bench = Bench::new("redis", Arc::new(store), None::<Arc<NoRaw>>);
    for &pending in pending {
        let before = used_memory(&server);
        let filled = bench.fill(pending).await;
        table.weight("redis", pending, (used_memory(&server) - before) / filled as f64);
        bench.measure(pending, table).await;
    }
    let (p50, p95) =
        idle::confirm_to_post(connect(RedisStore::builder().prefix("idle"), &server).await).await;
    table.idle("redis", p50, p95);
}

async fn connect(builder: RedisStoreBuilder, server: &Redis) -> RedisStore {
    let store = builder.connect(server.url()).await.expect("a connection");
    store.migrate().await.expect("the data is created");
    store
}

fn used_memory(server: &Redis) -> f64 {
    let info = server.cli(&["INFO", "memory"]);
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    used.and_then(|used| used.trim().parse().ok()).expect("a number")
}
