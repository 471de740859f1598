//! A running server and the calls that tests make most, as one thing. Calls that get no answer at all panic.

use std::error::Error as _;

use linchpin_client::{Client, Method, Reply, Request};
use serde_json::{Value, json};

use crate::fixture::find_binary;
use crate::{PluginDir, Process, Product, Server, Settings};

/// A server under test and a root client for it.
pub struct Target {
    server: Server,
    client: Client,
}

impl Target {
    /// Starts `product` with the defaults: a plugin directory that holds the fault plugin as `tp1` (v1.0.0) and `tp2` (v1.1.0).
    pub async fn start(product: Product) -> Self {
        Self::with(product, Settings::default()).await
    }

    /// Starts `product` with these settings.
    pub async fn with(product: Product, settings: Settings) -> Self {
        let started = Server::start(product, &settings).await;
        let server = started.unwrap_or_else(|missing| panic!("{}", missing.remedy()));
        let client = server.client();
        for (name, example) in [("tp1", "fault-v1"), ("tp2", "fault-v2")] {
            // What does not use the fault plugin also runs where only the server was built.
            if let Some(built) = find_binary(example) {
                server.plugins().install(name, &built);
            }
        }
        Self { server, client }
    }

    /// What kind of server this is.
    pub fn product(&self) -> Product {
        self.server.product()
    }

    /// Whether it is Linchpin, so that `[+]` behaviour and Vault's own can be expected.
    pub fn is_ours(&self) -> bool {
        self.product().is_ours()
    }

    /// The server's process and folders.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The server, to stop it.
    pub fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }

    /// The server's plugin directory.
    pub fn plugins(&self) -> &PluginDir {
        self.server.plugins()
    }

    /// A client with the root token.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and returns its answer, whatever its status.
    pub async fn send(&self, request: Request) -> Reply {
        let shown = format!("{request:?}");
        match self.client.send(request).await {
            Ok(reply) => reply,
            Err(error) => {
                let source = error.source().map(ToString::to_string).unwrap_or_default();
                panic!("{shown}: {error}: {source}")
            }
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Request::new(Method::GET, path)).await
    }

    /// `LIST`.
    pub async fn list(&self, path: &str) -> Reply {
        self.send(Request::list(path)).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Request::new(Method::POST, path).json(&body))
            .await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Request::new(Method::PUT, path).json(&body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Request::new(Method::DELETE, path)).await
    }

    /// Registers the file `command` of the plugin directory, with its right digest, as secrets plugin `name` of `version`; `more` are
    /// further fields.
    pub async fn register(&self, name: &str, version: &str, command: &str, more: Value) -> Reply {
        let mut body = json!({"command": command, "sha256": self.digest(command)});
        if !version.is_empty() {
            merge(&mut body, json!({"version": version}));
        }
        merge(&mut body, more);
        self.post(&format!("sys/plugins/catalog/secret/{name}"), body)
            .await
    }

    /// The digest of a file of the plugin directory.
    pub fn digest(&self, command: &str) -> String {
        crate::sha256(&self.plugins().file(command))
    }

    /// Enables a secrets engine of type `plugin` at `path`; `more` are further fields, such as `{"config": {"plugin_version": …}}`.
    pub async fn mount(&self, path: &str, plugin: &str, more: Value) -> Reply {
        let mut body = json!({"type": plugin});
        merge(&mut body, more);
        self.post(&format!("sys/mounts/{path}"), body).await
    }

    /// Reloads the named mount alone.
    pub async fn reload(&self, mount: &str) -> Reply {
        self.post("sys/plugins/reload/backend", json!({"mounts": [mount]}))
            .await
    }

    /// The plugin processes that run now.
    pub fn plugin_pids(&self) -> Vec<u32> {
        self.server
            .plugin_processes()
            .into_iter()
            .filter(|process| process.state != 'Z')
            .map(|process| process.pid)
            .collect()
    }

    /// Whether a process of that id is still one of this server's.
    pub fn has_process(&self, pid: u32) -> bool {
        Process::runs(pid) && self.plugin_pids().contains(&pid)
    }
}

/// Adds the members of `more` to `body`.
pub(crate) fn merge(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}
