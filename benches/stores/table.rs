//! The figures, as a table and as JSON.

use std::time::Duration;

use serde::Serialize;

use crate::load::Figures;

#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) store: &'static str,
    pub(crate) pending: u64,
    pub(crate) operation: &'static str,
    pub(crate) batch: usize,
    pub(crate) callers: usize,
    pub(crate) figures: Figures,
    /// The same by the raw statement, in turns with the store.
    pub(crate) raw: Option<Figures>,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
}

impl Table {
    pub(crate) fn head() {
        println!(
            "{:<10} {:>10} {:<14} {:>5} {:>7} {:>10} {:>9} {:>9} {:>10} {:>6}",
            "store",
            "pending",
            "operation",
            "batch",
            "callers",
            "items/s",
            "p50 us",
            "p99 us",
            "raw",
            "ratio",
        );
    }

    pub(crate) fn push(&mut self, row: Row) {
        let Figures { items_per_second, p50_us, p99_us } = row.figures;
        let (raw, ratio) = row.raw.map_or_else(Default::default, |raw| {
            let ratio = items_per_second / raw.items_per_second;
            (format!("{:.0}", raw.items_per_second), format!("{ratio:.2}"))
        });
        println!(
            "{:<10} {:>10} {:<14} {:>5} {:>7} {items_per_second:>10.0} {p50_us:>9.0} \
             {p99_us:>9.0} {raw:>10} {ratio:>6}",
            row.store, row.pending, row.operation, row.batch, row.callers,
        );
        self.rows.push(row);
    }

    pub(crate) fn note(&mut self, note: String) {
        println!("{note}");
        self.notes.push(note);
    }

    pub(crate) fn write(&self) {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("stores.json");
        let json = serde_json::to_vec_pretty(self).expect("JSON");
        std::fs::write(&path, json).expect("a file in the target directory");
        println!("written to {}", path.display());
    }
}

impl Table {
    /// How long it was from a confirm to the POST.
    pub(crate) fn idle(&mut self, store: &str, p50: Duration, p95: Duration) {
        self.note(format!("{store}: confirm to POST when idle: p50 {p50:.1?}, p95 {p95:.1?}"));
    }

    /// What a pending message weighs.
    pub(crate) fn weight(&mut self, store: &str, pending: u64, each: f64) {
        self.note(format!("{store}: {each:.0} bytes a pending message, of {pending}"));
    }
}
