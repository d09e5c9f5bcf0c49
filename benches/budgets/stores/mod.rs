//! What each durable store does in a second beside its raw statements, how long it is from a
//! confirm to the POST, and what a pending message weighs.

mod idle;
mod load;
mod measure;
mod postgres;
mod redis;
mod sqlite;

pub(crate) use self::{
    postgres::bench as postgres, redis::bench as redis, sqlite::bench as sqlite,
};
