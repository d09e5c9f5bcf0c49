//! PostgreSQL 15 or later.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{
    INSTALL,
    home::{self, Place},
    port,
    process::{self, End, Launch, Process, are_root, await_ready, run},
};

/// The superuser, who needs no password.
const USER: &str = "postgres";

/// A PostgreSQL server. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    options: PostgresOptions,
    directory: PathBuf,
    port: u16,
    process: Option<Process>,
}

/// How a server is set up.
#[derive(Debug, Clone, Default)]
pub(crate) struct PostgresOptions {
    place: Place,
    directory: Option<PathBuf>,
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
}

impl PostgresOptions {
    /// A setting as in `postgresql.conf`; the last value of one counts.
    pub(crate) fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn max_connections(self, max: u32) -> Self {
        self.set("max_connections", max)
    }

    /// Data on a real disk instead of the RAM disk.
    pub(crate) fn on_disk(mut self) -> Self {
        self.place = Place::Disk;
        self
    }

    /// Data in `data` below this empty directory: for a test that must know it
    /// before the start.
    pub(crate) fn in_directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Synced as in production. (By default a test's server syncs nothing.)
    pub(crate) fn synced(self) -> Self {
        self.set("fsync", "on").set("full_page_writes", "on").set("wal_sync_method", "fdatasync")
    }

    /// A library for the dynamic linker to load first, into every process of
    /// the server.
    pub(crate) fn preload(self, library: &Path) -> Self {
        self.environment("LD_PRELOAD", library.to_str().expect("a path in UTF-8"))
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the server, on an empty cluster of databases.
    pub(crate) fn start(self) -> Postgres {
        let directory = self.directory.clone();
        let directory = directory.unwrap_or_else(|| home::fresh(self.place, "postgres"));
        run(Command::new("cp").arg("-a").arg(template()).arg(directory.join("data")));
        let mut server = Postgres { options: self, directory, port: 0, process: None };
        for _ in 0..5 {
            server.port = port::free();
            match server.try_start() {
                Err(error) if error.contains("could not bind") => {}
                outcome => {
                    outcome.unwrap_or_else(|error| panic!("PostgreSQL does not start: {error}"));
                    return server;
                }
            }
        }
        panic!("PostgreSQL finds no free port");
    }
}

impl Postgres {
    pub(crate) fn options() -> PostgresOptions {
        PostgresOptions::default()
    }

    /// A server of one's own, fast and not synced.
    pub(crate) fn start() -> Self {
        Self::options().start()
    }

    /// The one server that the tests of this binary share: leave it running.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::options().max_connections(300).start())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its databases' files.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        process::log(&self.directory)
    }

    /// The database `postgres`.
    pub(crate) fn url(&self) -> String {
        url(self.port, "postgres")
    }

    pub(crate) fn config(&self) -> tokio_postgres::Config {
        self.url().parse().expect("a URL of PostgreSQL")
    }

    /// A new, empty database, which is gone when the handle is dropped.
    pub(crate) fn fresh_database(&self) -> Database<'_> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
        Database { server: self, name }
    }

