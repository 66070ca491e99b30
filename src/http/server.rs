//! Connections: how many, for how long, and how they end.
//!
//! A connection that has said nothing yet is only a socket: it gets the buffers and the state of an HTTP connection with
//! its first byte. So thousands of silent ones cost little; who goes when there are too many is said in `connections`.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{sleep, timeout};
use tower::Service as _;

use super::connections::{Connections, LEAVING, Place};

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many there are at the most.
    pub connections: usize,
    /// For so long a new one may say nothing.
    pub first_byte_timeout: Duration,
    /// For so long the head of a request may take, and a connection may rest between two requests.
    pub header_timeout: Duration,
}

impl Bounds {
    /// At most so many connections, each with a minute to speak and half a minute for a head.
    #[must_use]
    pub fn of(connections: usize) -> Self {
        Self { connections, first_byte_timeout: Duration::from_mins(1), header_timeout: Duration::from_secs(30) }
    }
}

/// The most bytes of a request's head, above what any door takes, so that the doors can say what they take.
const HEAD_BYTES: usize = 320 << 10;
/// The most headers of a request.
const HEADERS: usize = 128;
/// For so long a connection that has spoken may take to begin its request when the service stops.
const BEGINNING: Duration = Duration::from_millis(500);
/// The pause after the system gave no connection, as when there are too many files open.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Serves connections within their bounds, until `shutdown` is ready, and then until every request that had begun is
/// answered. Small answers are not held back to be sent together (`TCP_NODELAY`).
///
/// # Errors
///
/// None at present: a connection's fault ends that connection alone.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let connections = Connections::new(bounds.connections);
    let (stop, stopping) = watch::channel(false);
    // Dropped with the last connection that holds a copy.
    let (alive, mut ended) = mpsc::channel::<()>(1);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (connection, place) = tokio::select! {
            taken = take(&listener, &connections) => taken,
            () = &mut shutdown => break,
        };
        tokio::spawn(serve_connection(connection, place, router.clone(), bounds, stopping.clone(), alive.clone()));
    }
    // What the system has taken already is ours to answer.
    while let Ok(Ok((stream, address))) = timeout(LEAVING, listener.accept()).await {
        let Some(place) = connections.place(address.ip()).now_or_never() else { break };
        let connection = Connection { stream, address };
        tokio::spawn(serve_connection(connection, place, router.clone(), bounds, stopping.clone(), alive.clone()));
    }
    drop((listener, alive));
    stop.send_replace(true);
    while ended.recv().await.is_some() {}
    Ok(())
}

/// The next connection, once there is a place for it.
async fn take(listener: &TcpListener, connections: &Connections) -> (Connection, Place) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
                return (Connection { stream, address }, connections.place(address.ip()).await);
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be taken");
                sleep(ACCEPT_RETRY_INTERVAL).await;
            }
        }
    }
}

/// A connection that was taken.
struct Connection {
    stream: TcpStream,
    address: SocketAddr,
}

/// Waits for the first byte, and then answers the connection's requests.
async fn serve_connection(
    connection: Connection,
    place: Place,
    router: Router,
    bounds: Bounds,
    mut stopping: watch::Receiver<bool>,
    _alive: mpsc::Sender<()>,
) {
    let Connection { stream, address } = connection;
    let mut byte = [0];
    // One that has spoken is heard, also where it is dismissed at that moment.
    let spoke = tokio::select! {
        biased;
        first = timeout(bounds.first_byte_timeout, stream.peek(&mut byte)) => matches!(first, Ok(Ok(1))),
        () = place.dismissed() => false,
        _ = stopping.wait_for(|stopping| *stopping) => false,
    };
    if !spoke {
        return;
    }
    let (begun, phase) = (Arc::new(Notify::new()), place.phase());
    let beginning = Arc::clone(&begun);
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        beginning.notify_one();
        let mut router = router.clone();
        let mut request = request.map(Body::new);
        phase.waiting();
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(phase.clone());
        let phase = phase.clone();
        async move {
            let answer = router.call(request).await.unwrap_or_else(|never| match never {});
            phase.waiting();
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        // A sender that has closed its half of the connection still waits for its answer.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    let served = async {
        tokio::select! {
            ended = connection.as_mut() => ended,
            // Before its first request has begun, hyper would close it unheard.
            () = told_to_end(stopping, &begun) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    tokio::select! {
        biased;
        ended = served => if let Err(error) = ended {
            tracing::trace!(%error, "a connection ended");
        },
        () = place.dismissed() => tracing::debug!("a slow connection was closed, because there are too many"),
    }
}

/// Ready when the service stops and the connection's first request has begun, or has had its time to begin.
async fn told_to_end(mut stopping: watch::Receiver<bool>, begun: &Notify) {
    // The sender is dropped at the end only.
    let _ = stopping.wait_for(|stopping| *stopping).await;
    let _begun_or_late = timeout(BEGINNING, begun.notified()).await;
}
