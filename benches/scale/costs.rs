//! What was measured.

use std::{collections::HashMap, fmt, path::Path};

use serde::Deserialize;

/// What a server of a store spends on a message, in seconds, and keeps of it, in bytes.
pub(crate) struct Store {
    pub(crate) name: &'static str,
    pub(crate) record: f64,
    pub(crate) confirm: f64,
    pub(crate) delivery: f64,
    pub(crate) bytes: f64,
}

pub(crate) struct Costs {
    /// Of a processor, in seconds.
    send: f64,
    confirm: f64,
    delivery: f64,
    pub(crate) memory_bytes: f64,
    pub(crate) postgres: Store,
    pub(crate) redis: Store,
}

#[derive(Deserialize)]
struct Row {
    what: String,
    median: f64,
}

impl Costs {
    /// As the last run of the table said, or where it said nothing, as the guide's page has it.
    pub(crate) fn measured() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("budgets.json");
        let rows: Table = std::fs::read(path)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default();
        let rows: HashMap<String, f64> =
            rows.rows.into_iter().map(|Row { what, median }| (what, median)).collect();
        let of = |what: &str, page: f64| {
            let median = rows.get(what).copied();
            if median.is_none() {
                eprintln!("not in the table, as the page has it: {what}");
            }
            median.unwrap_or(page)
        };
        // Under load what many requests ask for goes to a server together.
        let store = |name, [records, confirms, deliveries, bytes]: [f64; 4]| Store {
            name,
            record: 1.0 / of(&format!("{name}, records, 4 x 64 of 1000000"), records),
            confirm: 1.0 / of(&format!("{name}, confirms, 4 x 64 of 1000000"), confirms),
            delivery: 1.0
                / of(&format!("{name}, leases and settlements, 4 x 64 of 1000000"), deliveries),
            bytes: of(&format!("{name}, bytes a pending message, of 1000000"), bytes),
        };
        // Two processors share these with a server of Twilio's and the clients.
        let posts = of("   POSTs a second, 64 at once", 52_000.0);
        Self {
            send: of("a tracked send, 100 thousand pending: time", 2_800.0) / 1e9,
            confirm: of("a confirm, in process: time", 1_700.0) / 1e9,
            delivery: 2.0 / posts,
            memory_bytes: of("bytes of the heap a pending message, of 10000000", 79.0),
            postgres: store("PostgreSQL", [33_000.0, 26_000.0, 37_000.0, 227.0]),
            redis: store("Redis", [11_000.0, 15_000.0, 11_000.0, 82.0]),
        }
    }

    /// Of a processor, for a message, of which so many are confirmed.
    pub(crate) fn process_seconds(&self, conversion: f64) -> f64 {
        self.send + conversion * (self.confirm + self.delivery)
    }
}

#[derive(Default, Deserialize)]
struct Table {
    rows: Vec<Row>,
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |seconds: f64| seconds * 1e6;
        write!(
            f,
            "a process: send {:.1} us, confirm {:.1} us, POST {:.0} us",
            micros(self.send),
            micros(self.confirm),
            micros(self.delivery)
        )?;
        for Store { name, record, confirm, delivery, bytes } in [&self.postgres, &self.redis] {
            let [record, confirm, delivery] = [*record, *confirm, *delivery].map(micros);
            write!(
                f,
                "\n       {name}: record {record:.0} us, confirm {confirm:.0} us, \
                 lease and settle {delivery:.0} us, {bytes:.0} bytes"
            )?;
        }
        Ok(())
    }
}
