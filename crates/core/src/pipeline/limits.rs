//! Stage 2: rate and in-flight limits, before any look-up. Quotas come with their issue; the
//! stage stands here so that no request can ever pass without it.

use crate::node::Node;
use crate::{ClientRequest, Error};

/// The limits of the node. None yet.
#[derive(Debug, Default)]
pub(crate) struct Limits {}

impl Limits {
    /// Takes the request's share of every limit that applies to it.
    pub(super) fn take(&self, _node: &Node, _request: &ClientRequest) -> Result<(), Error> {
        Ok(())
    }
}
