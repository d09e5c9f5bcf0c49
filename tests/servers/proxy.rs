//! A bad network between a client and a server.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, watch},
    task::JoinSet,
    time,
};

use super::port;

/// What the network does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It carries everything, each piece so much later.
    Pass(Duration),
    /// Nothing gets through; connections stay, and new ones are taken.
    Stall,
    /// What the client says gets through; the answers do not.
    StallAnswers,
    /// New connections are closed at once. The others go on.
    Refuse,
}

/// A proxy for TCP, on a thread of its own. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    network: Arc<Network>,
    _alive: watch::Sender<()>,
}

#[derive(Debug)]
struct Network {
    server: SocketAddr,
    flow: watch::Sender<Flow>,
    cut: Notify,
    /// How many bytes of answers pass until all is cut.
    answers_left: AtomicU64,
    connections: AtomicU64,
}

impl Proxy {
    /// A proxy for the server at this port of 127.0.0.1.
    pub(crate) fn start(server_port: u16) -> Self {
        let network = Arc::new(Network {
            server: port::local(server_port),
            flow: watch::Sender::new(Flow::Pass(Duration::ZERO)),
            cut: Notify::new(),
            answers_left: AtomicU64::new(u64::MAX),
            connections: AtomicU64::new(0),
        });
        let (_alive, mut ended) = watch::channel(());
        let (tell, told) = mpsc::channel();
        let of_thread = network.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind(port::local(port::free())).await.expect("a port");
                tell.send(listener.local_addr().expect("an address")).expect("a listener");
                tokio::select! {
                    () = accept(listener, of_thread) => {}
                    _ = ended.changed() => {}
                }
            });
        });
        let address = told.recv().expect("a proxy");
        Self { address, network, _alive }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// A URL of the server, with the proxy's address in place of the server's.
    pub(crate) fn url(&self, server_url: &str) -> String {
        let of_server = self.network.server.to_string();
        assert!(server_url.contains(&of_server), "not a URL of {of_server}: {server_url}");
        server_url.replacen(&of_server, &self.address.to_string(), 1)
    }

    pub(crate) fn set(&self, flow: Flow) {
        self.network.flow.send_replace(flow);
    }

    /// Carries everything, without delay.
    pub(crate) fn pass(&self) {
        self.set(Flow::Pass(Duration::ZERO));
    }

    /// Resets every connection there is, whatever is under way.
    pub(crate) fn cut(&self) {
        self.network.cut.notify_waiters();
    }

    /// Resets every connection once so many more bytes of answers have passed:
    /// in the middle of an answer.
    pub(crate) fn cut_after_answer_bytes(&self, bytes: u64) {
        self.network.answers_left.store(bytes, Ordering::SeqCst);
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> u64 {
        self.network.connections.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, network: Arc<Network>) {
    // Ends with this function, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        network.connections.fetch_add(1, Ordering::SeqCst);
        if *network.flow.borrow() != Flow::Refuse {
            connections.spawn(carry(client, network.clone()));
        }
    }
}

async fn carry(client: TcpStream, network: Arc<Network>) {
    let cut = network.cut.notified();
    let both = async {
        let server = TcpStream::connect(network.server).await?;
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::try_join!(
            one_way(&network, Way::Questions, from_client, to_server),
            one_way(&network, Way::Answers, from_server, to_client),
        )?;
        Ok::<(), io::Error>(())
    };
    tokio::select! {
        // What was not read yet makes the system reset a connection rather than
        // close it; both come in practice.
        () = cut => {}
        _ = both => {}
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Questions,
    Answers,
}

async fn one_way(
    network: &Network,
    way: Way,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    let mut flow = network.flow.subscribe();
    let mut piece = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        let open = |flow: &Flow| match flow {
            Flow::Stall => false,
            Flow::StallAnswers => way == Way::Questions,
            Flow::Pass(_) | Flow::Refuse => true,
        };
        let now = *flow.wait_for(open).await.map_err(io::Error::other)?;
        if let Flow::Pass(delay) = now
            && !delay.is_zero()
        {
            time::sleep(delay).await;
        }
        if length == 0 {
            return to.shutdown().await;
        }
        let passes = if way == Way::Answers { network.let_answer(length) } else { length };
        to.write_all(&piece[..passes]).await?;
        if passes < length {
            network.cut.notify_waiters();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
    }
}

impl Network {
    /// How much of an answer passes; less than all once, where the cut is due.
    fn let_answer(&self, length: usize) -> usize {
        let left = self.answers_left.load(Ordering::SeqCst);
        if left == u64::MAX {
            return length;
        }
        let passes = length.min(usize::try_from(left).unwrap_or(usize::MAX));
        // Only this thread counts down; a test sets it anew after the cut.
        let after = if passes < length { u64::MAX } else { left - passes as u64 };
        self.answers_left.store(after, Ordering::SeqCst);
        passes
    }
}
