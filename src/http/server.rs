//! Connections: how many, for how long, and how they end.
//!
//! One that is at rest for too long is closed, and so are all when the service stops; a request that crosses the close is
//! read all the same (`parting`). So that senders need not come that near, each reply announces for how long its connection is
//! good (`Keep-Alive`), and the last one that there is none (`Connection: close`).
//!
//! A connection that has sent nothing yet is only a socket: it gets the buffers and the state of an HTTP connection with
//! its first byte. So thousands of silent ones cost little; `connections` chooses which of them to close when there are too many.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::Version;
use axum::http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tower::Service as _;

use super::bounds::Bounds;
use super::connections::{Connections, LEAVING, Phase, Place};
use super::listener::{Holding, Listener};
use super::parting::part;
use super::traffic::{Stream, Traffic};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// The most headers of a request.
const HEADERS: usize = 128;
/// For so long a connection may take to begin a request when the service stops: one that was accepted and has sent nothing,
/// or rests between two requests, is the one over which the next may be on its way.
const LAST_CALL: Duration = Duration::from_millis(500);
/// The pause after the system gave no connection, as when there are too many files open.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Serves connections within their bounds, until `shutdown` is ready, and then until every request that had begun is
/// answered. Small answers are not held back to be sent together (`TCP_NODELAY`).
///
/// From then on a reply announces that its connection is closed. Of a listener that somebody else holds nothing more is taken:
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
            // What the system has taken already is ours to answer; who keeps coming does not keep us from the end.
            let last = Instant::now() + LAST_CALL;
            while let Ok(Ok((stream, address))) =
                timeout_at(last.min(Instant::now() + LEAVING), listener.accept()).await
            {
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
    // A connection that has sent something is served, also where it is dismissed at that moment.
    let has_spoken = tokio::select! {
        biased;
        first = timeout(bounds.first_byte_timeout, stream.peek(&mut byte)) => match first {
            Ok(Ok(1)) => true,
            Ok(Ok(_) | Err(_)) | Err(_) => return,
        },
        () = place.dismissed() => return,
        () = last_call(stopping.clone()) => false,
    };
    let traffic = Traffic::new(stream);
    let (phase, hint) = (place.phase(), bounds.keep_alive_hint());
    let answer = Answering { router, address, phase, traffic: Arc::clone(&traffic), hint, stopping: stopping.clone() };
    let served = async {
        let unheard =
            if has_spoken { converse(&traffic, answer.clone(), bounds, stopping).await } else { Some(Bytes::new()) };
        let Some(unheard) = unheard else { return };
        let Some(rest) = part(&traffic, unheard).await else { return };
        tokio::select! {
            biased;
            _nobody_may_be_there = http(bounds).keep_alive(false).serve_connection(TokioIo::new(rest), answer) => {}
            () = overdue(&traffic, bounds) => {}
        }
    };
    tokio::select! {
        biased;
        () = served => {}
        () = place.dismissed() => tracing::debug!("a slow connection was closed, because there are too many"),
    }
}

/// Answers requests until the connection ends. Where it is for us to end it, because it rests or the service stops, gives
/// what was read of it and not handled.
async fn converse(
    traffic: &Arc<Traffic>,
    answer: Answering,
    bounds: Bounds,
    stopping: watch::Receiver<bool>,
) -> Option<Bytes> {
    let mut connection = http(bounds).serve_connection(TokioIo::new(Stream(Arc::clone(traffic))), answer);
    let mut overdue = pin!(overdue(traffic, bounds));
    let ended = tokio::select! {
        biased;
        ended = poll_fn(|context| connection.poll_without_shutdown(context)) => Some(ended),
        () = &mut overdue => None,
        () = last_call(stopping.clone()) => {
            Pin::new(&mut connection).graceful_shutdown();
            tokio::select! {
                biased;
                ended = poll_fn(|context| connection.poll_without_shutdown(context)) => Some(ended),
                () = &mut overdue => None,
            }
        }
    };
    match ended {
        Some(Ok(())) if *stopping.borrow() => Some(connection.into_parts().read_buf),
        Some(Ok(())) => {
            traffic.end();
            None
        }
        Some(Err(error)) => {
            tracing::trace!(%error, "a connection ended");
            None
        }
        None => {
            tracing::trace!("a connection was closed over which nothing went");
            traffic.is_at_rest().then(Bytes::new)
        }
    }
}

/// The settings of HTTP/1.1. What a head and a rest may take is counted by `Traffic`.
fn http(bounds: Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .max_buf_size(bounds.head_bytes)
        .max_headers(HEADERS)
        // A sender that has closed its half of the connection still waits for its answer.
        .half_close(true);
    builder
}

/// Ready when nothing goes over the connection for longer than may be, and nothing of another request has arrived.
async fn overdue(traffic: &Traffic, bounds: Bounds) {
    loop {
        traffic.overdue(bounds).await;
        if traffic.close_unless_spoken_to() {
            return;
        }
    }
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
    traffic: Arc<Traffic>,
    hint: Option<HeaderValue>,
    stopping: watch::Receiver<bool>,
}

impl hyper::service::Service<hyper::Request<Incoming>> for Answering {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let Self { mut router, address, phase, traffic, hint, stopping } = self.clone();
        traffic.begin_request();
        let hint = hint.filter(|_| request.version() == Version::HTTP_11 && !says_close(request.headers()));
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
            Ok(end_request(answer, &traffic, hint))
        })
    }
}

/// Notes the end of a request, and announces for how long the connection is good.
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
