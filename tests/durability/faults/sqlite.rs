//! A SQLite file that is locked, and one on a full disk.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use tower_message_feedback::store::sqlite::{Synchronous, rusqlite::Connection};

use super::load::{Load, STORE_TIMEOUT};
use crate::{
    application::{Application, builder},
    children::{Birth, say, setting},
    servers::{Place, fresh_directory},
    stores::Spec,
    unsynced::Unsynced,
    world::World,
};

async fn load(world: &World, file: PathBuf) -> Load {
    let store = Spec::Sqlite { file, synchronous: Synchronous::Full }.open().await;
    let builder = builder(&world.base_url(), store).store_timeout(STORE_TIMEOUT);
    let application = Application::new(&world.base_url(), builder);
    Load::start(application, "s")
}

/// What stands in the way for a while, from `begin` to `end`.
async fn through(fault: &str, world: &World, load: Load, begin: impl FnOnce(), end: impl FnOnce()) {
    load.is_warm().await;
    let before = load.watch().await;
    let during = load
        .watch_during(async {
            begin();
            load.a_while().await;
        })
        .await;
    end();
    during.went_on(fault, before);
    load.recovered().await;
    let errors = load.feedback().stats().confirms.store_errors;
    assert!(errors > 0, "{fault}: the store never failed");
    let answers = load.all_is_reported(world).await;
    println!("{fault}: {answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_file_defers_and_loses_nothing() {
    let file = fresh_directory(Place::Ram, "locked").join("feedback.db");
    let world = World::new().await;
    let load = load(&world, file.clone()).await;
    let other = Connection::open(&file).expect("the file");
    through(
        "a lock",
        &world,
        load,
        || other.execute_batch("BEGIN IMMEDIATE").expect("a lock"),
        || other.execute_batch("ROLLBACK").expect("an end"),
    )
    .await;
}

/// The child of the test below, whose writes go through the fault layer.
pub(crate) fn full_disk() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let full = PathBuf::from(setting("UNSYNCED_FULL"));
        let world = World::new().await;
        let load = load(&world, Path::new(&setting("DATA")).join("feedback.db")).await;
        through(
            "a full disk",
            &world,
            load,
            || drop(File::create(&full).expect("a file")),
            || fs::remove_file(&full).expect("a file"),
        )
        .await;
        say("done");
    });
}

#[test]
fn a_full_disk_defers_and_loses_nothing() {
    let directory = fresh_directory(Place::Ram, "full");
    let data = directory.join("data");
    fs::create_dir(&data).expect("a directory");
    let unsynced = Unsynced::below(&directory);
    let child = Birth::at("full disk").with("DATA", data.display());
    assert_eq!(child.with_all(unsynced.environment()).start().end(), ["done"]);
}
