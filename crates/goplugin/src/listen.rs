//! A unix socket that serves gRPC over HTTP/2, with pinned TLS or without (plugin-protocol §1.9, §1.12).
//!
//! Used by the host for the socket of each instance and by a plugin for its main socket. Each connection has a task of its own, TLS
//! handshake included: one stuck peer must not block the listener.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::gather::gathered;
use crate::names::{CONNECTION_WINDOW, STREAM_WINDOW};
use crate::tasks::Tasks;

#[cfg(feature = "guest")]
mod services;

#[cfg(feature = "guest")]
pub(crate) use services::Tonic;

/// How long a peer may take for the TLS handshake.
const TLS_TIME: Duration = Duration::from_secs(5);
/// How many connections one socket has at a time; a well-behaved peer has one.
const CONNECTIONS: usize = 64;
/// How many calls one connection has at a time. Further ones wait on the peer's side.
const STREAMS: u32 = 2_000;
/// How long the listener rests after an accept that failed, for example for want of file descriptors.
const REST: Duration = Duration::from_millis(100);

/// A socket that listens; its file goes away with it.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens at `path`, which must not exist. Connections are queued from now on.
    pub(crate) fn bind(path: PathBuf) -> std::io::Result<Self> {
        let listener = UnixListener::bind(&path)?;
        Ok(Self { listener, path })
    }

    /// Where it listens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves every connection in tasks of `tasks` until they are stopped. `per_connection` makes the service of one connection;
    /// what it captures is dropped with the connection.
    pub(crate) fn serve<S: Serve>(
        self,
        tls: Option<TlsAcceptor>,
        tasks: &Tasks,
        per_connection: impl Fn() -> S + Send + 'static,
    ) {
        let own = tasks.clone();
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        tasks.spawn(async move {
            loop {
                let Ok(place) = Arc::clone(&room).acquire_owned().await else {
                    return;
                };
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let work = connection(stream, tls.clone(), per_connection(), own.clone());
                        own.spawn(async move {
                            work.await;
                            drop(place);
                        });
                    }
                    Err(_) => tokio::time::sleep(REST).await,
                }
            }
        });
    }
}

/// What the connections of a socket serve.
pub(crate) trait Serve: Send + 'static {
    /// Whether a call is begun in the task of its connection. What needs to wait for nothing then costs no other task, and its answer
    /// leaves with whatever else the connection has to send. For services that never compute for long.
    const AT_ONCE: bool;

    /// Serves one call to its end. It should end early when the peer has reset it, see [`unless_reset`].
    fn serve(
        &self,
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
    ) -> BoxFuture<'static, ()>;
}

/// Runs `work` unless the peer gives the call up.
pub(crate) async fn unless_reset<T>(
    respond: &mut SendResponse<Bytes>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => respond.poll_reset(cx).map(|_| None),
    })
    .await
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The folder goes away with the process anyway.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn connection<S: Serve>(
    stream: UnixStream,
    tls: Option<TlsAcceptor>,
    service: S,
    tasks: Tasks,
) {
    match tls {
        None => http2(stream, service, tasks).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(TLS_TIME, tls.accept(stream)).await {
                http2(stream, service, tasks).await;
            }
        }
    }
}

async fn http2<I, S>(io: I, service: S, tasks: Tasks)
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Serve,
{
    let (io, outlet) = gathered(io, false);
    let shaken = Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        // The peer is pinned. A host that gives many requests up at once is no attack.
        .max_pending_accept_reset_streams(STREAMS as usize)
        .max_local_error_reset_streams(None)
        .handshake::<_, Bytes>(io)
        .await;
    // A connection that ends badly is the peer's matter; it sees it, too.
    let Ok(mut connection) = shaken else { return };
    std::future::poll_fn(move |cx| {
        while let Poll::Ready(call) = connection.poll_accept(cx) {
            let Some(Ok((request, respond))) = call else {
                return Poll::Ready(());
            };
            let mut work = service.serve(request, respond);
            if S::AT_ONCE && work.as_mut().poll(cx).is_ready() {
                continue;
            }
            // Not raced against the end of the tasks: a call ends with its connection, whose own task is.
            tasks.tracker().spawn(work);
        }
        outlet.poll_broken(cx)
    })
    .await;
}
