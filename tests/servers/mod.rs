//! Real servers for tests: each on a free port of 127.0.0.1, in a directory of
//! its own, as children that end with the test binary, however that ends.
//!
//! A test binary takes the folder in with
//! `#[path = "../servers/mod.rs"] mod servers;`. Linux only: the processes of a
//! server are found by their working directories in `/proc`.
//!
//! Every call here blocks: beside a load on a current-thread runtime, call from
//! `tokio::task::spawn_blocking`.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of it")]
#![allow(clippy::needless_pass_by_value, reason = "settings are given as literals")]

mod home;
mod pgbouncer;
mod port;
mod postgres;
mod process;
mod proxy;
mod redis;
mod redis_cluster;

pub(crate) use self::{
    home::{Place, fresh as fresh_directory},
    pgbouncer::PgBouncer,
    postgres::{Database, Postgres, PostgresOptions},
    process::{End, Launch, Process},
    proxy::{Flow, Proxy},
    redis::{Redis, RedisOptions},
    redis_cluster::RedisCluster,
};

/// What to install where a server is missing.
const INSTALL: &str = "apt-get install postgresql redis-server pgbouncer";
