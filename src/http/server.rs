//! Connections: how many, for how long, and how they end.
//!
//! A connection that has said nothing yet is only a socket: it gets the buffers and the state of an HTTP connection with
//! its first byte. So thousands of silent ones cost little; who goes when there are too many is said in `connections`.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::Response;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, Parts};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tower::Service as _;

use super::connections::{Connections, LEAVING, Phase, Place};
use super::listener::{Holding, Listener};
use super::parting::part;

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
/// For so long a connection may take to begin a request when the service stops: one that was taken and has said nothing,
/// or rests between two requests, is the one over which the next may be on its way.
const LAST_CALL: Duration = Duration::from_millis(500);
/// The pause after the system gave no connection, as when there are too many files open.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Serves connections within their bounds, until `shutdown` is ready, and then until every request that had begun is
/// answered. Small answers are not held back to be sent together (`TCP_NODELAY`).
///
/// From then on an answer says that its connection is closed. Of a listener that somebody else holds nothing more is taken:
/// it waits for whoever comes next. Our own is taken from for as long as what was under way is being answered.
///
/// # Errors
///
/// None at present: a connection's fault ends that connection alone.
pub async fn serve(
    listener: impl Into<Listener>,
    router: Router,
    bounds: Bounds,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let listener = listener.into();
    let (stop, stopping) = watch::channel(false);
    let hall = Hall { connections: Connections::new(bounds.connections), router, bounds, stopping };
    let told = async {
        shutdown.await;
        stop.send_replace(true);
    };
    let served = async {
        // Dropped with the last connection that holds a copy.
        let (alive, mut ended) = mpsc::channel::<()>(1);
        hall.take_until(&listener, &alive, hall.stopped()).await;
        drop(alive);
        let (alive, mut late_ended) = mpsc::channel::<()>(1);
        if let Holding::Own(lasting) = listener.holding() {
            let answered = timeout(lasting, ended.recv());
            hall.take_until(&listener, &alive, answered.map(drop)).await;
            // What the system has taken already is ours to answer.
            while let Ok(Ok((stream, address))) = timeout(LEAVING, listener.accept()).await {
                let Some(place) = hall.connections.place(address.ip()).now_or_never() else { break };
                hall.spawn(Connection { stream, address }, place, &alive);
            }
            for (stream, address) in listener.close() {
                let Some(place) = hall.connections.place(address.ip()).now_or_never() else { break };
                hall.spawn(Connection { stream, address }, place, &alive);
            }
        } else {
            drop(listener);
        }
        drop(alive);
        while ended.recv().await.is_some() || late_ended.recv().await.is_some() {}
    };
    tokio::join!(told, served);
    Ok(())
}

/// Where connections are served.
struct Hall {
    connections: Connections,
    router: Router,
    bounds: Bounds,
    stopping: watch::Receiver<bool>,
}

impl Hall {
    /// Serves whatever connection comes, until the other is ready.
    async fn take_until(&self, listener: &Listener, alive: &mpsc::Sender<()>, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        loop {
            let connection = tokio::select! {
                biased;
                () = &mut until => return,
                taken = take(listener) => taken,
            };
            // Once it is taken it has to be served, also where it gets its place only because others leave at the stop.
            let place = self.connections.place(connection.address.ip()).await;
            self.spawn(connection, place, alive);
        }
    }

    fn spawn(&self, connection: Connection, place: Place, alive: &mpsc::Sender<()>) {
        let (router, stopping, alive) = (self.router.clone(), self.stopping.clone(), alive.clone());
        let bounds = self.bounds;
        tokio::spawn(async move {
            serve_connection(connection, place, router, bounds, stopping).await;
            drop(alive);
        });
    }

    /// Ready when the service stops.
    fn stopped(&self) -> impl Future<Output = ()> + use<> {
        stopped(self.stopping.clone())
    }
}

/// Ready when the service stops. The sender is dropped at the end only.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _stopping_or_over = stopping.wait_for(|stopping| *stopping).await;
}

/// The next connection.
async fn take(listener: &Listener) -> Connection {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
                return Connection { stream, address };
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
    stopping: watch::Receiver<bool>,
) {
    let Connection { stream, address } = connection;
    let mut byte = [0];
    // One that has spoken is heard, also where it is dismissed at that moment.
    let unheard = tokio::select! {
        biased;
        first = timeout(bounds.first_byte_timeout, stream.peek(&mut byte)) => match first {
            Ok(Ok(1)) => None,
            Ok(Ok(_) | Err(_)) | Err(_) => return,
        },
        () = place.dismissed() => return,
        () = last_call(stopping.clone()) => Some(Bytes::new()),
    };
    let answer = Answering { router, address, phase: place.phase(), stopping: stopping.clone() };
    let served = async {
        let parted = match unheard {
            None => converse(stream, &answer, bounds, stopping).await,
            Some(unheard) => Some((stream, unheard)),
        };
        let Some((stream, unheard)) = parted else { return };
        if let Some(rest) = part(stream, unheard).await {
            let _nobody_may_be_there =
                http(bounds).keep_alive(false).serve_connection(TokioIo::new(rest), answer).await;
        }
    };
    tokio::select! {
        biased;
        () = served => {}
        () = place.dismissed() => tracing::debug!("a slow connection was closed, because there are too many"),
    }
}

/// Answers requests until the connection ends. Where it is for us to end it, because the service stops, it is given back
/// with what was read of it and not heard.
async fn converse(
    stream: TcpStream,
    answer: &Answering,
    bounds: Bounds,
    stopping: watch::Receiver<bool>,
) -> Option<(TcpStream, Bytes)> {
    let mut connection = http(bounds).serve_connection(TokioIo::new(stream), answer.clone());
    let ended = tokio::select! {
        ended = poll_fn(|context| connection.poll_without_shutdown(context)) => ended,
        () = last_call(stopping.clone()) => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended");
        return None;
    }
    let Parts { io, read_buf, .. } = connection.into_parts();
    let mut stream = io.into_inner();
    if *stopping.borrow() {
        return Some((stream, read_buf));
    }
    let _may_be_gone = stream.shutdown().await;
    None
}

/// How HTTP is spoken.
fn http(bounds: Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        // A sender that has closed its half of the connection still waits for its answer.
        .half_close(true);
    builder
}

/// Ready when the service stops, and what may have been on its way then had its time to arrive.
async fn last_call(stopping: watch::Receiver<bool>) {
    stopped(stopping).await;
    sleep(LAST_CALL).await;
}

/// Answers the requests of one connection.
#[derive(Clone)]
struct Answering {
    router: Router,
    address: SocketAddr,
    phase: Phase,
    stopping: watch::Receiver<bool>,
}

impl hyper::service::Service<hyper::Request<Incoming>> for Answering {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let Self { mut router, address, phase, stopping } = self.clone();
        let mut request = request.map(Body::new);
        phase.waiting();
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(phase.clone());
        Box::pin(async move {
            let mut answer = router.call(request).await.unwrap_or_else(|never| match never {});
            phase.waiting();
            if *stopping.borrow() {
                // So that the other side sends its next request elsewhere, and none into the close.
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer)
        })
    }
}
