//! The paths of the fault plugin.

use std::time::Duration;

use linchpin_plugin_sdk::engine::path::{Call, FieldType, PathSpec, Table};
use linchpin_plugin_sdk::engine::{Context, Error, Page, Shape, SpecialPaths};
use linchpin_plugin_sdk::model::{ErrorKind, JsonObject, Operation, RawBody, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::{CONFIG, Fault, read_text, write};

type Row = PathSpec<Fault>;
type Answer = Result<Option<Response>, Error>;

pub(super) fn table() -> Table<Fault> {
    let paths = vec![
        Row::new("info", "Who answers.").on(Operation::Read, |e, ctx, _| {
            Box::pin(async move {
                match e.switches.request.as_str() {
                    "panic" => return panicking(e),
                    "hang" => ctx.race(std::future::pending()).await?,
                    "stop" => {
                        // The signal may come a moment later, and then there must be no answer yet.
                        super::start::stop();
                        ctx.race(std::future::pending()).await?;
                    }
                    "end-broker" => e.switches.end_of_broker.cancel(),
                    _ => {}
                }
                e.info()
            })
        }),
        Row::new("memory", "A value in the instance's memory.")
            .field("value", FieldType::String, "The value.")
            .on(Operation::Read, |e, _, _| {
                Box::pin(async move {
                    let value = e.memory.lock().clone();
                    data(&json!({"value": value, "instance": e.number}))
                })
            })
            .on_write(|e, _, call| {
                Box::pin(async move {
                    *e.memory.lock() = call.fields.text("value").to_owned();
                    Ok(None)
                })
            }),
        Row::new(CONFIG, "The configuration in effect.")
            .field("value", FieldType::String, "The value.")
            .on(Operation::Read, |e, _, _| {
                Box::pin(async move {
                    let value = e.config.lock().clone();
                    data(&json!({"value": value, "instance": e.number}))
                })
            })
            .on_write(|e, ctx, call| {
                Box::pin(async move {
                    let value = call.fields.text("value").to_owned();
                    write(e.storage.as_ref(), ctx, CONFIG, value.clone()).await?;
                    *e.config.lock() = value;
                    Ok(None)
                })
            }),
        Row::new("kv/{name:rest}", "A value in storage.")
            .any_field()
            .on(Operation::Read, |e, ctx, call| Box::pin(e.read(ctx, call)))
            .on(Operation::List, |e, ctx, call| Box::pin(e.list(ctx, call)))
            .on(Operation::Delete, |e, ctx, call| {
                Box::pin(async move {
                    e.storage.delete(ctx, &call.request.path).await?;
                    Ok(None)
                })
            })
            .on_write(|e, ctx, call| {
                Box::pin(async move {
                    let text = call.request.data.unwrap_or_default();
                    let text = text.as_str().to_owned();
                    write(e.storage.as_ref(), ctx, &call.request.path, text).await?;
                    Ok(None)
                })
            })
            .existence(|e, ctx, call| {
                Box::pin(async move { Ok(e.storage.get(ctx, &call.request.path).await?.is_some()) })
            }),
        Row::new("kv/?", "The stored values.")
            .on(Operation::List, |e, ctx, call| Box::pin(e.list(ctx, call))),
        Row::new("sleep/{time:segment}", "Waits, then says who answers.")
            .on(Operation::Read, |e, ctx, call| Box::pin(e.sleep(ctx, call))),
        on_read_and_write(Row::new("exit", "Ends the process.").any_field(), |_, _| {
            std::process::exit(7)
        }),
        on_read_and_write(Row::new("panic", "Panics.").any_field(), |e, _| {
            panicking(e)
        }),
        on_read_and_write(
            Row::new("echo", "Answers what was sent.").any_field(),
            |_, call| Ok(Some(Response::data(call.request.data.unwrap_or_default()))),
        ),
        on_read_and_write(
            Row::new("request", "What the server sent.").any_field(),
            |_, call| request(&call),
        ),
        on_read_and_write(
            Row::new("headers", "What the server sent.").any_field(),
            |_, call| request(&call),
        ),
        Row::new("background", "Writes the key bg every 10 ms.").on_write(|e, _, _| {
            Box::pin(async move {
                e.write_in_background("bg", Duration::from_millis(10));
                Ok(None)
            })
        }),
        Row::new("raw", "A raw response.").on(Operation::Read, |_, _, _| {
            Box::pin(async move {
                Ok(Some(Response {
                    raw: Some(RawBody {
                        status: 203,
                        content_type: "text/plain".to_owned(),
                        body: "raw as told".into(),
                        cache_control: String::new(),
                        pragma: String::new(),
                        www_authenticate: String::new(),
                    }),
                    ..Response::default()
                }))
            })
        }),
        Row::new("error/{type}", "An error.").on(Operation::Read, |_, _, call| {
            Box::pin(async move { Err(error(call.fields.text("type"))) })
        }),
    ];
    Table {
        help: "Does what a test tells it to, and fails where a test wants it to.",
        paths,
        special: SpecialPaths::default(),
    }
}

fn on_read_and_write(spec: PathSpec<Fault>, answer: fn(&Fault, Call) -> Answer) -> PathSpec<Fault> {
    spec.on(Operation::Read, move |e, _, call| {
        Box::pin(async move { answer(e, call) })
    })
    .on_write(move |e, _, call| Box::pin(async move { answer(e, call) }))
}

#[expect(clippy::panic, reason = "a test asks for it")]
fn panicking(_: &Fault) -> Answer {
    panic!("fault: panicking as told")
}

fn data(value: &(impl Serialize + ?Sized)) -> Answer {
    let object = JsonObject::from_serialize(value);
    let object = object.map_err(|error| Error::internal(error.to_string()))?;
    Ok(Some(Response::data(object)))
}

impl Fault {
    fn info(&self) -> Answer {
        if self.switches.exits_on_request {
            std::process::exit(7);
        }
        data(&json!({
            "pid": std::process::id(),
            "instance": self.number,
            "version": self.built_as,
            "uuid": self.uuid,
        }))
    }

    async fn read(&self, ctx: &Context, call: Call) -> Answer {
        if self.switches.exits_on_request {
            std::process::exit(7);
        }
        let text = read_text(self.storage.as_ref(), ctx, &call.request.path).await?;
        let Some(text) = text else {
            return Ok(None);
        };
        let object = JsonObject::from_text(text);
        let object = object.map_err(|error| Error::internal(error.to_string()))?;
        Ok(Some(Response::data(object)))
    }

    async fn list(&self, ctx: &Context, call: Call) -> Answer {
        let mut prefix = call.request.path;
        if !prefix.ends_with('/') {
            prefix.push('/');
        }
        let keys = self.storage.list(ctx, &prefix, Page::default()).await?;
        data(&json!({"keys": keys}))
    }

    async fn sleep(&self, ctx: &Context, call: Call) -> Answer {
        let text = call.fields.text("time");
        let time = match text.strip_suffix("ms") {
            Some(milliseconds) => milliseconds.parse().map(|ms: f64| ms / 1000.0),
            None => text.strip_suffix('s').unwrap_or(text).parse(),
        };
        let time = time.ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
        let time = time.ok_or_else(|| Error::refused("no time to sleep"))?;
        ctx.race(tokio::time::sleep(time)).await?;
        self.info()
    }
}

fn request(call: &Call) -> Answer {
    let request = &call.request;
    let sent = request.data.as_ref().map(|data| data.decode::<Value>());
    let sent = sent
        .transpose()
        .map_err(|e| Error::internal(e.to_string()))?;
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, values)| (name.clone(), json!(values)))
        .collect();
    let from = request.connection.as_ref();
    data(&json!({
        "id": &*request.id,
        "operation": request.operation().as_str(),
        "path": request.path,
        "data": sent,
        "client_token": request.client_token,
        "client_token_accessor": request.client_token_accessor,
        "display_name": request.display_name,
        "entity_id": request.entity_id,
        "mount_point": &*request.mount_point,
        "mount_type": &*request.mount_type,
        "mount_accessor": &*request.mount_accessor,
        "headers": headers,
        "remote_addr": from.map(|from| &from.remote_addr),
        "unauthenticated": request.unauthenticated,
    }))
}

fn error(name: &str) -> Error {
    if let Some(status) = name
        .strip_prefix("coded-")
        .and_then(|code| code.parse().ok())
    {
        let text = vec![format!("fault: coded {status}")];
        return Error::new(ErrorKind::Coded(status), Shape::Wrapped, text);
    }
    match name {
        "bad-request" => Error::refused("fault: bad request"),
        "unsupported-operation" => Error::unsupported_operation(),
        "unsupported-path" => Error::unsupported_path(),
        "invalid-request" => Error::refused("invalid request"),
        "permission-denied" => Error::permission_denied(),
        other => Error::internal(format!("fault: {other}")),
    }
}
