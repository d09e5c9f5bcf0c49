//! The threads that own the connections. The writer's turns whatever has been
//! asked meanwhile into one transaction with one commit: while the disk syncs,
//! the next one fills.

use std::{sync::Arc, thread, time::Duration};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    connection::{ConnectionRole, Target, set_busy_timeout, wait},
    error::{Problem, SqliteError},
    session::Session,
    statements::Query,
};

/// What a thread is asked to do, once.
pub(super) trait Job: Send {
    /// Does it, inside the transaction of the session.
    ///
    /// # Errors
    ///
    /// It is to be undone; its neighbours in the transaction are not.
    fn run(&mut self, session: &mut Session<'_>) -> Result<(), SqliteError>;

    /// Answers, now that the transaction is over.
    fn answer(self: Box<Self>, end: Result<(), SqliteError>);
}

struct Task<F, T> {
    work: Option<F>,
    done: Option<Result<T, SqliteError>>,
    answer: oneshot::Sender<Result<T, SqliteError>>,
}

impl<F, T> Job for Task<F, T>
where
    F: FnOnce(&mut Session<'_>) -> Result<T, SqliteError> + Send,
    T: Send,
{
    fn run(&mut self, session: &mut Session<'_>) -> Result<(), SqliteError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let (done, end) = match work(session) {
            Ok(answer) => (Ok(answer), Ok(())),
            Err(error) => (Err(error.clone()), Err(error)),
        };
        self.done = Some(done);
        end
    }

    fn answer(self: Box<Self>, end: Result<(), SqliteError>) {
        let answer = match end {
            Ok(()) => self.done.unwrap_or_else(|| Err(Problem::Failed.into())),
            Err(error) => Err(error),
        };
        // Whoever asked may be gone; it is done all the same.
        let _ = self.answer.send(answer);
    }
}

/// Where a thread is asked.
#[derive(Debug)]
pub(super) struct Queue(mpsc::Sender<Box<dyn Job>>);

impl Queue {
    /// Has `work` done. If the future is dropped, it may be done or not.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, SqliteError> {
        let (answer, answered) = oneshot::channel();
        let task = Task { work: Some(work), done: None, answer };
        self.0.send(Box::new(task)).await.map_err(|_| Problem::Ended)?;
        answered.await.map_err(|_| Problem::Ended)?
    }
}

/// How many jobs wait at most; who comes then waits to be let in.
const QUEUE: usize = 1024;
/// How many jobs share a transaction at most.
const BATCH: usize = 512;

struct Worker {
    target: Arc<Target>,
    role: ConnectionRole,
    jobs: mpsc::Receiver<Box<dyn Job>>,
    /// Whether a job met an error that a new connection may not.
    is_spoiled: bool,
}

/// Starts a thread; answers when its connection is open.
pub(super) async fn start(
    target: &Arc<Target>,
    role: ConnectionRole,
) -> Result<Queue, SqliteError> {
    let (queue, jobs) = mpsc::channel(QUEUE);
    let (opened, is_open) = oneshot::channel();
    let worker = Worker { target: Arc::clone(target), role, jobs, is_spoiled: false };
    let name = match role {
        ConnectionRole::Writer => "tmf-sqlite-write",
        ConnectionRole::Reader => "tmf-sqlite-read",
    };
    let run = move || match worker.target.open(role) {
        Ok(connection) => {
            if opened.send(Ok(())).is_ok() {
                worker.run(connection);
            }
        }
        // Nobody waits for it if the other side is gone.
        Err(error) => drop(opened.send(Err(error))),
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|_| Problem::NoThread)?;
    is_open.await.map_err(|_| Problem::NoThread)??;
    Ok(Queue(queue))
}

/// Does `work` on a thread of its own.
pub(super) async fn detached(
    name: &str,
    work: impl FnOnce() -> Result<(), SqliteError> + Send + 'static,
) -> Result<(), SqliteError> {
    let (answer, answered) = oneshot::channel();
    let run = move || drop(answer.send(work()));
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|_| Problem::NoThread)?;
    answered.await.map_err(|_| Problem::Ended)?
}

