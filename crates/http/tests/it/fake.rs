//! A handler whose answers are chosen by path, and a server around it.

use linchpin_core::{ClientRequest, Error};
use linchpin_engine::{BoxFuture, Context, Error as EngineError, Shape};
use linchpin_http::{Handler, Limits, Server};
use linchpin_model::{ErrorKind, JsonObject, Lease, RawBody, Response, Secret};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the fake was asked.
#[derive(Default)]
pub(crate) struct Seen {
    /// One line per request, in the form of the golden files.
    pub(crate) lines: Mutex<Vec<String>>,
    /// The headers of the last request.
    pub(crate) headers: Mutex<Vec<(String, String)>>,
    /// The context of the last request.
    pub(crate) context: Mutex<Option<Context>>,
    /// Told of every request.
    pub(crate) arrived: Notify,
    /// What a request to `gate` waits for.
    pub(crate) gate: Notify,
}

pub(crate) struct Fake(pub(crate) Arc<Seen>);

impl Handler for Fake {
    fn handle(
        &self,
        ctx: Context,
        request: ClientRequest,
    ) -> BoxFuture<'_, Result<Option<Response>, Error>> {
        Box::pin(async move {
            self.0.lines.lock().push(line(&request));
            *self.0.headers.lock() = request.headers.clone();
            *self.0.context.lock() = Some(ctx.clone());
            self.0.arrived.notify_one();
            match request.path.as_str() {
                "hang" => std::future::pending().await,
                "cancellable" => {
                    ctx.cancel.cancelled().await;
                    return Err(EngineError::internal("context canceled").into());
                }
                "gate" => self.0.gate.notified().await,
                _ => {}
            }
            outcome(&request.path)
        })
    }
}

fn line(request: &ClientRequest) -> String {
    let mut out = format!("{} {}", request.operation().as_str(), request.path);
    if let Some(token) = &request.token {
        out += &format!(" token={token}");
    }
    if let Some(data) = &request.data {
        out += &format!(" data={}", data.as_str());
    }
    if let Some(wrap) = &request.wrap {
        out += &format!(" wrap={}s{}", wrap.ttl.as_secs(), wrap.format);
    }
    out
}

fn object(text: &'static str) -> JsonObject {
    JsonObject::from_text(text).unwrap()
}

