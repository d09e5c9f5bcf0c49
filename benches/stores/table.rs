//! The figures, as a table and as JSON.

use serde::Serialize;

/// Of the turns: a quarter stayed below the first, half below the second.
pub(crate) type Quartiles = [f64; 3];

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Summary {
    pub(crate) items_per_second: Quartiles,
    pub(crate) p50_us: Quartiles,
    pub(crate) p99_us: Quartiles,
}

#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) store: &'static str,
    pub(crate) pending: u64,
    pub(crate) operation: &'static str,
    pub(crate) batch: usize,
    pub(crate) callers: usize,
    pub(crate) figures: Summary,
    /// The same by the raw statement, in turns with the store.
    pub(crate) raw: Option<Summary>,
    /// Items a second for one of the raw statement's.
    pub(crate) ratio: Option<Quartiles>,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
}

impl Table {
    pub(crate) fn head() {
        println!(
            "{:<10} {:>10} {:<14} {:>5} {:>7} {:>22} {:>8} {:>8} {:>22}  ratio",
            "store",
            "pending",
            "operation",
            "batch",
            "callers",
            "items/s (quartiles)",
            "p50 us",
            "p99 us",
            "raw items/s",
        );
    }

    pub(crate) fn push(&mut self, row: Row) {
        let quartiles = |[low, median, high]: Quartiles| format!("{low:.0} {median:.0} {high:.0}");
        let Summary { items_per_second, p50_us: [_, p50_us, _], p99_us: [_, p99_us, _] } =
            row.figures;
        let items = quartiles(items_per_second);
        let raw = row.raw.map_or_else(String::new, |raw| quartiles(raw.items_per_second));
        let ratio = row.ratio.map_or_else(String::new, |[low, median, high]| {
            format!("{low:.2} {median:.2} {high:.2}")
        });
        println!(
            "{:<10} {:>10} {:<14} {:>5} {:>7} {items:>22} {p50_us:>8.0} {p99_us:>8.0} {raw:>22}  \
             {ratio}",
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
    /// What a pending message weighs.
    pub(crate) fn weight(&mut self, store: &str, pending: u64, each: f64) {
        self.note(format!("{store}: {each:.0} bytes a pending message, of {pending}"));
    }
}
