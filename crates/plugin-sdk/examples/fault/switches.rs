//! The switches of the fault plugin, read from its environment once.

use std::time::Duration;

use linchpin_plugin_sdk::model::PluginType;
use tokio_util::sync::CancellationToken;

/// What the environment asks for.
#[derive(Clone)]
pub(super) struct Switches {
    pub(super) version: Option<String>,
    pub(super) multiplexed: bool,
    pub(super) plugin_type: PluginType,
    pub(super) exits_at_start: bool,
    /// What comes in place of the handshake line: `exit-0`, `garbage`, `long-line`, `old-protocol`, `stop`, or empty.
    pub(super) start: String,
    /// `before-handshake`, `setup`, `init`, `cleanup`, or empty.
    pub(super) hangs_at: String,
    pub(super) setup_fails: bool,
    pub(super) exits_in_setup: bool,
    pub(super) setup_wait: Duration,
    /// `fail`, `write-fail`, `exit`, or empty.
    pub(super) init: String,
    pub(super) init_wait: Duration,
    pub(super) port: Option<u16>,
    pub(super) background: Option<Duration>,
    pub(super) ignores_shutdown: bool,
    pub(super) exits_in_cleanup: bool,
    pub(super) stderr_lines: u64,
    /// The length of one line.
    pub(super) stderr_line: usize,
    pub(super) exits_on_request: bool,
    /// What `info` does in place of answering: `panic`, `hang`, `stop`; or before it: `end-broker`; or empty.
    pub(super) request: String,
    /// Cancelled when the broker stream is to end.
    pub(super) end_of_broker: CancellationToken,
    /// How many lines of a KiB are printed to stdout at each Setup.
    pub(super) stdout_lines: u64,
    /// What process of its own is started and never ended: `left`, `bare`, or empty for none.
    pub(super) child: String,
}

impl Switches {
    pub(super) fn read() -> Self {
        let said = |name: &str| std::env::var(name).unwrap_or_default();
        // Without the file it is a plugin without faults, which keeps what it is: version, type, multiplexing.
        let file = said("FAULT_IF");
        let is_armed = file.is_empty() || std::path::Path::new(&file).exists();
        let text = |name: &str| if is_armed { said(name) } else { String::new() };
        let milliseconds = |name: &str| text(name).parse().ok().map(Duration::from_millis);
        let start = text("FAULT_START");
        let setup = text("FAULT_SETUP");
        let mut hangs_at = text("FAULT_HANG");
        if start == "hang" {
            "before-handshake".clone_into(&mut hangs_at);
        }
        let setup_wait = if setup == "wait" {
            Duration::from_secs(2)
        } else {
            Duration::ZERO
        };
        let end_of_broker = CancellationToken::new();
        if text("FAULT_BROKER") == "closed" {
            end_of_broker.cancel();
        }
        let reported = match text("FAULT_REPORTS") {
            reported if reported.is_empty() => said("FAULT_VERSION"),
            reported => reported,
        };
        Self {
            version: match reported.as_str() {
                "" => None,
                "none" => Some(String::new()),
                version => Some(version.to_owned()),
            },
            multiplexed: !matches!(said("FAULT_MULTIPLEX").as_str(), "0" | "off"),
            plugin_type: if said("FAULT_TYPE") == "auth" {
                PluginType::Auth
            } else {
                PluginType::Secret
            },
            exits_at_start: start == "exit" || text("FAULT_EXIT") == "at-start",
            start,
            hangs_at,
            setup_fails: setup == "fail",
            exits_in_setup: setup == "exit",
            setup_wait: milliseconds("FAULT_SETUP_WAIT_MS").unwrap_or(setup_wait),
            init: text("FAULT_INIT"),
            init_wait: milliseconds("FAULT_INIT_WAIT_MS").unwrap_or_default(),
            port: text("FAULT_PORT").parse().ok(),
            background: milliseconds("FAULT_BACKGROUND"),
            ignores_shutdown: text("FAULT_SHUTDOWN") == "ignore"
                || text("FAULT_IGNORE_SHUTDOWN") == "1",
            exits_in_cleanup: text("FAULT_CLEANUP") == "exit",
            stderr_lines: text("FAULT_STDERR").parse().unwrap_or_default(),
            stderr_line: text("FAULT_STDERR_LINE").parse().unwrap_or_default(),
            exits_on_request: text("FAULT_EXIT_ON_REQUEST") == "1",
            request: text("FAULT_REQUEST"),
            end_of_broker,
            stdout_lines: text("FAULT_STDOUT").parse().unwrap_or_default(),
            child: text("FAULT_CHILD"),
        }
    }
}
