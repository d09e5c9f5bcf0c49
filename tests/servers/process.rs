//! A child process that ends with this one, and whatever it starts itself.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How long a server may take to start, to stop, to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running program. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    directory: PathBuf,
    end: End,
}

/// Which signal ends a program that is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Kill,
    /// PostgreSQL stops at once on it, and gives back what the system would keep.
    Quit,
}

impl End {
    fn signal(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Quit => "QUIT",
        }
    }
}

/// What a program is started with.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Its working directory, and that of nobody else's processes.
    pub(crate) directory: &'a Path,
    /// The user it runs as, if that is another than ours.
    pub(crate) user: Option<&'a str>,
    pub(crate) end: End,
}

impl Launch<'_> {
    /// Its output is appended to the file `log` in the directory.
    pub(crate) fn start(self) -> Process {
        let log = File::options()
            .create(true)
            .append(true)
            .open(log_file(self.directory))
            .expect("a log file");
        let errors = log.try_clone().expect("a log file");
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        self.spawn(command)
    }

    /// Its output comes through a pipe, see [`Process::child`]; its errors are
    /// those of the test.
    pub(crate) fn start_piped(self) -> Process {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        self.spawn(command)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", self.end.signal()]);
        if let Some(user) = self.user {
            command.args(["--reuid", user, "--regid", user, "--init-groups"]);
        }
        command
            .arg("--")
            .arg(self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.directory);
        command
    }

    fn spawn(self, command: Command) -> Process {
        let child = spawn_from_a_lasting_thread(command).unwrap_or_else(|error| {
            panic!("setpriv (util-linux) cannot start {}: {error}", self.program.display())
        });
        Process { child, directory: self.directory.to_owned(), end: self.end }
    }
}

/// The signal for a parent's death comes when the *thread* ends that started the
/// child, and a test's thread ends with the test.
fn spawn_from_a_lasting_thread(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in orders {
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    let (answer, answered) = mpsc::channel();
    spawner.send((command, answer)).expect("the thread lasts");
    answered.recv().expect("the thread lasts")
}

impl Process {
    /// The process itself: its pipes, for one that was started with them.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(name, &[self.id()]);
    }

    /// Kills it and all it started (SIGKILL), and waits until they are gone.
    /// They are stopped first, so that none sees another one die.
    pub(crate) fn kill(&mut self) {
        self.pause();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.ended().is_some();
            let members = self.members();
            if ended && members.is_empty() {
                return;
            }
            signal("KILL", &members);
            assert!(Instant::now() < deadline, "processes outlive SIGKILL: {members:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops it and all it started (SIGSTOP).
    pub(crate) fn pause(&mut self) {
        if self.ended().is_some() {
            return;
        }
        self.signal("STOP");
        let mut stopped = vec![self.id()];
        loop {
            let mut members = self.members();
            members.retain(|id| !stopped.contains(id));
            if members.is_empty() {
                return;
            }
            signal("STOP", &members);
            stopped.extend(members);
        }
    }

    /// Lets it and all it started run on (SIGCONT).
    pub(crate) fn resume(&self) {
        signal("CONT", &self.members());
    }

    /// Sends `name` to it, and waits for its end.
    pub(crate) fn end_by(&mut self, name: &str) -> ExitStatus {
        self.resume();
        self.signal(name);
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", log(&self.directory));
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The processes that work in its directory: itself, and what it started.
    fn members(&self) -> Vec<u32> {
        let processes = fs::read_dir("/proc").expect("Linux's /proc");
        let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        ids.filter(|id| {
            fs::read_link(format!("/proc/{id}/cwd"))
                .is_ok_and(|directory| directory.starts_with(&self.directory))
        })
        .collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.resume();
            self.signal(self.end.signal());
            let deadline = Instant::now() + Duration::from_secs(3);
            while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(2));
            }
        }
        let members = self.members();
        if !members.is_empty() {
            signal("KILL", &members);
        }
        let _ = self.child.wait();
    }
}

/// Processes that are gone already are no error.
fn signal(name: &str, ids: &[u32]) {
    if ids.is_empty() {
        return;
    }
    let ids = ids.iter().map(u32::to_string);
    let _ = Command::new("sh")
        .args(["-c", r#"kill -s "$0" "$@""#, name])
        .args(ids)
        .stderr(Stdio::null())
        .status()
        .expect("a shell");
}

fn log_file(directory: &Path) -> PathBuf {
    directory.join("log")
}

/// What the program in this directory has written.
pub(crate) fn log(directory: &Path) -> String {
    let log = fs::read(log_file(directory)).unwrap_or_default();
    String::from_utf8_lossy(&log).into_owned()
}

/// Asks until `is_ready` says so, and panics with the log of one that ends before.
pub(crate) fn await_ready(
    process: &mut Process,
    mut is_ready: impl FnMut() -> bool,
) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !is_ready() {
        if let Some(status) = process.ended() {
            return Err(format!("{status}:\n{}", log(&process.directory)));
        }
        if Instant::now() > deadline {
            return Err(format!("it does not get ready:\n{}", log(&process.directory)));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The program `name` in the directories of `PATH` and those of system programs.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|at| at.join(name)).find(|at| at.is_file())
}

/// Runs a program to its end, and answers what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// Whether we may, and for PostgreSQL must, become another user.
pub(crate) fn are_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}
