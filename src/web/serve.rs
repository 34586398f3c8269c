//! Takes connections: so many at once, none for ever, and none longer than a second after the end.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    faces::Faces,
    listen::Listener,
    route::{Door, router},
};

/// So many connections are taken at once at an address.
const NETWORK: usize = 64;
/// So many are at a file. They are counted apart, so that the owner gets in whatever comes over the network.
const OWN: usize = 16;
/// The head of a request must be there after so long, and the next one on the same connection.
const HEAD: Duration = Duration::from_secs(10);
/// A connection ends after so long. Pages come back by themselves.
const LIFE: Duration = Duration::from_mins(10);
/// What is being answered at the end may go on for so long.
const END: Duration = Duration::from_secs(1);

/// Serves until `cancel`, and then ends within two seconds.
pub async fn serve(listener: Listener, faces: Faces, cancel: CancellationToken) {
    let tasks = TaskTracker::new();
    let Listener { tcp, unix } = listener;
    let network = async {
        let Some(tcp) = &tcp else { return cancel.cancelled().await };
        let router = router(&faces, Door::Network, &cancel);
        let next = |context: &mut Context<'_>| tcp.poll_accept(context).map_ok(|(one, _)| one);
        accept(NETWORK, &tasks, &router, &cancel, next).await;
    };
    let own = async {
        let Some(unix) = &unix else { return cancel.cancelled().await };
        let router = router(&faces, Door::Own, &cancel);
        let next =
            |context: &mut Context<'_>| unix.listener.poll_accept(context).map_ok(|(one, _)| one);
        accept(OWN, &tasks, &router, &cancel, next).await;
    };
    tokio::join!(network, own);
    tasks.close();
    // Each connection ends by itself in time; this is for those that would not.
    let _ = timeout(END * 2, tasks.wait()).await;
}

async fn accept<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    most: usize,
    tasks: &TaskTracker,
    router: &Router,
    cancel: &CancellationToken,
    next: impl Fn(&mut Context<'_>) -> Poll<io::Result<S>>,
) {
    let places = Arc::new(Semaphore::new(most));
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let taken = async { (place.await, poll_fn(&next).await) };
        let taken = tokio::select! {
            taken = taken => taken,
            () = cancel.cancelled() => return,
        };
        match taken {
            (Ok(place), Ok(stream)) => {
                tasks.spawn(converse(stream, router.clone(), place, cancel.clone()));
            }
            (_, Err(error)) => {
                tracing::warn!("cannot take a connection: {error}");
                pause().await;
            }
            (Err(_), _) => return,
        }
    }
}

/// Waits until there may be files or memory again.
#[expect(clippy::disallowed_methods, reason = "nothing tells when a connection can be taken again")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    _place: OwnedSemaphorePermit,
    cancel: CancellationToken,
) {
    let service = TowerToHyperService::new(router);
    let mut connection = Box::pin(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_headers(64)
            .max_buf_size(32 * 1024)
            .serve_connection(TokioIo::new(stream), service),
    );
    tokio::select! {
        // What goes wrong on a connection is the other side's affair.
        _ = connection.as_mut() => return,
        () = cancel.cancelled() => {}
        _ = timeout(LIFE, std::future::pending::<Infallible>()) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(END, connection).await;
}
