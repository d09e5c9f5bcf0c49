//! What each store does in a second beside its raw statements, how long it is
//! from a confirm to the POST, and what a pending message weighs.
//!
//! ```console
//! cargo bench --bench stores                      # ten thousand and a million pending
//! cargo bench --bench stores -- --large postgres  # ten million, one store
//! cargo bench --bench stores -- --quick           # ten thousand
//! cargo bench --bench stores -- --pending 1000000 redis
//! ```

mod idle;
mod load;
mod measure;
mod memory;
mod numbered;
mod postgres;
mod redis;
mod sqlite;
mod table;

#[path = "../../tests/servers/mod.rs"]
mod servers;

use std::process::ExitCode;

use self::table::Table;

/// What the command line asks for.
struct Options {
    pending: Vec<u64>,
    stores: Vec<String>,
}

impl Options {
    fn read() -> Result<Self, String> {
        let mut options = Self { pending: vec![10_000, 1_000_000], stores: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--pending" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    options.pending = vec![number.ok_or("--pending takes a number")?];
                }
                "--quick" => options.pending = vec![10_000],
                "--large" => options.pending.push(10_000_000),
                store if STORES.contains(&store) => options.stores.push(argument),
                other => return Err(format!("unknown: {other}. Stores: {}", STORES.join(", "))),
            }
        }
        if options.stores.is_empty() {
            options.stores = STORES.map(str::to_owned).to_vec();
        }
        Ok(options)
    }
}

const STORES: [&str; 4] = ["memory", "sqlite", "postgres", "redis"];

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::FAILURE;
        }
    };
    let mut table = Table::default();
    Table::head();
    for store in &options.stores {
        match store.as_str() {
            "memory" => memory::bench(&options.pending, &mut table).await,
            "sqlite" => sqlite::bench(&options.pending, &mut table).await,
            "postgres" => postgres::bench(&options.pending, &mut table).await,
            _ => redis::bench(&options.pending, &mut table).await,
        }
    }
    table.write();
    ExitCode::SUCCESS
}
