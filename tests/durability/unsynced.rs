//! A power cut: what was not synced is lost. (A SIGKILL alone spares what the
//! system has in memory, and so a store that never syncs.)

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{
    children::{Birth, hear, say, setting},
    servers::{Place, fresh_directory},
};

/// Watches the directory `data` below another one for what is not synced.
#[derive(Debug)]
pub(crate) struct Unsynced {
    data: PathBuf,
    logs: PathBuf,
    full: PathBuf,
}

/// What a power cut spares of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spared {
    Nothing,
    /// Any write or none, in any order, as disks do it.
    AnyPart,
}

/// What a power cut cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) writes: usize,
    /// Creations, removals and renames.
    pub(crate) names: usize,
}

impl Unsynced {
    /// `data` itself may be made later.
    pub(crate) fn below(directory: &Path) -> Self {
        let logs = directory.join("unsynced");
        fs::create_dir(&logs).expect("a new directory");
        // For whichever user the server runs as.
        fs::set_permissions(&logs, fs::Permissions::from_mode(0o777)).expect("our directory");
        Self { data: directory.join("data"), full: directory.join("full"), logs }
    }

    /// What every process that writes there must have in its environment.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let path = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        vec![
            ("LD_PRELOAD".to_owned(), path(library())),
            ("UNSYNCED_BELOW".to_owned(), path(&self.data)),
            ("UNSYNCED_LOGS".to_owned(), path(&self.logs)),
            ("UNSYNCED_FULL".to_owned(), path(&self.full)),
        ]
    }

    /// From now on no file may grow, or may again.
    pub(crate) fn set_full(&self, full: bool) {
        if full {
            File::create(&self.full).expect("a file");
        } else {
            fs::remove_file(&self.full).expect("it was full");
        }
    }

    /// Whether anything at all was written there.
    pub(crate) fn is_used(&self) -> bool {
        fs::read_dir(&self.logs).expect("our directory").next().is_some()
    }

    /// Cuts the power. Every process that wrote there must be dead (SIGKILL).
    pub(crate) fn cut_power(&self, spared: Spared) -> Lost {
        let mut lost = Lost::default();
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.logs).expect("our directory") {
            let log = entry.expect("our directory").path();
            if log.extension().is_none_or(|extension| extension != "undo") {
                continue;
            }
            let records = read_log(&log);
            let writes = records.iter().filter(|record| record.kind == WRITE);
            lost.writes += undo_writes(&log.with_extension("file"), writes, spared);
            names.extend(records.into_iter().filter(|record| record.kind != WRITE));
        }
        // File systems keep their journal in order: the newest of these are lost.
        names.sort_by_key(|record| record.time);
        let kept = if spared == Spared::AnyPart { fastrand::usize(..=names.len()) } else { 0 };
        for record in names[kept..].iter().rev() {
            undo_names(record);
            lost.names += 1;
        }
        fs::remove_dir_all(&self.logs).and_then(|()| fs::create_dir(&self.logs)).expect("our own");
        fs::set_permissions(&self.logs, fs::Permissions::from_mode(0o777)).expect("our own");
        lost
    }
}

const WRITE: u64 = 1;
const CREATE: u64 = 2;
const UNLINK: u64 = 3;
const RENAME: u64 = 4;

/// As `unsynced.c` writes it.
struct Record {
    kind: u64,
    time: u64,
    offset: u64,
    written: u64,
    size: u64,
    rest: Vec<u8>,
}

/// The last one may be cut short: what it is about did not happen.
fn read_log(log: &Path) -> Vec<Record> {
    let bytes = fs::read(log).expect("an undo log");
    let mut left = bytes.as_slice();
    let mut records = Vec::new();
    while let Some((head, behind)) = left.split_at_checked(48) {
        let mut fields = head
            .chunks_exact(8)
            .map(|field| u64::from_ne_bytes(field.try_into().expect("eight bytes")));
        let mut field = || fields.next().expect("six fields");
        let (kind, time, offset, written, length, size) =
            (field(), field(), field(), field(), field(), field());
        let length = usize::try_from(length).expect("a length");
        let Some((rest, behind)) = behind.split_at_checked(length) else { break };
        records.push(Record { kind, time, offset, written, size, rest: rest.to_vec() });
        left = behind;
    }
    records
}

fn undo_writes<'a>(
    file: &Path,
    writes: impl DoubleEndedIterator<Item = &'a Record>,
    spared: Spared,
) -> usize {
    let mut writes = writes.rev().peekable();
    if writes.peek().is_none() {
        return 0;
    }
    let file = File::options().write(true).open(file).expect("the file's second name");
    let mut undone = 0;
    for record in writes {
        if spared == Spared::AnyPart && fastrand::bool() {
            continue;
        }
        undone += 1;
        file.write_all_at(&record.rest, record.offset).expect("old bytes");
        match spared {
            Spared::Nothing => file.set_len(record.size).expect("the old size"),
            // What grew stays as long, and has nothing in it.
            Spared::AnyPart => {
                let end = record.offset + record.written;
                let start = record.offset.max(record.size);
                if end > start && file.metadata().expect("a file").len() >= end {
                    let zeros = vec![0; usize::try_from(end - start).expect("a length")];
                    file.write_all_at(&zeros, start).expect("zeros");
                }
            }
        }
    }
    undone
}

