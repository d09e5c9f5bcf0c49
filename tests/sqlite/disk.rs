//! A disk that is full, and one that fails, for real: the test runs itself once
//! more where the disk is small.
#![cfg(target_os = "linux")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tower_message_feedback::store::{
    ConfirmOutcome, FeedbackStore, LeaseRequest, RecordOutcome, SettledAs, Settlement, SqliteStore,
    SqliteStoreBuilder, StoreError, sqlite::SqliteError,
};

use crate::support::{Directory, LEASE, account, by_id, message, ok, sqlite_error, status, text};

/// Where the test runs for the second time, the directory on the small disk.
const SMALL_DISK: &str = "TMF_TEST_SMALL_DISK";

/// Runs the test `name` again, by way of a shell script that is given the
/// directory as `$1`, the program as `$2` and the test as `$3`.
fn run_again(before: &[&str], script: &str, directory: &Path, name: &str) -> Output {
    let mut command: Vec<&str> = before.to_vec();
    command.extend(["sh", "-ec", script, "sh"]);
    Command::new(command[0])
        .args(&command[1..])
        .arg(directory)
        .arg(env::current_exe().expect("this program"))
        .arg(name)
        .env(SMALL_DISK, directory)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", command[0]))
}

fn succeeded(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert!(out.contains("1 passed"), "it did not run\n{out}");
}

fn small_disk() -> Option<PathBuf> {
    env::var_os(SMALL_DISK).map(PathBuf::from)
}

fn builder(directory: &Path) -> SqliteStoreBuilder {
    SqliteStore::builder(directory.join("feedback.db"))
}

/// Records until it fails; answers how many messages were recorded, and why no
/// more were.
async fn fill(store: &SqliteStore) -> (u64, StoreError) {
    for n in 0..1_000_000 {
        match store.record(&[message(n)]).await {
            Ok(outcomes) => assert_eq!(outcomes, [RecordOutcome::Inserted]),
            Err(error) => return (n, error),
        }
    }
    panic!("the disk is not small");
}

/// Everything that was answered is there, and the store does all of its work.
async fn is_whole(builder: &SqliteStoreBuilder, store: &SqliteStore, recorded: u64) {
    // Whether the one that failed was recorded is unknown.
    let again = ok(store.record(&[message(recorded)])).await;
    assert!(matches!(again[..], [RecordOutcome::Inserted | RecordOutcome::AlreadyPresent]));
    let fresh = builder.clone().open().await.expect("a store");
    for n in 0..=recorded {
        assert!(status(&fresh, n).await.is_some(), "message {n} of {recorded} is lost");
    }
    let more: Vec<_> = (recorded + 1..recorded + 100).map(message).collect();
    ok(store.record(&more)).await;
    let targets: Vec<_> = (recorded + 1..recorded + 100).map(by_id).collect();
    assert_eq!(ok(store.confirm(&targets)).await, [ConfirmOutcome::Queued; 99]);
    let entries = ok(store.lease(&LeaseRequest::new(1000, LEASE))).await.entries;
    assert!(entries.len() >= 99);
    let settled = |entry| Settlement::new(entry, Default::default(), SettledAs::Delivered);
    let settlements: Vec<_> = entries.iter().map(settled).collect();
    ok(store.settle(&settlements)).await;
    let counts = ok(fresh.counts()).await;
    assert_eq!((counts.messages, counts.outbox), (recorded + 100, 0));
}

const MOUNT: &str = r#"mount -t tmpfs -o size=6m tmpfs "$1"; exec "$2" --exact "$3""#;

#[tokio::test]
async fn a_full_disk_is_an_error_that_says_so_and_nothing_is_lost() {
    let Some(directory) = small_disk() else {
        let name = "disk::a_full_disk_is_an_error_that_says_so_and_nothing_is_lost";
        let directory = Directory::new();
        let can_mount = |before: &[&str]| {
            let script = r#"mount -t tmpfs -o size=64k tmpfs "$1""#;
            run_again(before, script, directory.path(), name).status.success()
        };
        // In a mount namespace of its own, so that nobody else sees it.
        let before: &[&str] = if can_mount(&["unshare", "--mount"]) {
            &["unshare", "--mount"]
        } else if can_mount(&["unshare", "--map-root-user", "--mount"]) {
            &["unshare", "--map-root-user", "--mount"]
        } else {
            // The file size limit below is the same to SQLite but for its code.
            eprintln!("no small disk can be mounted here: not tested");
            return;
        };
        return succeeded(&run_again(before, MOUNT, directory.path(), name));
    };

    let ballast = directory.join("ballast");
    fs::write(&ballast, vec![1; 3 * 1024 * 1024]).expect("a ballast");
    let builder = builder(&directory);
    builder.migrate().await.expect("tables");
    let store = builder.clone().open().await.expect("a store");
    let (recorded, error) = fill(&store).await;
    assert!(recorded > 10);
    assert!(sqlite_error(&error).is_full(), "{}", text(&error));
    assert!(text(&error).contains("is full"), "{}", text(&error));
    // Nothing of what is there is harmed meanwhile.
    for n in 0..recorded {
        assert!(status(&store, n).await.is_some());
    }
    for _ in 0..3 {
        if let Err(error) = store.confirm(&[by_id(0)]).await {
            assert!(sqlite_error(&error).is_full(), "{}", text(&error));
        }
    }
    // What it had begun to write of an account that it did not know is undone.
    let mut of_another = message(2_000_000);
    of_another.account = account(3);
    let error = store.record(&[of_another.clone()]).await.expect_err("no room");
    assert!(sqlite_error(&error).is_full(), "{}", text(&error));
    fs::remove_file(ballast).expect("room");
    is_whole(&builder, &store, recorded).await;
    ok(store.record(&[of_another.clone()])).await;
    let fresh = builder.clone().open().await.expect("a store");
    let [Some(entry)] = &ok(fresh.by_sid(&[of_another.sid])).await[..] else { panic!("it") };
    assert_eq!(entry.account, of_another.account);
}

/// The shell counts in units of 512 bytes.
const LIMIT: &str = r#"trap "" XFSZ; ulimit -S -f 1024; exec "$2" --exact "$3""#;

#[tokio::test]
async fn a_disk_that_fails_is_an_error_that_says_so_and_nothing_is_lost() {
    let Some(directory) = small_disk() else {
        let name = "disk::a_disk_that_fails_is_an_error_that_says_so_and_nothing_is_lost";
        let directory = Directory::new();
        return succeeded(&run_again(&[], LIMIT, directory.path(), name));
    };

    let builder = builder(&directory);
    builder.migrate().await.expect("tables");
    let store = builder.clone().open().await.expect("a store");
    let (recorded, error) = fill(&store).await;
    assert!(recorded > 10);
    let source: &SqliteError = sqlite_error(&error);
    assert!(!source.is_full() && !source.is_locked());
    assert!(text(&error).contains("could not be read, written"), "{}", text(&error));
    for n in 0..recorded {
        assert!(status(&store, n).await.is_some());
    }
    let lifted = Command::new("prlimit")
        .args(["--fsize=unlimited", "--pid", &std::process::id().to_string()])
        .status()
        .expect("prlimit");
    assert!(lifted.success());
    is_whole(&builder, &store, recorded).await;
}
