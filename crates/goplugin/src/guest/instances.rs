//! The instances of a process, by multiplex id (plugin-protocol §3.12).

use std::collections::HashMap;
use std::sync::Arc;

use linchpin_engine::Backend;
use parking_lot::Mutex;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::callback::Callback;
use super::system::System;
use crate::names::MULTIPLEX_ID;

/// One mount's backend and its way back to the host.
pub(super) struct Instance {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) system: Arc<System>,
    pub(super) callback: Arc<Callback>,
}

/// All instances. A process that is not multiplexed has one, whatever id a call carries.
pub(super) struct Instances {
    multiplexed: bool,
    all: Mutex<HashMap<String, Arc<Instance>>>,
}

impl Instances {
    pub(super) fn new(multiplexed: bool) -> Self {
        Self {
            multiplexed,
            all: Mutex::default(),
        }
    }

    /// The id that a call is for.
    pub(super) fn id(&self, metadata: &MetadataMap) -> Result<String, Status> {
        if !self.multiplexed {
            return Ok(String::new());
        }
        let mut ids = metadata.get_all(MULTIPLEX_ID).iter();
        let id = match (ids.next(), ids.next()) {
            (Some(id), None) => id,
            (None, _) => return Err(Status::unknown("no multiplexing ID found")),
            (Some(_), Some(_)) => {
                return Err(Status::unknown("more than one multiplexing ID found"));
            }
        };
        match id.to_str() {
            Ok("") => Err(Status::unknown("empty multiplex ID in metadata")),
            Ok(id) => Ok(id.to_owned()),
            Err(_) => Err(Status::unknown("no multiplexing ID found")),
        }
    }

    pub(super) fn find(&self, metadata: &MetadataMap) -> Result<Arc<Instance>, Status> {
        let id = self.id(metadata)?;
        let found = self.all.lock().get(&id).cloned();
        found.ok_or_else(|| Status::unknown("no backend instance found"))
    }

    /// A second one with the same id replaces the first, which is handed back.
    pub(super) fn add(&self, id: String, instance: Instance) -> Option<Arc<Instance>> {
        self.all.lock().insert(id, Arc::new(instance))
    }

    pub(super) fn remove(&self, id: &str) -> Option<Arc<Instance>> {
        self.all.lock().remove(id)
    }
}