    /// Runs SQL in `database` through psql: the rows, their fields between `|`.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        run(&mut psql(self.port, database, sql))
    }

    /// Kills all its processes (SIGKILL).
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Stops all its processes (SIGSTOP): connections stay, and nobody answers.
    pub(crate) fn pause(&mut self) {
        self.process.as_mut().expect("a running server").pause();
    }

    pub(crate) fn resume(&self) {
        self.process.as_ref().expect("a running server").resume();
    }

    /// A fast shutdown: what is open is rolled back, the rest is in the files.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.end_by("INT");
        }
    }

    /// Stops it if it runs, and starts it on the same port and files.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.try_start().unwrap_or_else(|error| panic!("PostgreSQL does not restart: {error}"));
    }

    /// Changes a setting from the next start on.
    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        self.options.settings.push((name.to_owned(), value.to_string()));
    }

    fn try_start(&mut self) -> Result<(), String> {
        let data = self.data();
        let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
        let port = self.port.to_string();
        let fixed = [
            ("listen_addresses", "127.0.0.1"),
            ("port", &port),
            ("unix_socket_directories", ""),
            // Files of the data directory rather than what a kill leaves in /dev/shm.
            ("dynamic_shared_memory_type", "mmap"),
            ("fsync", "off"),
            ("full_page_writes", "off"),
        ];
        let own = self.options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in fixed.into_iter().chain(own) {
            arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        let launch = Launch {
            program: &binary("postgres"),
            arguments,
            environment: self.options.environment.clone(),
            directory: &self.directory,
            user: server_user(),
            end: End::Quit,
        };
        let mut process = launch.start();
        let ready = binary("pg_isready");
        await_ready(&mut process, || {
            let mut asked = Command::new(&ready);
            asked.args(["-q", "-h", "127.0.0.1", "-p", &port]);
            asked.status().is_ok_and(|status| status.success())
        })?;
        self.process = Some(process);
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.process = None;
        // The server of a kill has left its segment of shared memory: line 7.
        let lock = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let segment = lock.lines().nth(6).and_then(|line| line.split_whitespace().nth(1));
        if let Some(segment) = segment {
            let _ = Command::new("ipcrm").args(["-m", segment]).output();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// An empty database of a server.
#[derive(Debug)]
pub(crate) struct Database<'a> {
    server: &'a Postgres,
    name: String,
}

impl Database<'_> {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn url(&self) -> String {
        url(self.server.port, &self.name)
    }

    pub(crate) fn config(&self) -> tokio_postgres::Config {
        self.url().parse().expect("a URL of PostgreSQL")
    }

    /// Runs SQL in it through psql: the rows, their fields between `|`.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.server.sql(&self.name, sql)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // It matters little if this fails: the server does not last.
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let _ = psql(self.server.port, "postgres", &sql).output();
    }
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://{USER}@127.0.0.1:{port}/{database}")
}

fn psql(port: u16, database: &str, sql: &str) -> Command {
    let mut command = Command::new(binary("psql"));
    command
        .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .arg(url(port, database))
        .env_remove("PGOPTIONS");
    command
}

/// The user that Debian's package makes; as root alone it is needed.
pub(crate) fn server_user() -> Option<&'static str> {
    are_root().then_some(USER)
}

/// A program of the newest PostgreSQL here.
fn binary(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(find_binaries).join(name)
}

fn find_binaries() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = debian.filter_map(|entry| {
        Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
    });
    let newest = versions.filter(|(_, bin)| bin.join("postgres").is_file()).max();
    let configured = || {
        let output = Command::new("pg_config").arg("--bindir").output().ok()?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
    };
    let on_path = || Some(process::find_program("initdb")?.parent()?.to_owned());
    let directory = newest.map(|(_, bin)| bin).or_else(configured);
    let directory = directory.filter(|bin| bin.join("initdb").is_file()).or_else(on_path);
    let directory = directory.unwrap_or_default();
    for name in ["initdb", "postgres", "pg_isready", "psql"] {
        let program = directory.join(name);
        assert!(program.is_file(), "there is no PostgreSQL ({name}) here: {INSTALL}");
    }
    directory
}

/// The files of a new cluster, made once and then copied.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let directory = home::fresh(Place::Ram, "template");
        if let Some(user) = server_user() {
            run(Command::new("chown").arg(user).arg(&directory));
        }
        let data = directory.join("data");
        let mut initdb = Launch {
            program: &binary("initdb"),
            arguments: [
                "--username",
                USER,
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
                "--pgdata",
                data.to_str().expect("a path in UTF-8"),
            ]
            .map(str::to_owned)
            .into(),
            environment: Vec::new(),
            directory: &directory,
            user: server_user(),
            end: End::Kill,
        }
        .start();
        let status = initdb.wait();
        assert!(status.success(), "initdb: {status}\n{}", process::log(&directory));
        data
    })
}
