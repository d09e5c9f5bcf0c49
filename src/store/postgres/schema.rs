//! The schema that holds the tables, and the steps that make it.

use super::error::PostgresError;

/// The version of the tables that this library's statements are written for.
pub(super) const VERSION: i32 = 4;

const MIGRATIONS: [&str; VERSION as usize] = [
    include_str!("sql/migration_1.sql"),
    include_str!("sql/migration_2.sql"),
    include_str!("sql/migration_3.sql"),
    include_str!("sql/migration_4.sql"),
];

/// The name of a PostgreSQL schema that needs no escape in any context.
#[derive(Debug, Clone)]
pub(super) struct Schema(String);

impl Schema {
    pub(super) fn new(name: &str) -> Result<Self, PostgresError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        // 63 bytes are what PostgreSQL keeps of a name.
        if name.is_empty() || name.len() > 63 || !name.chars().all(fits) {
            return Err(PostgresError::new(
                "a schema's name has 1 to 63 ASCII letters, digits, `_` and `-`",
            ));
        }
        Ok(Self(name.to_owned()))
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// The statement without its comments and line ends, its tables in this schema.
    pub(super) fn fill(&self, sql: &str) -> String {
        let code = sql.lines().map(str::trim).filter(|line| !line.starts_with("--"));
        let sql = code.collect::<Vec<_>>().join(" ");
        sql.trim().replace("@schema@", &format!("\"{}\"", self.0))
    }

    /// The step to each version from the one before, the first to version 1.
    pub(super) fn migrations(&self) -> impl Iterator<Item = (i32, String)> {
        (1..).zip(MIGRATIONS.map(|sql| self.fill(sql)))
    }
}
