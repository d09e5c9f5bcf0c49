//! Redis, Valkey, or what `TMF_REDIS_SERVER` names.

use std::{
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use super::{
    INSTALL,
    home::{self, Place},
    port,
    process::{self, End, Launch, Process, await_ready, find_program, run},
};

/// How many databases the shared server has.
const DATABASES: u32 = 4096;

/// A Redis server. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Redis {
    options: RedisOptions,
    directory: PathBuf,
    port: u16,
    process: Option<Process>,
}

/// How a server is set up. By default it keeps nothing on disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct RedisOptions {
    place: Place,
    directory: Option<PathBuf>,
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    password: Option<String>,
    cluster: bool,
}

impl RedisOptions {
    /// A setting as in `redis.conf`; the last value of one counts.
    pub(crate) fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// Writes a log of all commands, synced as `appendfsync` says: `always`,
    /// `everysec` or `no`.
    pub(crate) fn append_only(self, appendfsync: &str) -> Self {
        self.set("appendonly", "yes").set("appendfsync", appendfsync)
    }

    /// For example `64mb` and `noeviction`.
    pub(crate) fn max_memory(self, bytes: &str, policy: &str) -> Self {
        self.set("maxmemory", bytes).set("maxmemory-policy", policy)
    }

    pub(crate) fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Files on a real disk instead of the RAM disk.
    pub(crate) fn on_disk(mut self) -> Self {
        self.place = Place::Disk;
        self
    }

    /// Files in `data` below this empty directory: for a test that must know it
    /// before the start.
    pub(crate) fn in_directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// A library for the dynamic linker to load first.
    pub(crate) fn preload(self, library: &Path) -> Self {
        self.environment("LD_PRELOAD", library.to_str().expect("a path in UTF-8"))
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A node of a cluster, whose bus is 10000 above its port.
    pub(super) fn cluster(mut self) -> Self {
        self.cluster = true;
        self.set("cluster-enabled", "yes").set("cluster-config-file", "nodes.conf")
    }

    pub(crate) fn start(self) -> Redis {
        let directory = self.directory.clone();
        let directory = directory.unwrap_or_else(|| home::fresh(self.place, "redis"));
        fs::create_dir(directory.join("data")).expect("an empty directory");
        let cluster = self.cluster;
        let mut server = Redis { options: self, directory, port: 0, process: None };
        for _ in 0..5 {
            server.port = port::free_where(|port| !cluster || port::is_free(port + 10_000));
            match server.try_start() {
                Err(error) if error.contains("in use") || error.contains("Failed listening") => {}
                outcome => {
                    outcome.unwrap_or_else(|error| panic!("Redis does not start: {error}"));
                    return server;
                }
            }
        }
        panic!("Redis finds no free port");
    }
}

impl Redis {
    pub(crate) fn options() -> RedisOptions {
        RedisOptions::default()
    }

    /// A server of one's own that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::options().start()
    }

    /// The one server that the tests of this binary share: leave it running.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(|| Self::options().set("databases", DATABASES).start())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Database 0.
    pub(crate) fn url(&self) -> String {
        self.url_of(0)
    }

    /// A database of the shared server that no other test has.
    pub(crate) fn fresh_database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        assert!(number < DATABASES, "all {DATABASES} databases are in use");
        self.url_of(number)
    }

    /// A prefix for keys that no other test has.
    pub(crate) fn fresh_prefix() -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        format!("test-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
    }

    fn url_of(&self, database: u32) -> String {
        let password = self.options.password.as_deref();
        let password = password.map(|password| format!(":{password}@")).unwrap_or_default();
        format!("redis://{password}127.0.0.1:{}/{database}", self.port)
    }

    /// Its files.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        process::log(&self.directory)
    }

    /// Runs one command through redis-cli; answers are printed raw.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let cli = server_program().with_file_name(if server_program().ends_with("valkey-server") {
            "valkey-cli"
        } else {
            "redis-cli"
        });
        let cli = if cli.is_file() { Some(cli) } else { find_program("redis-cli") };
        let cli = cli.unwrap_or_else(|| panic!("there is no redis-cli here: {INSTALL}"));
        let mut command = Command::new(cli);
        command.args(["--raw", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(password) = &self.options.password {
            command.env("REDISCLI_AUTH", password);
        }
        let answer = run(command.args(arguments));
        // Its exit status says so from Redis 7 on only.
        let is_error = ["ERR ", "NOAUTH ", "WRONG", "MOVED ", "OOM ", "NOPERM ", "LOADING "]
            .iter()
            .any(|error| answer.starts_with(error));
        assert!(!is_error, "{}: {answer}", arguments[0]);
        answer
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Stops it (SIGSTOP): connections stay, and nobody answers.
    pub(crate) fn pause(&mut self) {
        self.process.as_mut().expect("a running server").pause();
    }

    pub(crate) fn resume(&self) {
        self.process.as_ref().expect("a running server").resume();
    }

    /// Ends it in good order.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.end_by("TERM");
        }
    }

    /// Stops it if it runs, and starts it on the same port and files. Without a
    /// log of commands it has forgotten all.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.try_start().unwrap_or_else(|error| panic!("Redis does not restart: {error}"));
    }

    /// Changes a setting from the next start on.
    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        self.options.settings.push((name.to_owned(), value.to_string()));
    }

    fn try_start(&mut self) -> Result<(), String> {
        let port = self.port.to_string();
        let fixed = [
            ("bind", "127.0.0.1"),
            ("port", port.as_str()),
            ("daemonize", "no"),
            ("save", ""),
            ("dir", "data"),
        ];
        let own = self.options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let password = self.options.password.as_deref().map(|password| ("requirepass", password));
        let mut configuration = String::new();
        for (name, value) in fixed.into_iter().chain(password).chain(own) {
            // Some values are several words, and an empty one needs its quotes.
            let value = if value.is_empty() { "\"\"" } else { value };
            configuration.push_str(&format!("{name} {value}\n"));
        }
        let file = self.directory.join("redis.conf");
        fs::write(&file, configuration).expect("a file");
        let launch = Launch {
            program: server_program(),
            arguments: vec![file.display().to_string()],
            environment: self.options.environment.clone(),
            directory: &self.directory,
            user: None,
            end: End::Kill,
        };
        let mut process = launch.start();
        await_ready(&mut process, || self.answers())?;
        self.process = Some(process);
        Ok(())
    }

    /// Whether it answers a PING, and not that it is loading.
    fn answers(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect(port::local(self.port))?;
            stream.set_read_timeout(Some(Duration::from_millis(500)))?;
            if let Some(password) = &self.options.password {
                stream.write_all(format!("AUTH {password}\r\n").as_bytes())?;
                let mut ok = [0; 5];
                stream.read_exact(&mut ok)?;
            }
            stream.write_all(b"PING\r\n")?;
            let mut pong = [0; 7];
            stream.read_exact(&mut pong)?;
            Ok::<bool, std::io::Error>(&pong == b"+PONG\r\n")
        };
        ask().unwrap_or(false)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn server_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(named) = env::var_os("TMF_REDIS_SERVER").map(PathBuf::from) {
            assert!(named.is_file(), "TMF_REDIS_SERVER names no file: {}", named.display());
            return named;
        }
        find_program("redis-server")
            .or_else(|| find_program("valkey-server"))
            .unwrap_or_else(|| panic!("there is no Redis here: {INSTALL}"))
    })
}
