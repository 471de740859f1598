//! Requests.

use linchpin_model::{Connection, Operation, Request};

use super::lease::{
    auth_from_wire, auth_to_wire, secret_from_wire, secret_to_wire, wrap_request_from_wire,
    wrap_request_to_wire,
};
use super::{ConvertError, headers_from_wire, headers_to_wire, json_from_wire, json_to_wire};
use crate::proto::pb;

/// The message for a request, as plugin-protocol §3.10 fills it.
#[must_use]
pub fn request_to_wire(request: &Request) -> pb::Request {
    pb::Request {
        id: request.id.to_string(),
        operation: request.operation().as_str().to_owned(),
        path: request.path.clone(),
        data: json_to_wire(request.data.as_ref()),
        secret: request.secret.as_ref().map(secret_to_wire),
        auth: request.auth.as_ref().map(auth_to_wire),
        headers: headers_to_wire(&request.headers),
        client_token: request.client_token.clone(),
        client_token_accessor: request.client_token_accessor.clone(),
        display_name: request.display_name.clone(),
        mount_point: request.mount_point.to_string(),
        mount_type: request.mount_type.to_string(),
        mount_accessor: request.mount_accessor.to_string(),
        wrap_info: request.wrap.as_ref().map(wrap_request_to_wire),
        entity_id: request.entity_id.clone(),
        unauthenticated: request.unauthenticated,
        connection: request.connection.as_ref().map(|from| pb::Connection {
            remote_addr: from.remote_addr.clone(),
            remote_port: from.remote_port.into(),
            ..pb::Connection::default()
        }),
        ..pb::Request::default()
    }
}

/// The request in a message. Its operation is `None` when the word is unknown: a plugin answers that with *unsupported operation*
/// and nothing else (plugin-protocol §3.11), without running the request.
///
/// # Errors
/// [`ConvertError`] when a JSON field does not hold an object.
pub fn request_from_wire(request: pb::Request) -> Result<Request, ConvertError> {
    Ok(Request {
        id: request.id.into(),
        operation: Operation::parse(&request.operation),
        path: request.path,
        data: json_from_wire("request.data", request.data)?,
        client_token: request.client_token,
        client_token_accessor: request.client_token_accessor,
        display_name: request.display_name,
        entity_id: request.entity_id,
        mount_point: request.mount_point.into(),
        mount_type: request.mount_type.into(),
        mount_accessor: request.mount_accessor.into(),
        headers: headers_from_wire(request.headers),
        connection: request.connection.map(|from| Connection {
            remote_addr: from.remote_addr,
            remote_port: u16::try_from(from.remote_port).unwrap_or_default(),
        }),
        wrap: request.wrap_info.map(wrap_request_from_wire),
        unauthenticated: request.unauthenticated,
        secret: request.secret.map(secret_from_wire).transpose()?,
        auth: request.auth.map(auth_from_wire).transpose()?,
    })
}
