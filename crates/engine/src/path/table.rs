//! The table itself and the [`Backend`] made of it.

use super::{Field, FieldType, Fields, Pattern, PatternError, help, openapi};
use crate::{Backend, BoxFuture, Context, Error, SpecialPaths};
use linchpin_model::{JsonObject, Operation, PluginType, Request, Response};
use std::sync::Arc;

/// An engine that is written as a table.
pub trait Engine: Send + Sync + Sized + 'static {
    /// Secrets engine or auth method.
    fn plugin_type(&self) -> PluginType;

    /// Called once when storage can be written.
    fn initialize<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        let _ = ctx;
        Box::pin(async { Ok(()) })
    }

    /// A storage key was changed by somebody else.
    fn invalidate<'a>(&'a self, ctx: &'a Context, key: &'a str) -> BoxFuture<'a, ()> {
        let _ = (ctx, key);
        Box::pin(async {})
    }

    /// The last call.
    fn cleanup<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, ()> {
        let _ = ctx;
        Box::pin(async {})
    }
}

/// One call of a handler.
#[derive(Debug)]
pub struct Call {
    /// The request.
    pub request: Request,
    /// Its fields, converted and checked.
    pub fields: Fields,
}

type Handler<E> = Arc<
    dyn for<'a> Fn(&'a E, &'a Context, Call) -> BoxFuture<'a, Result<Option<Response>, Error>>
        + Send
        + Sync,
>;
type ExistenceCheck<E> = Arc<
    dyn for<'a> Fn(&'a E, &'a Context, Call) -> BoxFuture<'a, Result<bool, Error>> + Send + Sync,
>;

/// One row: a pattern, its fields, a handler per operation.
pub struct PathSpec<E> {
    pub(crate) pattern: Result<Pattern, PatternError>,
    pub(crate) fields: Vec<Field>,
    pub(crate) handlers: Vec<(Operation, Handler<E>)>,
    existence: Option<ExistenceCheck<E>>,
    accepts_any_field: bool,
    pub(crate) synopsis: &'static str,
    pub(crate) description: &'static str,
}

impl<E> PathSpec<E> {
    /// A row for `pattern` (see [`Pattern`]); every parameter of the pattern becomes a string
    /// field. `synopsis` is the one line of help that every path has.
    #[must_use]
    pub fn new(pattern: &str, synopsis: &'static str) -> Self {
        Self {
            pattern: Pattern::parse(pattern),
            fields: Vec::new(),
            handlers: Vec::new(),
            existence: None,
            accepts_any_field: false,
            synopsis,
            description: "",
        }
    }

    /// The longer help text.
    #[must_use]
    pub fn describe(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Declares a field. Parameters of the pattern are declared too, as strings.
    #[must_use]
    pub fn field(
        mut self,
        name: &'static str,
        field_type: FieldType,
        description: &'static str,
    ) -> Self {
        self.fields.push(Field {
            name,
            field_type,
            description,
        });
        self
    }

    /// The handler of one operation.
    #[must_use]
    pub fn on<F>(mut self, operation: Operation, handler: F) -> Self
    where
        F: for<'a> Fn(&'a E, &'a Context, Call) -> BoxFuture<'a, Result<Option<Response>, Error>>
            + Send
            + Sync
            + 'static,
    {
        self.handlers.push((operation, Arc::new(handler)));
        self
    }

    /// The same handler for create and update: most paths do not tell them apart.
    #[must_use]
    pub fn on_write<F>(mut self, handler: F) -> Self
    where
        F: for<'a> Fn(&'a E, &'a Context, Call) -> BoxFuture<'a, Result<Option<Response>, Error>>
            + Send
            + Sync
            + 'static,
    {
        let handler: Handler<E> = Arc::new(handler);
        self.handlers
            .push((Operation::Update, Arc::clone(&handler)));
        self.handlers.push((Operation::Create, handler));
        self
    }

    /// Tells create from update.
    #[must_use]
    pub fn existence<F>(mut self, check: F) -> Self
    where
        F: for<'a> Fn(&'a E, &'a Context, Call) -> BoxFuture<'a, Result<bool, Error>>
            + Send
            + Sync
            + 'static,
    {
        self.existence = Some(Arc::new(check));
        self
    }

    /// The caller's data is the payload itself: no field is unrecognised.
    #[must_use]
    pub fn any_field(mut self) -> Self {
        self.accepts_any_field = true;
        self
    }

    /// Whether any handler serves `operation`.
    pub(crate) fn handler(&self, operation: Operation) -> Option<&Handler<E>> {
        self.handlers
            .iter()
            .find(|(op, _)| *op == operation)
            .map(|(_, handler)| handler)
    }
}

/// An engine's paths, in the order in which they are tried: the first pattern that matches decides.
pub struct Table<E> {
    /// What the engine is: the help of its root.
    pub help: &'static str,
    /// The rows.
    pub paths: Vec<PathSpec<E>>,
    /// Its special paths.
    pub special: SpecialPaths,
}

impl<E> Table<E> {
    fn find(
        &self,
        path: &str,
    ) -> Option<(&PathSpec<E>, std::collections::BTreeMap<String, String>)> {
        self.paths.iter().find_map(|spec| {
            let captured = spec.pattern.as_ref().ok()?.captures(path)?;
            Some((spec, captured))
        })
    }

