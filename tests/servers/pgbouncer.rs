//! PgBouncer in transaction mode, in front of a PostgreSQL.

use std::{fs, path::PathBuf};

use super::{
    INSTALL, Postgres,
    home::{self, Place},
    port,
    postgres::server_user,
    process::{self, End, Launch, Process, await_ready, find_program},
};

/// A pool of server connections. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct PgBouncer {
    directory: PathBuf,
    port: u16,
    process: Process,
}

impl PgBouncer {
    /// A pool of 10 connections for each database of `server`.
    pub(crate) fn start(server: &Postgres) -> Self {
        Self::with(server, &[])
    }

    /// The same with more lines, or other ones, in the section `[pgbouncer]`.
    pub(crate) fn with(server: &Postgres, settings: &[(&str, &str)]) -> Self {
        for _ in 0..5 {
            match Self::try_start(server, settings) {
                Err(error) if error.contains("in use") => {}
                outcome => {
                    return outcome
                        .unwrap_or_else(|error| panic!("PgBouncer does not start: {error}"));
                }
            }
        }
        panic!("PgBouncer finds no free port");
    }

    fn try_start(server: &Postgres, settings: &[(&str, &str)]) -> Result<Self, String> {
        let program = find_program("pgbouncer")
            .unwrap_or_else(|| panic!("there is no PgBouncer here: {INSTALL}"));
        let directory = home::fresh(Place::Ram, "pgbouncer");
        let port = port::free();
        let server_port = server.port();
        let mut configuration = format!(
            "[databases]\n\
             * = host=127.0.0.1 port={server_port} user=postgres\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = transaction\n\
             max_client_conn = 1000\n\
             default_pool_size = 10\n"
        );
        for (name, value) in settings {
            configuration.push_str(&format!("{name} = {value}\n"));
        }
        let file = directory.join("pgbouncer.ini");
        fs::write(&file, configuration).expect("a file");
        let launch = Launch {
            program: &program,
            arguments: vec![file.display().to_string()],
            environment: Vec::new(),
            directory: &directory,
            user: server_user(),
            end: End::Kill,
        };
        let mut process = launch.start();
        await_ready(&mut process, || std::net::TcpStream::connect(port::local(port)).is_ok())?;
        Ok(Self { directory, port, process })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A database of the server behind it, by way of the pool.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn config(&self, database: &str) -> tokio_postgres::Config {
        self.url(database).parse().expect("a URL of PostgreSQL")
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        process::log(&self.directory)
    }

    /// Stops it (SIGSTOP): connections stay, and nobody answers.
    pub(crate) fn pause(&mut self) {
        self.process.pause();
    }

    pub(crate) fn resume(&self) {
        self.process.resume();
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.process.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
