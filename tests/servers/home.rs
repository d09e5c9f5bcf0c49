//! Where the servers keep their files, and what clears them away.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// What the files of a server lie on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Place {
    /// The RAM disk `/dev/shm`, or the disk where there is none of 1 GiB.
    #[default]
    Ram,
    /// `/var/tmp`, which is a real disk on most machines.
    Disk,
}

struct Homes {
    ram: PathBuf,
    disk: PathBuf,
    /// Closed by the end of this process, however it ends.
    _alive: ChildStdin,
}

/// A directory of its own, which is gone soon after this process.
pub(crate) fn fresh(place: Place, name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let homes = homes();
    let home = if place == Place::Ram { &homes.ram } else { &homes.disk };
    let directory = home.join(format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    make(&directory);
    directory
}

fn homes() -> &'static Homes {
    static HOMES: OnceLock<Homes> = OnceLock::new();
    HOMES.get_or_init(|| {
        let name =
            format!("message-feedback-tests-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let disk = Path::new("/var/tmp").join(&name);
        let ram = if has_ram_disk() { Path::new("/dev/shm").join(&name) } else { disk.join("ram") };
        make(&disk);
        make(&ram);
        let _alive = start_janitor(&[&ram, &disk]);
        Homes { ram, disk, _alive }
    })
}

/// For other users to pass through, too: PostgreSQL refuses to run as root.
fn make(directory: &Path) {
    fs::create_dir(directory)
        .and_then(|()| fs::set_permissions(directory, fs::Permissions::from_mode(0o755)))
        .unwrap_or_else(|error| panic!("no directory {}: {error}", directory.display()));
}

/// A container often has 64 MiB, which two servers fill.
fn has_ram_disk() -> bool {
    let df = Command::new("df").args(["-Pk", "/dev/shm"]).output();
    let free_kib = df.ok().and_then(|df| {
        let text = String::from_utf8(df.stdout).ok()?;
        text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok()
    });
    free_kib.is_some_and(|kib| kib >= 1024 * 1024)
}

/// A child that waits for the end of this process, ends what still runs in the
/// directories and removes them.
///
/// The servers die with this process by themselves, but for those that are
/// stopped (SIGSTOP). PostgreSQL gets a moment to give its shared memory back.
fn start_janitor(directories: &[&Path]) -> ChildStdin {
    const SCRIPT: &str = r#"
        trap '' HUP INT QUIT TERM
        cat >/dev/null
        signal() {
            found=
            for process in /proc/[0-9]*; do
                at=$(readlink "$process/cwd") || continue
                for directory in "$ram" "$disk"; do
                    case $at in
                        "$directory"/*) found=1; kill -s "$1" "${process#/proc/}" ;;
                    esac
                done
            done
            [ "$found" ]
        }
        ram=$1 disk=$2
        for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
            signal CONT || break
            sleep 0.2
        done
        while signal KILL; do sleep 0.1; done
        rm -rf "$ram" "$disk"
    "#;
    #[allow(clippy::zombie_processes, reason = "it outlives this process, on purpose")]
    let mut janitor = Command::new("sh")
        .args(["-c", SCRIPT, "janitor"])
        .args(directories)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Out of reach of a Ctrl-C.
        .process_group(0)
        .spawn()
        .expect("a shell");
    janitor.stdin.take().expect("a pipe")
}
