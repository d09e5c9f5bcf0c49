//! Free ports.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{LazyLock, Mutex},
};

/// A port that nobody listens on, and that no other server here got.
///
/// It lies below the range that outgoing connections take theirs from: while a
/// server is down, a client that connects again and again could otherwise get
/// the server's port for its own end, and so reach itself.
pub(crate) fn free() -> u16 {
    free_where(|_| true)
}

pub(crate) fn free_where(also: impl Fn(u16) -> bool) -> u16 {
    static TAKEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    for _ in 0..1000 {
        let port = fastrand::u16(10_240..22_000);
        if is_free(port) && also(port) && TAKEN.lock().expect("no panic in it").insert(port) {
            return port;
        }
    }
    panic!("no free port between 10240 and 22000");
}

pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

pub(crate) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