fn outcome(path: &str) -> Result<Option<Response>, Error> {
    let with = |text| Ok(Some(Response::data(object(text))));
    let failed =
        |kind, shape, text: &str| Err(EngineError::new(kind, shape, vec![text.to_owned()]).into());
    match path {
        "none" | "none/" => Ok(None),
        "empty" | "empty/" => Ok(Some(Response::default())),
        "warned" | "warned/" => Ok(Some(Response::warning("mind the gap"))),
        "lease" => Ok(Some(Response {
            secret: Some(Secret {
                lease: Lease {
                    ttl: Duration::from_secs(60),
                    ..Lease::default()
                },
                ..Secret::default()
            }),
            ..Response::data(object(r#"{"ttl":60}"#))
        })),
        "list/full/" => with(r#"{"keys":["a","b/"]}"#),
        "list/empty/" => with(r#"{"keys":[ ]}"#),
        "list/other/" => with(r#"{"names":[]}"#),
        "accepted" => Ok(Some(Response {
            accepted: true,
            ..Response::warning("started")
        })),
        "redirect" => Ok(Some(Response {
            redirect: Some("http://other.example/v1/redirect".to_owned()),
            ..Response::default()
        })),
        "raw" => Ok(Some(Response {
            raw: Some(RawBody {
                status: 418,
                content_type: "application/pem-file".to_owned(),
                body: "-----".into(),
                cache_control: "max-age=7".to_owned(),
                pragma: "x".to_owned(),
                www_authenticate: "Basic".to_owned(),
            }),
            ..Response::default()
        })),
        "redirect/broken" => Ok(Some(Response {
            redirect: Some("http://other.example/\r\nX-Evil: 1".to_owned()),
            ..Response::default()
        })),
        "redirect/accents" => Ok(Some(Response {
            redirect: Some("http://other.example/é".to_owned()),
            ..Response::default()
        })),
        "headers/broken" => Ok(Some(Response {
            headers: vec![("X-Plugin".to_owned(), vec!["a\nX-Evil: 1".to_owned()])],
            ..Response::data(object("{}"))
        })),
        status if status.starts_with("raw/status/") => Ok(Some(Response {
            raw: Some(RawBody {
                status: status.rsplit('/').next().unwrap().parse().unwrap(),
                ..RawBody::json(200, &object("{}"))
            }),
            ..Response::default()
        })),
        "raw/broken" => Ok(Some(Response {
            raw: Some(RawBody {
                pragma: "a\0b".to_owned(),
                ..RawBody::json(200, &object("{}"))
            }),
            ..Response::default()
        })),
        "raw/nothing" => Ok(Some(Response {
            raw: Some(RawBody {
                status: 204,
                content_type: String::new(),
                body: "never sent".into(),
                cache_control: String::new(),
                pragma: String::new(),
                www_authenticate: String::new(),
            }),
            ..Response::default()
        })),
        "sys/health" => Ok(Some(Response {
            raw: Some(RawBody::json(200, &object(r#"{"sealed":false}"#))),
            ..Response::default()
        })),
        "headers" => Ok(Some(Response {
            headers: vec![("X-Plugin".to_owned(), vec!["a".to_owned(), "b".to_owned()])],
            ..Response::data(object("{}"))
        })),
        "headers/only" => Ok(Some(Response {
            headers: vec![
                ("X-Plugin".to_owned(), vec!["a".to_owned()]),
                ("bad name".to_owned(), vec!["a".to_owned()]),
                ("Content-Length".to_owned(), vec!["9".to_owned()]),
            ],
            ..Response::default()
        })),
        "error/invalid" => Err(EngineError::refused("missing data fields").into()),
        "error/denied" => Err(EngineError::permission_denied().into()),
        "error/token" => Err(Error::TokenNotAccepted),
        "error/nothing" => Err(EngineError::not_found().into()),
        "error/path" => Err(EngineError::unsupported_path().into()),
        "error/operation" => Err(EngineError::unsupported_operation().into()),
        "error/large" => failed(ErrorKind::TooLarge, Shape::Wrapped, "too large"),
        "error/media" => failed(ErrorKind::UnsupportedMediaType, Shape::Plain, "media"),
        "error/quota" => failed(
            ErrorKind::RateLimited,
            Shape::Plain,
            "rate limit quota exceeded",
        ),
        "error/internal" => Err(EngineError::internal("it broke").into()),
        "error/upstream" => failed(ErrorKind::Upstream, Shape::Plain, "upstream rate limited"),
        "error/coded" => failed(ErrorKind::Coded(422), Shape::Plain, "coded"),
        "error/unavailable" => {
            Err(EngineError::unavailable("starting", Duration::from_millis(1500)).into())
        }
        "error/sealed" => Err(Error::Sealed),
        "error/stopping" => Err(Error::ShuttingDown),
        "error/reload" => Err(EngineError::new(
            ErrorKind::InvalidRequest,
            Shape::Wrapped,
            vec!["first".to_owned(), "second".to_owned()],
        )
        .with_code("LP0017")
        .with_warning("kept the old version")
        .with_data(object(r#"{"reload_id":"r"}"#))
        .into()),
        "error/deleted" => Err(EngineError::not_found()
            .with_response(Response::data(object(r#"{"data":null}"#)))
            .into()),
        route if route.starts_with("nowhere") || route.is_empty() => {
            Err(Error::NoRoute(route.to_owned()))
        }
        _ => with(r#"{"v":1.10}"#),
    }
}

/// A running server.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// Starts a server around a fake.
pub(crate) async fn start(limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let server = Server::new(Fake(Arc::clone(&seen)), limits, stop.clone());
    tasks.spawn(server.run(listener));
    tasks.close();
    Running {
        address,
        seen,
        stop,
        tasks,
    }
}

impl Running {
    /// Stops the server and waits for its end.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}
