use std::sync::Arc;

use tower_message_feedback::store::MemoryStore;

use crate::{
    idle,
    measure::{Bench, NoRaw},
    table::Table,
};

pub(crate) async fn bench(pending: &[u64], table: &mut Table) {
    let store =
        Arc::new(MemoryStore::builder().max_messages(50_000_000).max_outbox(10_000_000).build());
    let bench = Bench::new("memory", store, None::<Arc<NoRaw>>);
    for &pending in pending {
        let _ = bench.fill(pending).await;
        bench.measure(pending, table).await;
    }
    idle::confirm_to_post("memory", MemoryStore::new(), table).await;
}
