//! The switches of the fault plugin, read from its environment once.

use std::time::Duration;

use linchpin_plugin_sdk::model::PluginType;

/// What the environment asks for.
#[derive(Clone)]
pub(super) struct Switches {
    pub(super) version: Option<String>,
    pub(super) multiplexed: bool,
    pub(super) plugin_type: PluginType,
    pub(super) exits_at_start: bool,
    /// `before-handshake`, `setup`, `init`, `cleanup`, or empty.
    pub(super) hangs_at: String,
    pub(super) setup_fails: bool,
    pub(super) setup_wait: Duration,
    /// `fail`, `write-fail`, `exit`, or empty.
    pub(super) init: String,
    pub(super) init_wait: Duration,
    pub(super) port: Option<u16>,
    pub(super) background: Option<Duration>,
    pub(super) ignores_shutdown: bool,
    pub(super) stderr_lines: u64,
    pub(super) exits_on_request: bool,
}

impl Switches {
    pub(super) fn read() -> Self {
        let text = |name: &str| std::env::var(name).unwrap_or_default();
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
        Self {
            version: match text("FAULT_VERSION").as_str() {
                "" => None,
                "none" => Some(String::new()),
                version => Some(version.to_owned()),
            },
            multiplexed: !matches!(text("FAULT_MULTIPLEX").as_str(), "0" | "off"),
            plugin_type: if text("FAULT_TYPE") == "auth" {
                PluginType::Auth
            } else {
                PluginType::Secret
            },
            exits_at_start: start == "exit" || text("FAULT_EXIT") == "at-start",
            hangs_at,
            setup_fails: setup == "fail",
            setup_wait: milliseconds("FAULT_SETUP_WAIT_MS").unwrap_or(setup_wait),
            init: text("FAULT_INIT"),
            init_wait: milliseconds("FAULT_INIT_WAIT_MS").unwrap_or_default(),
            port: text("FAULT_PORT").parse().ok(),
            background: milliseconds("FAULT_BACKGROUND"),
            ignores_shutdown: text("FAULT_SHUTDOWN") == "ignore"
                || text("FAULT_IGNORE_SHUTDOWN") == "1",
            stderr_lines: text("FAULT_STDERR").parse().unwrap_or_default(),
            exits_on_request: text("FAULT_EXIT_ON_REQUEST") == "1",
        }
    }
}
