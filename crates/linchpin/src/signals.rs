//! What signals do: SIGTERM and SIGINT end the server gracefully, a second one at once; SIGHUP does nothing yet.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long the line about the second signal has to be read, if the log has not stalled.
const LAST_WORD: Duration = Duration::from_millis(100);

/// The signals, caught from the moment this exists.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Catches them. Call it within the runtime.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Cancels `stop` at the first signal to end and ends the process at the second. Returns when `over` is cancelled.
    pub(crate) async fn watch(mut self, stop: CancellationToken, over: CancellationToken) {
        loop {
            let (name, number) = tokio::select! {
                _ = self.terminate.recv() => ("SIGTERM", 15),
                _ = self.interrupt.recv() => ("SIGINT", 2),
                _ = self.hangup.recv() => {
                    tracing::info!("SIGHUP: the configuration cannot be read again while the server runs");
                    continue;
                }
                () = over.cancelled() => return,
            };
            if stop.is_cancelled() {
                tracing::warn!("{name} again: ending at once");
                linchpin_telemetry::flush(LAST_WORD);
                // The plugins have asked the kernel to be killed with us.
                std::process::exit(128 + number);
            }
            tracing::info!(
                "{name}: ending after the requests under way; send it again to end at once"
            );
            stop.cancel();
        }
    }
}
