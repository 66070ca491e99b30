//! Connections: how many, for how long, and how they end.
//!
//! One that is at rest for too long is closed; who posts over it at that very moment is heard all the same, as long as the
//! bytes have arrived (`traffic`). What is still on its way then meets a closed connection, of which nothing was read.
//! So that senders need not come that near, each reply says for how long its connection is good (`Keep-Alive`).
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
use axum::http::Version;
use axum::http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tower::Service as _;

use super::bounds::Bounds;
use super::connections::{Connections, LEAVING, Place};
use super::traffic::{Stream, Traffic};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

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
    let (traffic, phase) = (Traffic::new(stream), place.phase());
    let (of_requests, hint) = (Arc::clone(&traffic), bounds.keep_alive_hint());
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        of_requests.begin_request();
        let mut router = router.clone();
        let hint = hint.clone().filter(|_| request.version() == Version::HTTP_11 && !says_close(request.headers()));
        let mut request = request.map(Body::new);
        phase.waiting();
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(phase.clone());
        let (phase, traffic) = (phase.clone(), Arc::clone(&of_requests));
        async move {
            let answer = router.call(request).await.unwrap_or_else(|never| match never {});
            phase.waiting();
            Ok::<_, Infallible>(end_request(answer, &traffic, hint))
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        // A sender that has closed its half of the connection still waits for its answer.
        .half_close(true)
        .serve_connection(TokioIo::new(Stream(Arc::clone(&traffic))), answer);
    let mut connection = std::pin::pin!(connection);
    let served = async {
        tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            // Before a request that was sent has begun, hyper would close it unheard.
            () = told_to_end(stopping, &traffic) => {
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
        () = at_rest_for_too_long(&traffic, bounds) => tracing::trace!("a connection at rest was closed"),
        () = place.dismissed() => tracing::debug!("a slow connection was closed, because there are too many"),
    }
}

/// Notes the end of a request, and tells its sender for how long the connection is good.
fn end_request(mut answer: Response, traffic: &Traffic, hint: Option<HeaderValue>) -> Response {
    let is_last = says_close(answer.headers());
    traffic.end_request(is_last);
    if let Some(hint) = hint.filter(|_| !is_last) {
        answer.headers_mut().insert(KEEP_ALIVE, hint);
    }
    answer
}

fn says_close(headers: &HeaderMap) -> bool {
    headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

/// Ready when nothing goes over the connection for longer than may be, and nothing of another request has arrived.
async fn at_rest_for_too_long(traffic: &Traffic, bounds: Bounds) {
    loop {
        traffic.overdue(bounds).await;
        if traffic.close_unless_spoken_to() {
            return;
        }
    }
}

/// Ready when the service stops and whatever request was sent has begun, or has had its time to begin.
async fn told_to_end(mut stopping: watch::Receiver<bool>, traffic: &Traffic) {
    // The sender is dropped at the end only.
    let _ = stopping.wait_for(|stopping| *stopping).await;
    let _begun_or_late = timeout(BEGINNING, traffic.begun()).await;
}
