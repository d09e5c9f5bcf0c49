//! A server whose files the fault layer watches.

use std::path::Path;

use crate::{
    servers::{Place, Postgres, Redis, fresh_directory},
    stores::Spec,
    unsynced::Unsynced,
};

pub(crate) enum Server {
    Postgres(Postgres),
    Redis(Redis),
}

/// With what is not synced remembered by the second.
pub(crate) type Watched = (Server, Unsynced);

impl Server {
    /// One that syncs, unless the settings say otherwise.
    pub(crate) fn postgres(settings: &[(&str, &str)]) -> Watched {
        watched("postgres", |directory, environment| {
            let mut options = Postgres::options().in_directory(directory).synced();
            for (name, value) in environment {
                options = options.environment(&name, &value);
            }
            for (name, value) in settings {
                options = options.set(name, value);
            }
            Self::Postgres(options.start())
        })
    }

    /// One whose log of commands is synced so.
    pub(crate) fn redis(appendfsync: &str) -> Watched {
        watched("redis", |directory, environment| {
            let mut options = Redis::options().in_directory(directory).append_only(appendfsync);
            for (name, value) in environment {
                options = options.environment(&name, &value);
            }
            Self::Redis(options.start())
        })
    }

    pub(crate) fn kill(&mut self) {
        match self {
            Self::Postgres(server) => server.kill(),
            Self::Redis(server) => server.kill(),
        }
    }

    pub(crate) fn restart(&mut self) {
        match self {
            Self::Postgres(server) => server.restart(),
            Self::Redis(server) => server.restart(),
        }
    }

    pub(crate) fn pause(&mut self) {
        match self {
            Self::Postgres(server) => server.pause(),
            Self::Redis(server) => server.pause(),
        }
    }

    pub(crate) fn resume(&self) {
        match self {
            Self::Postgres(server) => server.resume(),
            Self::Redis(server) => server.resume(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Postgres(server) => server.port(),
            Self::Redis(server) => server.port(),
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres(server) => server.url(),
            Self::Redis(server) => server.url(),
        }
    }

    /// The store on it, at this URL: its own, or one by way of a proxy.
    pub(crate) fn spec(&self, url: String) -> Spec {
        match self {
            Self::Postgres(_) => Spec::Postgres { url },
            Self::Redis(_) => Spec::Redis { url },
        }
    }
}

fn watched(name: &str, start: impl FnOnce(&Path, Vec<(String, String)>) -> Server) -> Watched {
    let directory = fresh_directory(Place::Ram, name);
    let unsynced = Unsynced::below(&directory);
    (start(&directory, unsynced.environment()), unsynced)
}
