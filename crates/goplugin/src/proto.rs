//! The protobuf messages and gRPC services, generated from `proto/` by `cargo xtask generate` and committed.
//!
//! One module a protobuf package. Only numbers, wire types and gRPC paths matter on the wire; the names are ours.
#![expect(
    missing_docs,
    clippy::allow_attributes,
    reason = "generated code; the protobuf files say what the messages are"
)]

/// Package `plugin`: broker, controller, stdio.
pub mod plugin {
    include!("generated/plugin.rs");
}

/// Package `grpc.health.v1`.
pub mod health {
    include!("generated/grpc.health.v1.rs");
}

/// Package `pluginutil.multiplexing`.
pub mod multiplexing {
    include!("generated/pluginutil.multiplexing.rs");
}

/// Package `logical`: version service, entities.
pub mod logical {
    include!("generated/logical.rs");
}

/// Package `pb`: backend, storage, system view, events, observations.
pub mod pb {
    include!("generated/pb.rs");
}
