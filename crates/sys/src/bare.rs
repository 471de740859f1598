//! `sys/` as the core sees it: the table, with two differences. The bare endpoints never had an
//! envelope, and so their refusal of a method is an empty one (core-api §2.1). And one client escapes
//! the question mark of its own query, which is taken for what it means (terraform.md §8).

use crate::System;
use linchpin_engine::path::TableBackend;
use linchpin_engine::{Backend, BoxFuture, Context, Error, Shape, SpecialPaths};
use linchpin_model::{ErrorKind, JsonObject, Operation, PluginType, Request, Response};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The endpoints that answer without an envelope and need no token.
const BARE: [&str; 4] = ["health", "init", "leader", "seal-status"];

/// What such a client's paths look like once they are decoded, as a pattern of special paths.
pub(crate) const ESCAPED_RUNTIMES: &str = "plugins/runtimes/catalog?*";

/// The request that was meant by one whose query was escaped into its path.
fn with_its_query(mut request: Request) -> Request {
    let prefix = ESCAPED_RUNTIMES.trim_end_matches('*');
    let Some(query) = request.path.strip_prefix(prefix) else {
        return request;
    };
    let wanted = query.trim_end_matches('/').strip_prefix("type=");
    let Some(data) = wanted
        .and_then(|wanted| JsonObject::from_serialize(&BTreeMap::from([("type", wanted)])).ok())
    else {
        return request;
    };
    let path = prefix.trim_end_matches('?');
    request.path = match request.operation() {
        Operation::List => format!("{path}/"),
        _ => path.to_owned(),
    };
    request.data = Some(data);
    request
}

/// The backend of `sys/`.
pub(crate) struct Root(TableBackend<System>);

impl Root {
    /// Puts it around the table.
    pub(crate) fn new(table: TableBackend<System>) -> Self {
        Self(table)
    }
}

impl Backend for Root {
    fn plugin_type(&self) -> PluginType {
        self.0.plugin_type()
    }

    fn special_paths(&self) -> Arc<SpecialPaths> {
        self.0.special_paths()
    }

    fn initialize<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        self.0.initialize(ctx)
    }

    fn handle<'a>(
        &'a self,
        ctx: &'a Context,
        request: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, Error>> {
        let request = with_its_query(request);
        let path = match request.operation() {
            // The path of a list ends with a slash.
            Operation::List => request.path.trim_end_matches('/'),
            _ => &request.path,
        };
        if !BARE.contains(&path) {
            return self.0.handle(ctx, request);
        }
        let is_list = request.operation() == Operation::List;
        Box::pin(async move {
            let refused = Error::new(ErrorKind::UnsupportedOperation, Shape::Plain, Vec::new());
            if is_list {
                return Err(refused);
            }
            self.0.handle(ctx, request).await.map_err(|error| {
                if error.kind() == ErrorKind::UnsupportedOperation {
                    refused
                } else {
                    error
                }
            })
        })
    }

    fn exists<'a>(
        &'a self,
        ctx: &'a Context,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<bool>, Error>> {
        self.0.exists(ctx, request)
    }

    fn invalidate<'a>(&'a self, ctx: &'a Context, key: &'a str) -> BoxFuture<'a, ()> {
        self.0.invalidate(ctx, key)
    }

    fn cleanup<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, ()> {
        self.0.cleanup(ctx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linchpin_engine::Context;
    use std::sync::Weak;
    use tokio_util::sync::CancellationToken;

    #[test]
    fn an_escaped_query_is_a_query() {
        let meant = |operation, path: &str| {
            let request = with_its_query(Request {
                operation: Some(operation),
                path: path.to_owned(),
                ..Request::default()
            });
            let data = request.data.map(|data| data.as_str().to_owned());
            (request.path, data.unwrap_or_default())
        };
        let (path, data) = ("plugins/runtimes/catalog", r#"{"type":"container"}"#);
        let escaped = format!("{path}?type=container");
        assert_eq!(
            meant(Operation::Read, &escaped),
            (path.to_owned(), data.to_owned())
        );
        assert_eq!(
            meant(Operation::List, &format!("{escaped}/")),
            (format!("{path}/"), data.to_owned())
        );
        for other in [
            "plugins/runtimes/catalog?x=y",
            "plugins/catalog?type=secret",
        ] {
            assert_eq!(
                meant(Operation::Read, other),
                (other.to_owned(), String::new())
            );
        }
    }

    #[tokio::test]
    async fn a_bare_endpoint_refuses_a_method_with_an_empty_list() {
        let system = crate::make(Weak::new());
        let ctx = Context::internal(CancellationToken::new());
        let refusal = async |operation, path: &str| {
            let request = Request {
                operation: Some(operation),
                path: path.to_owned(),
                ..Request::default()
            };
            system.handle(&ctx, request).await.unwrap_err().rendered()
        };
        assert!(refusal(Operation::Update, "health").await.is_empty());
        assert!(refusal(Operation::Delete, "leader").await.is_empty());
        assert!(refusal(Operation::List, "health/").await.is_empty());
        assert_eq!(
            refusal(Operation::Update, "mounts").await,
            ["1 error occurred:\n\t* unsupported operation\n\n"]
        );
        assert_eq!(
            refusal(Operation::Read, "mounts/").await,
            ["1 error occurred:\n\t* unsupported path\n\n"]
        );
        // The core of this test is gone: what is served says so.
        assert_eq!(
            refusal(Operation::Read, "health").await,
            ["the server is shutting down"]
        );
    }
}
