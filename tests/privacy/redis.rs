//! Redis: its log of commands, its snapshot, its log, and what an operator can watch.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tower_message_feedback::store::RedisStore;

use crate::{
    direct::Trouble,
    files,
    markers::STORE_PASSWORD,
    run::{all_types_were_shown, at_rest, everything, holds, site},
    said::noted,
    search::Search,
    servers::Redis,
};

/// It permits nothing for a while, and hangs up.
struct Forbidden<'a>(&'a Redis);

impl Trouble for Forbidden<'_> {
    async fn begin(&self) {
        self.0.cli(&["acl", "setuser", "default", "-@all", "+acl", "+auth", "+client", "+hello"]);
        self.0.cli(&["client", "kill", "type", "normal"]);
    }

    async fn end(&self) {
        self.0.cli(&["acl", "setuser", "default", "+@all"]);
    }
}

/// A connection of an operator's, who asks for this.
fn asked(server: &Redis, commands: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    write!(stream, "AUTH {STORE_PASSWORD}\r\n{commands}\r\n").expect("a command");
    stream
}

/// What `MONITOR` shows, until the server ends.
fn monitor(server: &Redis) -> Arc<Mutex<Vec<u8>>> {
    let mut stream = asked(server, "MONITOR");
    let shown = Arc::new(Mutex::new(Vec::new()));
    let kept = shown.clone();
    thread::spawn(move || {
        let mut buffer = [0; 64 * 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            kept.lock().expect("no panic").extend_from_slice(&buffer[..read]);
        }
    });
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_redis() {
    let mut server = Redis::options()
        .append_only("everysec")
        .password(STORE_PASSWORD)
        // Else it could not be read.
        .set("rdbcompression", "no")
        .set("slowlog-log-slower-than", 0)
        .set("slowlog-max-len", 20_000)
        .set("loglevel", "debug")
        .start();
    let shown = monitor(&server);
    let site = site().await;
    let builder = noted(RedisStore::builder().clock(site.time.clock()));
    let builder = builder.response_timeout(Duration::from_secs(30));
    let store = Arc::new(noted(builder.connect(server.url()).await.expect("a store")));
    noted(store.persistence());
    store.migrate().await.expect("the data");
    let (app, entry) = everything(site, store.clone(), &Forbidden(&server)).await;
    app.world.feedback.shutdown(Duration::from_secs(5)).await;
    drop((app, store));

    all_types_were_shown(&["Redis", "redis"], &[]);
    let search = Search::for_markers();
    let mut slow = Vec::new();
    let mut answer = asked(&server, "SLOWLOG GET -1\r\nQUIT");
    answer.read_to_end(&mut slow).expect("an answer");
    assert!(holds(&slow, b"EVALSHA"), "SLOWLOG has commands");
    search.finds_nothing_in("SLOWLOG", &slow);
    let shown = shown.lock().expect("no panic").clone();
    assert!(holds(&shown, b"EVALSHA"), "MONITOR shows commands");
    search.finds_nothing_in("MONITOR", &shown);
    at_rest("the log of commands", &files::of(&server.data()), &entry);
    for command in [&["bgrewriteaof"][..], &["save"]] {
        server.cli(command);
    }
    at_rest("the log and a snapshot", &files::of(&server.data()), &entry);
    server.stop();
    at_rest("what Redis leaves behind", &files::of(&server.data()), &entry);
    search.finds_nothing_in("the log of Redis", server.log().as_bytes());
}