impl Worker {
    /// Runs until the store is dropped. A connection that has failed is replaced.
    fn run(mut self, connection: Connection) {
        let mut connection = Some(connection);
        while let Some(first) = self.jobs.blocking_recv() {
            let mut batch = vec![first];
            match connection.take().map_or_else(|| self.target.open(self.role), Ok) {
                Ok(open) => {
                    if self.serve(&open, batch) {
                        connection = Some(open);
                    }
                }
                Err(error) => {
                    self.take_waiting(&mut batch);
                    answer(batch, &Err(error));
                }
            }
        }
    }

    /// Runs one batch after the other for as long as the connection is sound;
    /// answers whether it is.
    fn serve(&mut self, connection: &Connection, mut batch: Vec<Box<dyn Job>>) -> bool {
        let target = Arc::clone(&self.target);
        let mut session = Session::new(connection, &target);
        loop {
            self.is_spoiled = false;
            let end = match self.role {
                ConnectionRole::Writer => self.write(&mut session, &mut batch),
                ConnectionRole::Reader => self.read(&mut session, &mut batch),
            };
            if let Err(error) = &end {
                self.is_spoiled |= error.spoils_connection();
                undo(&mut session);
                if error.is_full() {
                    // The log may hold a page many times over; the file needs it
                    // once.
                    empty_log(&session);
                }
            }
            let is_sound = !self.is_spoiled && !session.is_in_transaction();
            answer(batch, &end);
            if !is_sound {
                return false;
            }
            match self.jobs.blocking_recv() {
                Some(first) => batch = vec![first],
                None => return true,
            }
        }
    }

    fn write(
        &mut self,
        session: &mut Session<'_>,
        batch: &mut Vec<Box<dyn Job>>,
    ) -> Result<(), SqliteError> {
        if let Err(error) = begin_write(session) {
            // Each of those who wait would wait as long again, one by one.
            self.take_waiting(batch);
            return Err(error);
        }
        session.start()?;
        let mut next = 0;
        while let Some(job) = batch.get_mut(next) {
            // What fails by itself is undone by itself; its error is in the job.
            if let Err(error) = session.whole(|session| job.run(session)) {
                self.is_spoiled |= error.spoils_connection();
                if error.is(&Problem::RolledBack) || !session.is_in_transaction() {
                    return Err(error);
                }
            }
            next += 1;
            if batch.len() < BATCH {
                batch.extend(self.jobs.try_recv().ok());
            }
        }
        session.save()?;
        session.statements.execute(Query::Commit, [])?;
        session.committed();
        if session.scrub {
            // It still holds what was removed.
            empty_log(session);
        }
        Ok(())
    }

    /// All that was asked before the transaction began sees what was committed
    /// before it was asked.
    fn read(
        &mut self,
        session: &mut Session<'_>,
        batch: &mut Vec<Box<dyn Job>>,
    ) -> Result<(), SqliteError> {
        self.take_waiting(batch);
        session.statements.execute(Query::BeginRead, [])?;
        session.start()?;
        for job in batch {
            session.now = session.target.clock.now();
            // Its error is in the job.
            if let Err(error) = job.run(session) {
                self.is_spoiled |= error.spoils_connection();
            }
        }
        session.statements.execute(Query::Commit, [])?;
        Ok(())
    }

    fn take_waiting(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        while let Ok(job) = self.jobs.try_recv() {
            batch.push(job);
        }
    }
}

fn answer(batch: Vec<Box<dyn Job>>, end: &Result<(), SqliteError>) {
    for job in batch {
        job.answer(end.clone());
    }
}

/// Waits for the lock that lets one connection write.
fn begin_write(session: &mut Session<'_>) -> Result<(), SqliteError> {
    let at_most = session.target.busy_timeout;
    let connection = session.statements.connection();
    set_busy_timeout(connection, Duration::ZERO)?;
    let begun = wait(at_most, || session.statements.execute(Query::BeginWrite, []));
    set_busy_timeout(connection, at_most)?;
    begun.map(drop)
}

fn undo(session: &mut Session<'_>) {
    session.undone();
    if session.is_in_transaction() {
        // If even this fails, the connection is replaced.
        let _ = session.statements.execute(Query::Rollback, []);
    }
}

/// Moves what the log holds into the file, and makes the log empty, unless
/// another connection needs it.
fn empty_log(session: &Session<'_>) {
    const PATIENCE: Duration = Duration::from_millis(100);
    let at_most = session.target.busy_timeout;
    let connection = session.statements.connection();
    if set_busy_timeout(connection, at_most.min(PATIENCE)).is_ok() {
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let _ = set_busy_timeout(connection, at_most);
    }
}
