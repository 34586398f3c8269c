//! What Ctrl-C means: once, to finish what runs and report; twice, to leave at once.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::ui::Ui;

/// The person's wish to stop.
#[derive(Debug, Default)]
pub(super) struct Interrupt {
    finishes: AtomicBool,
    token: CancellationToken,
}

impl Interrupt {
    /// Says that this command stops between steps when asked to, and returns how it is asked. Other
    /// commands change nothing, and are left at once.
    pub(super) fn finishing(&self) -> CancellationToken {
        self.finishes.store(true, Ordering::Relaxed);
        self.token.clone()
    }

    /// Comes back when the program is to be left at once.
    pub(super) async fn leave(&self, ui: &Ui) {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let signals: Result<Vec<Signal>, _> = kinds.into_iter().map(signal).collect();
        let Ok(mut signals) = signals else {
            // Without handlers the signals keep their own meaning, which is to leave.
            return std::future::pending().await;
        };
        any(&mut signals).await;
        if self.finishes.load(Ordering::Relaxed) {
            self.token.cancel();
            ui.remark("\nfinishing the running steps · Ctrl-C again leaves at once\n");
            any(&mut signals).await;
            ui.remark("left at once · nself apply goes on from here\n");
        }
    }
}

async fn any(signals: &mut [Signal]) {
    let waits = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    futures_util::future::select_all(waits).await;
}