    /// The paths of this table for an OpenAPI document.
    #[must_use]
    pub fn openapi(&self) -> Vec<super::OpenApiPath> {
        openapi::paths(self)
    }

    /// The first malformed pattern: a unit test of every engine asserts that there is none.
    #[must_use]
    pub fn first_error(&self) -> Option<&PatternError> {
        self.paths
            .iter()
            .find_map(|spec| spec.pattern.as_ref().err())
    }
}

/// A [`Backend`] made of an engine and its table.
pub struct TableBackend<E> {
    engine: E,
    table: Table<E>,
    special: Arc<SpecialPaths>,
}

impl<E: Send + Sync + 'static> TableBackend<E> {
    /// Puts the two together.
    #[must_use]
    pub fn new(engine: E, mut table: Table<E>) -> Self {
        for spec in &mut table.paths {
            declare_parameters(spec);
        }
        let special = Arc::new(table.special.clone());
        Self {
            engine,
            table,
            special,
        }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Table<E> {
        &self.table
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Serves one request, as [`Backend::handle`] does; for backends that do more than their table.
    ///
    /// # Errors
    /// What the handler answers, and what the table says to what it does not know.
    pub async fn serve(&self, ctx: &Context, request: Request) -> Result<Option<Response>, Error> {
        self.dispatch(ctx, request).await
    }

    /// Whether what a write addresses exists, as [`Backend::exists`] does; `None` = its path has no such check.
    ///
    /// # Errors
    /// What the check answers.
    pub async fn check_existence(
        &self,
        ctx: &Context,
        request: &Request,
    ) -> Result<Option<bool>, Error> {
        let Some((spec, captured)) = self.table.find(&request.path) else {
            return Ok(None);
        };
        let Some(check) = &spec.existence else {
            return Ok(None);
        };
        // A body that does not convert is reported by the write itself.
        let fields =
            Fields::read(&spec.fields, captured, request.data.as_ref()).unwrap_or_default();
        check(
            &self.engine,
            ctx,
            Call {
                request: request.clone(),
                fields,
            },
        )
        .await
        .map(Some)
    }

    fn help(&self, path: &str) -> Result<Option<Response>, Error> {
        let (text, paths) = if path.is_empty() {
            (help::root(&self.table), openapi::paths(&self.table))
        } else {
            let (spec, _) = self.table.find(path).ok_or_else(Error::unsupported_path)?;
            (
                help::path(spec, path),
                openapi::path(spec).into_iter().collect(),
            )
        };
        #[derive(serde::Serialize)]
        struct Help {
            help: String,
            see_also: Option<()>,
            openapi: serde_json::Value,
        }
        let document = Help {
            help: text,
            see_also: None,
            openapi: openapi::document(&paths, "/"),
        };
        let data = JsonObject::from_serialize(&document)
            .map_err(|e| Error::internal("render help").with_source(e))?;
        Ok(Some(Response::data(data)))
    }

    async fn dispatch(&self, ctx: &Context, request: Request) -> Result<Option<Response>, Error> {
        let operation = request.operation();
        if operation == Operation::Help {
            return self.help(&request.path);
        }
        let (spec, captured) = self
            .table
            .find(&request.path)
            .ok_or_else(Error::unsupported_path)?;
        let handler = spec
            .handler(operation)
            .ok_or_else(Error::unsupported_operation)?;
        let fields = Fields::read(&spec.fields, captured, request.data.as_ref())?;
        let warnings = if spec.accepts_any_field {
            Vec::new()
        } else {
            fields.warnings()
        };
        let mut response = handler(&self.engine, ctx, Call { request, fields }).await?;
        if let Some(response) = response.as_mut().filter(|r| r.raw.is_none()) {
            response.warnings.extend(warnings);
        }
        Ok(response)
    }
}

/// Parameters of the pattern that the row did not declare with a description of its own.
fn declare_parameters<E>(spec: &mut PathSpec<E>) {
    let Ok(pattern) = &spec.pattern else { return };
    let missing: Vec<String> = pattern
        .parameters()
        .filter(|(name, _)| spec.fields.iter().all(|f| f.name != *name))
        .map(|(name, _)| name.to_owned())
        .collect();
    for name in missing {
        // One small allocation per undeclared parameter and engine type for the life of the
        // process: field names are static everywhere else.
        let name: &'static str = match name.as_str() {
            "name" => "name",
            "path" => "path",
            "type" => "type",
            other => Box::leak(other.to_owned().into_boxed_str()),
        };
        spec.fields.push(Field {
            name,
            field_type: FieldType::String,
            description: "From the path.",
        });
    }
}

impl<E: Engine> Backend for TableBackend<E> {
    fn plugin_type(&self) -> PluginType {
        self.engine.plugin_type()
    }

