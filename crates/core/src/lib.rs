//! The node: request pipeline, router, mounts, the plugin catalog as a service, and the reload.
//!
//! `core` sees engines as `dyn Backend`, made by a `dyn BackendFactory`; it never names a
//! process, HTTP, or one concrete engine. The binary puts them together with [`Core::start`].
//!
//! | module | what it is |
//! |---|---|
//! | `pipeline` | what every request goes through, a file per stage |
//! | `node` | the snapshot that requests read: which mount is where |
//! | `mount`, `gate`, `instance`, `view` | one mount, who is inside it, what serves it, what it stores |
//! | `mounts` | enable, list, read, tune, disable, move |
//! | `plugins` | the catalog and the pins, stored and published |
//! | `standup` | an instance from nothing to ready: what a mount and a reload share |
//! | `reload` | prepare, gate, fence, staged Initialize, publish, retire |
//! | `sight` | what each mount should run, runs, and counts |
//! | `degraded` | a mount with nothing healthy behind it |
//! | `background` | what runs without being asked |

mod background;
mod degraded;
mod error;
mod fault;
mod gate;
mod instance;
mod mount;
mod mounts;
mod node;
mod pipeline;
mod plugins;
mod reload;
mod request;
mod settings;
pub mod sight;
mod standup;
mod start;
mod store;
mod system;
mod view;

pub use error::Error;
pub use gate::GateLimits;
pub use linchpin_formats::{MountConfig, MountEntry};
pub use mounts::{MountStatus, NewMount, RemountStatus, Tuning};
pub use pipeline::decide::Authorized;
pub use plugins::refused;
pub use reload::{MountResult, Outcome, Reload, ReloadRecord, Report, Selector};
pub use request::ClientRequest;
pub use settings::Settings;
pub use start::{MakeSystem, Parts};

use arc_swap::ArcSwap;
use linchpin_engine::{BackendFactory, ClusterInfo, Fleet};
use node::Node;
use pipeline::audit::Audit;
use pipeline::identify::RootToken;
use pipeline::limits::Limits;
use std::sync::Arc;
use store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The node.
pub struct Core {
    settings: Settings,
    cluster: ClusterInfo,
    node: ArcSwap<Node>,
    store: Store,
    factory: Arc<dyn BackendFactory>,
    fleet: Arc<dyn Fleet>,
    mounts: mounts::Mounts,
    plugins: plugins::Plugins,
    reloads: reload::Reloads,
    limits: Limits,
    audit: Audit,
    root_token: RootToken,
    /// Requests.
    tasks: TaskTracker,
    /// What goes on beside requests: retiring, moving, the periodic rollback.
    work: TaskTracker,
    /// Cancelled when the node stops: lifecycle operations end at their next step.
    stopping: CancellationToken,
    clock: fn() -> std::time::SystemTime,
}

impl Core {
    /// The settings that the node was started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Name and id of the cluster.
    #[must_use]
    pub fn cluster(&self) -> &ClusterInfo {
        &self.cluster
    }

    /// The plugins of this node: files and processes.
    #[must_use]
    pub fn fleet(&self) -> &Arc<dyn Fleet> {
        &self.fleet
    }
}
