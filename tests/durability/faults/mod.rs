//! Stores that die, hang and fill up under load: sends go on as before, and
//! nothing that was queued or deferred is missing in the end.

mod clocks;
mod idle;
mod load;
mod servers;
mod sqlite;

pub(crate) use self::sqlite::full_disk;