    fn special_paths(&self) -> Arc<SpecialPaths> {
        Arc::clone(&self.special)
    }

    fn initialize<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        self.engine.initialize(ctx)
    }

    fn handle<'a>(
        &'a self,
        ctx: &'a Context,
        request: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, Error>> {
        Box::pin(self.dispatch(ctx, request))
    }

    fn exists<'a>(
        &'a self,
        ctx: &'a Context,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<bool>, Error>> {
        Box::pin(self.check_existence(ctx, request))
    }

    fn invalidate<'a>(&'a self, ctx: &'a Context, key: &'a str) -> BoxFuture<'a, ()> {
        self.engine.invalidate(ctx, key)
    }

    fn cleanup<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, ()> {
        self.engine.cleanup(ctx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_util::sync::CancellationToken;

    struct Echo;
    impl Engine for Echo {
        fn plugin_type(&self) -> PluginType {
            PluginType::Secret
        }
    }
    impl Echo {
        async fn say(&self, call: Call) -> Result<Option<Response>, Error> {
            let data =
                serde_json::json!({"name": call.fields.text("name"), "n": call.fields.int("n")});
            Ok(Some(Response::data(
                JsonObject::from_serialize(&data).unwrap(),
            )))
        }
    }

    fn backend() -> TableBackend<Echo> {
        TableBackend::new(
            Echo,
            Table {
                help: "Echoes.",
                special: SpecialPaths::default(),
                paths: vec![
                    PathSpec::<Echo>::new("say/{name}", "Says a name.")
                        .field("n", FieldType::Int, "How often.")
                        .on_write(|e, _ctx, call| Box::pin(e.say(call))),
                ],
            },
        )
    }

    async fn ask(operation: Operation, path: &str, data: &str) -> Result<Option<Response>, Error> {
        let ctx = Context::internal(CancellationToken::new());
        let request = Request {
            operation: Some(operation),
            path: path.to_owned(),
            data: Some(JsonObject::from_text(data.to_owned()).unwrap()),
            ..Request::default()
        };
        backend().handle(&ctx, request).await
    }

    #[tokio::test]
    async fn a_call_reaches_its_handler_with_converted_fields() {
        let response = ask(Operation::Update, "say/bob", r#"{"n":"3","x":1}"#)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(response.data.unwrap().as_str(), r#"{"n":3,"name":"bob"}"#);
        assert_eq!(
            response.warnings,
            ["Endpoint ignored these unrecognized parameters: [x]"]
        );
    }

    #[tokio::test]
    async fn what_the_table_does_not_know_has_vaults_answers() {
        let text = |r: Result<Option<Response>, Error>| r.unwrap_err().to_string();
        assert_eq!(
            text(ask(Operation::Read, "say/bob", "{}").await),
            "unsupported operation"
        );
        assert_eq!(
            text(ask(Operation::Read, "nope", "{}").await),
            "unsupported path"
        );
    }

    #[tokio::test]
    async fn help_names_the_paths_and_their_fields() {
        let help = ask(Operation::Help, "", "{}")
            .await
            .unwrap()
            .unwrap()
            .data
            .unwrap();
        assert!(help.as_str().contains("say/{name}"), "{}", help.as_str());
        let help = ask(Operation::Help, "say/bob", "{}")
            .await
            .unwrap()
            .unwrap()
            .data
            .unwrap();
        assert!(help.as_str().contains("How often."), "{}", help.as_str());
    }
}
