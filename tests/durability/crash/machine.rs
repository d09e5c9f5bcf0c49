//! The machine that a store's files are on, and its deaths.

use std::{fs, path::PathBuf};

use tower_message_feedback::store::sqlite::Synchronous;

use crate::{
    children::Child,
    server::{Server, Watched},
    servers::{Place, fresh_directory},
    stores::Spec,
    unsynced::{Lost, Spared, Unsynced},
};

/// What dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// The application's process.
    Process,
    /// The server's processes, and the application's.
    Server,
    /// Everything that runs on the machine with the files, and what its memory
    /// held of them; then the application's process, too.
    Machine(Spared),
}

pub(crate) struct Machine {
    pub(crate) spec: Spec,
    /// What the application's processes need in their environment.
    pub(crate) environment: Vec<(String, String)>,
    server: Option<Server>,
    unsynced: Unsynced,
}

impl Machine {
    /// One with a SQLite file, which the application's process has to itself.
    pub(crate) fn with_sqlite(synchronous: Synchronous) -> Self {
        let directory = fresh_directory(Place::Ram, "sqlite");
        let data = directory.join("data");
        fs::create_dir(&data).expect("a directory");
        let unsynced = Unsynced::below(&directory);
        let file: PathBuf = data.join("feedback.db");
        let environment = unsynced.environment();
        Self { spec: Spec::Sqlite { file, synchronous }, environment, server: None, unsynced }
    }

    pub(crate) fn with((server, unsynced): Watched) -> Self {
        let spec = server.spec(server.url());
        Self { spec, environment: Vec::new(), server: Some(server), unsynced }
    }

    /// Answers what the application's process had said, and what was lost.
    pub(crate) fn die(&mut self, application: Child, death: Death) -> (Vec<String>, Lost) {
        if death == Death::Process {
            return (application.kill(), Lost::default());
        }
        if let Some(server) = &mut self.server {
            server.kill();
        }
        let said = application.kill();
        let mut lost = Lost::default();
        if let Death::Machine(spared) = death {
            assert!(self.unsynced.is_used(), "nothing was watched");
            lost = self.unsynced.cut_power(spared);
        }
        if let Some(server) = &mut self.server {
            server.restart();
        }
        (said, lost)
    }
}