fn undo_names(record: &Record) {
    let names = String::from_utf8(record.rest.clone()).expect("paths in UTF-8");
    let names: Vec<&str> = names.split('\0').collect();
    let (first, second, kept) = (names[0], names[1], names[2]);
    match record.kind {
        // It may never have come to that.
        CREATE => drop(fs::remove_file(first)),
        UNLINK if !kept.is_empty() => drop(fs::hard_link(kept, first)),
        RENAME if !Path::new(first).exists() => {
            fs::rename(second, first).expect("the new name");
            if !kept.is_empty() {
                fs::hard_link(kept, second).expect("the name that it replaced");
            }
        }
        UNLINK | RENAME => {}
        other => panic!("no record is {other}"),
    }
}

/// The layer below the C library's writes, compiled.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library = fresh_directory(Place::Ram, "unsynced").join("unsynced.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/durability/unsynced.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&library, &source])
            .output()
            .expect("a C compiler: apt-get install gcc libc6-dev");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        library
    })
}

/// The child of the test below: does what it is told, and waits to be killed.
pub(crate) fn scribble() {
    let data = PathBuf::from(setting("DATA"));
    let at = |name: &str| data.join(name);
    let open = |name: &str| File::options().write(true).open(at(name)).expect("a file");
    let sync_names = || File::open(&data).and_then(|data| data.sync_all()).expect("a sync");
    while let Some(order) = hear() {
        match order.as_str() {
            "synced" => {
                for name in ["overwritten", "appended", "cut", "removed", "renamed", "replaced"] {
                    let mut file = File::create(at(name)).expect("a file");
                    file.write_all(b"0123456789").expect("room");
                    file.sync_data().expect("a sync");
                }
                sync_names();
            }
            "unsynced" => {
                let file = open("overwritten");
                file.write_all_at(b"abc", 2).expect("room");
                file.write_all_at(b"XY", 1).expect("room");
                file.write_all_at(b"beyond", 20).expect("room");
                let mut file = File::options().append(true).open(at("appended")).expect("a file");
                std::thread::scope(|threads| {
                    for _ in 0..8 {
                        let mut file = &file;
                        threads.spawn(move || file.write_all(b"more").expect("room"));
                    }
                });
                file.write_all(b"most").expect("room");
                open("cut").set_len(3).expect("a cut");
                open("cut").write_all_at(b"z", 0).expect("room");
                fs::remove_file(at("removed")).expect("a name");
                fs::rename(at("renamed"), at("replaced")).expect("names");
                fs::write(at("created"), "0").expect("a file");
                File::create(at("overwritten")).expect("a file").write_all(b"new").expect("room");
            }
            "data" => open("created").sync_all().expect("a sync"),
            "names" => sync_names(),
            "grow" => {
                let grown = open("appended").write_all_at(b"x", 10);
                let kept = open("appended").write_all_at(b"x", 0);
                say(&format!("grown {} kept {}", grown.is_ok(), kept.is_ok()));
            }
            other => panic!("no order {other}"),
        }
        say(&format!("done {order}"));
    }
}

#[tokio::test]
async fn a_power_cut_loses_what_was_not_synced_and_no_more() {
    let directory = fresh_directory(Place::Ram, "cut");
    let data = directory.join("data");
    fs::create_dir(&data).expect("a directory");
    let unsynced = Unsynced::below(&directory);
    let child =
        || Birth::at("unsynced").with("DATA", data.display()).with_all(unsynced.environment());
    let read = |name: &str| fs::read_to_string(data.join(name)).ok();

    let mut first = child().start();
    for order in ["synced", "unsynced"] {
        first.tell(order);
        first.heard(&format!("done {order}")).await;
    }
    assert_eq!(read("overwritten").as_deref(), Some("new"));
    first.kill();
    let lost = unsynced.cut_power(Spared::Nothing);
    assert_eq!(lost.names, 3);
    for name in ["overwritten", "appended", "cut", "removed", "renamed", "replaced"] {
        assert_eq!(read(name).as_deref(), Some("0123456789"), "{name}");
    }
    assert_eq!(read("created"), None);
    assert_eq!(unsynced.cut_power(Spared::Nothing), Lost::default());

    // The names synced: the removal, the rename and the creation stay.
    let mut second = child().start();
    for order in ["unsynced", "data", "names"] {
        second.tell(order);
        second.heard(&format!("done {order}")).await;
    }
    second.kill();
    unsynced.cut_power(Spared::Nothing);
    assert_eq!(read("created").as_deref(), Some("0"));
    assert_eq!((read("removed"), read("renamed")), (None, None));
    assert_eq!(read("replaced").as_deref(), Some("0123456789"));
    assert_eq!(read("cut").as_deref(), Some("0123456789"));

    // Whatever part is spared, each byte is the old one, the new one or none.
    let mut third = child().start();
    unsynced.set_full(true);
    third.tell("grow");
    assert_eq!(third.heard("grown").await, "false kept true");
    unsynced.set_full(false);
    third.kill();
    unsynced.cut_power(Spared::AnyPart);
    let appended = read("appended").expect("a file");
    assert!(["0123456789", "x123456789"].contains(&appended.as_str()), "{appended}");
}
