//! Connections that end, and servers that stand still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tower_message_feedback::store::{ConfirmOutcome, FeedbackStore, RedisStore, StoreError};

use crate::{
    servers::Redis,
    support::{cause, confirm, message, open, patient, queue, record, seconds, target},
};

/// Asks until there is an answer.
async fn eventually(store: &RedisStore, n: u64) -> ConfirmOutcome {
    let deadline = Instant::now() + seconds(60);
    loop {
        match store.confirm(&[target(n)]).await {
            Ok(outcomes) => return outcomes[0],
            Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_opened_again_unnoticed() {
    let server = Redis::start();
    let store = open(&server).await;
    for n in 0..5 {
        record(&store, n).await;
        server.cli(&["client", "kill", "type", "normal"]);
        assert_eq!(confirm(&store, n).await, ConfirmOutcome::Queued);
    }
}

#[tokio::test]
async fn while_the_server_is_gone_there_are_errors_and_then_answers() {
    let mut server = Redis::options().append_only("always").start();
    let store = open(&server).await;
    queue(&store, 1).await;
    record(&store, 2).await;
    server.kill();
    let error = store.confirm(&[target(2)]).await.expect_err("nobody answers");
    assert!(!cause(&error).is_timeout(), "{error:?}");
    server.restart();
    assert_eq!(eventually(&store, 2).await, ConfirmOutcome::Queued);
    assert_eq!(eventually(&store, 1).await, ConfirmOutcome::AlreadyConfirmed);
}

#[tokio::test]
async fn a_server_that_stands_still_holds_nobody_up_for_longer_than_the_bound() {
    let mut server = Redis::start();
    let builder = RedisStore::builder().response_timeout(Duration::from_millis(300));
    let store = builder.connect(server.url()).await.expect("a connection");
    store.migrate().await.expect("the data is created");
    server.pause();
    let began = Instant::now();
    let asked: Vec<StoreError> = vec![
        store.confirm(&[target(1)]).await.expect_err("nobody answers"),
        store.counts().await.expect_err("nobody answers"),
    ];
    let took = began.elapsed();
    server.resume();
    assert!(asked.iter().all(|error| cause(error).is_timeout()), "{asked:?}");
    assert!(took < seconds(10), "{took:?}");
    assert_eq!(eventually(&store, 1).await, ConfirmOutcome::Unknown);
}

/// The URL of a name that leads to the server on this port for now.
async fn named(port: Arc<AtomicU16>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("redis://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let port = port.load(Relaxed);
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", port)).await.expect("a server");
                // It ends with either of them.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    url
}

#[tokio::test]
async fn a_master_that_has_become_a_replica_is_left_unnoticed() {
    let master = Redis::options().set("repl-diskless-sync-delay", 0).start();
    let replicates = format!("127.0.0.1 {}", master.port());
    let replica = Redis::options().set("replicaof", replicates).start();
    let port = Arc::new(AtomicU16::new(master.port()));
    let builder = patient(RedisStore::builder());
    let store = builder.connect(named(port.clone()).await).await.expect("a connection");
    store.migrate().await.expect("the data is created");
    record(&store, 1).await;
    let deadline = Instant::now() + seconds(60);
    while master.cli(&["dbsize"]) != replica.cli(&["dbsize"]) {
        assert!(Instant::now() < deadline, "the replica does not come up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let promoted = replica.port().to_string();
    replica.cli(&["replicaof", "no", "one"]);
    master.cli(&["replicaof", "127.0.0.1", &promoted]);
    // While the name leads there still, it is an error.
    let error = store.record(&[message(2)]).await.expect_err("a replica");
    assert!(cause(&error).to_string().contains("READONLY"), "{error:?}");
    port.store(replica.port(), Relaxed);
    assert_eq!(confirm(&store, 1).await, ConfirmOutcome::Queued);
    record(&store, 3).await;
}
