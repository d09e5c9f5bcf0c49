//! Children: this test binary again, which enters it elsewhere.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::ChildStdin,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::servers::{End, Launch, Place, Process, fresh_directory};

/// Which entry a child takes.
const ENTRY: &str = "TMF_TEST_CHILD";
/// What stands before a line that a child says, among those of the test harness.
const SAYS: &str = "child: ";

/// How long a child may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where children come in: for the test harness a test that does nothing.
#[test]
fn child() {
    match env::var(ENTRY).as_deref() {
        Err(_) => {}
        Ok("unsynced") => crate::unsynced::scribble(),
        Ok("family") => crate::kit::family(),
        Ok("busy") => crate::crash::busy(),
        Ok("full disk") => crate::faults::full_disk(),
        Ok("member") => crate::processes::member(),
        Ok("reporter") => crate::report::reporter(),
        Ok("drain") => crate::crash::drain(),
        Ok(other) => panic!("no entry {other}"),
    }
}

/// What the parent set for this child.
pub(crate) fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("the parent did not set {name}"))
}

/// Tells the parent a line. It has left this process when this returns.
pub(crate) fn say(line: &str) {
    let line = format!("{SAYS}{line}\n");
    let mut output = std::io::stdout().lock();
    output.write_all(line.as_bytes()).and_then(|()| output.flush()).expect("the parent listens");
}

/// Blocks until the parent says a line, or drops the child's handle.
pub(crate) fn hear() -> Option<String> {
    let mut line = String::new();
    let length = std::io::stdin().read_line(&mut line).expect("a pipe");
    (length > 0).then(|| line.trim_end().to_owned())
}

/// A child to start.
pub(crate) struct Birth {
    entry: &'static str,
    environment: Vec<(String, String)>,
}

impl Birth {
    pub(crate) fn at(entry: &'static str) -> Self {
        Self { entry, environment: vec![(ENTRY.to_owned(), entry.to_owned())] }
    }

    /// What [`setting`] answers in the child.
    #[allow(clippy::needless_pass_by_value, reason = "values are given as literals")]
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn with_all(self, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        settings.into_iter().fold(self, |this, (name, value)| this.with(&name, value))
    }

    pub(crate) fn start(self) -> Child {
        self.start_in(&fresh_directory(Place::Ram, "child"))
    }

    /// With this working directory, which no process of another has.
    pub(crate) fn start_in(self, directory: &Path) -> Child {
        let launch = Launch {
            program: &env::current_exe().expect("this binary"),
            arguments: ["--exact", "children::child", "--nocapture"].map(str::to_owned).into(),
            environment: self.environment,
            directory,
            user: None,
            end: End::Kill,
        };
        let mut process = launch.start_piped();
        let input = process.child().stdin.take();
        let output = BufReader::new(process.child().stdout.take().expect("a pipe"));
        let said = Arc::<Mutex<Vec<String>>>::default();
        let listener = thread::spawn({
            let said = said.clone();
            move || {
                let mut lines = output.lines();
                while let Some(Ok(line)) = lines.next() {
                    // Behind "test children::child ... ", where it is the first.
                    if let Some((_, line)) = line.split_once(SAYS) {
                        said.lock().expect("no panic in it").push(line.to_owned());
                    }
                }
            }
        });
        Child { entry: self.entry, process, input, said, listener: Some(listener) }
    }
}

/// A running child. It is killed when it is dropped.
pub(crate) struct Child {
    entry: &'static str,
    process: Process,
    input: Option<ChildStdin>,
    said: Arc<Mutex<Vec<String>>>,
    listener: Option<JoinHandle<()>>,
}

impl Child {
    /// The lines so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().expect("no panic in it").clone()
    }

    /// How many lines there are so far.
    pub(crate) fn lines(&self) -> usize {
        self.said.lock().expect("no panic in it").len()
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("a pipe");
        writeln!(input, "{line}").expect("the child listens");
    }

    /// Waits for a line that is `wanted`, or begins with it and a space; answers
    /// what follows.
    pub(crate) async fn heard(&mut self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.process.ended();
            let found = self.said().iter().find_map(|line| {
                let rest = line.strip_prefix(wanted)?;
                (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim().to_owned())
            });
            if let Some(found) = found {
                return found;
            }
            let entry = self.entry;
            if let Some(status) = ended {
                // What it said last may still be in the pipe.
                self.listener.take().map(JoinHandle::join);
                assert!(
                    self.said().iter().any(|line| line.starts_with(wanted)),
                    "{entry}: {status}"
                );
                continue;
            }
            assert!(Instant::now() < deadline, "{entry} never said {wanted}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until it has said so many lines.
    pub(crate) async fn has_said(&mut self, lines: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.lines() < lines {
            let ended = self.process.ended();
            assert!(ended.is_none(), "{}: {ended:?} after {} lines", self.entry, self.lines());
            assert!(Instant::now() < deadline, "{} said {} lines", self.entry, self.lines());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Kills it (SIGKILL), and answers all it said.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.process.kill();
        self.all_said()
    }

    /// Waits for its end, which must be a good one, and answers all it said.
    pub(crate) fn end(mut self) -> Vec<String> {
        self.input = None;
        let status = self.process.wait();
        assert!(status.success(), "{}: {status}", self.entry);
        self.all_said()
    }

    fn all_said(&mut self) -> Vec<String> {
        self.listener.take().map(JoinHandle::join);
        self.said()
    }
}
