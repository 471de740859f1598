//! The connection to one server: where it is, who asks, and how its answers and refusals read. Refusals are printed in the
//! form of Vault's own client, because people and scripts know it: method, URL, code, and the errors as a list.

use std::cell::OnceCell;
use std::fmt;
use std::time::Duration;

use linchpin_client::{
    Client, Endpoint, HeaderName, HeaderValue, Method, Reply, Request, TlsSettings, escape_path,
    escape_query,
};
use tokio::runtime::Runtime;

use crate::tls::TlsFlags;
use crate::tree::Tree;

/// How long a server may ask us to wait before it is asked again. Longer waits are the user's to decide on.
const LONGEST_WAIT: u64 = 10;

/// What is known of the server and of who asks it.
pub(crate) struct Session {
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: TlsFlags,
    /// What the files of `tls` say; the default where the server speaks no TLS.
    pub(crate) settings: TlsSettings,
    pub(crate) token: Option<String>,
    /// The namespace; empty = the root.
    pub(crate) namespace: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) limit: Duration,
    /// How often a server that says when it will be there again (503 with `Retry-After`) is asked once more.
    pub(crate) retries: u32,
    /// Calls are printed as a line for `curl` in place of being made.
    pub(crate) prints_calls: bool,
    pub(crate) runtime: Runtime,
    pub(crate) client: OnceCell<Client>,
}

/// One call of the API.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Option<Tree>,
}

impl Ask {
    fn new(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: Vec::new(),
            body: None,
        }
    }

    /// A read. `path` is as people write it: what a URL cannot hold is escaped.
    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    /// A list, in the form that passes every proxy.
    pub(crate) fn list(path: &str) -> Self {
        Self::new(Method::GET, path).with("list", "true")
    }

    /// A write as `write` and `plugin` make it.
    pub(crate) fn put(path: &str, body: Tree) -> Self {
        Self {
            body: Some(body),
            ..Self::new(Method::PUT, path)
        }
    }

    /// A write as `secrets` and `auth` make it.
    pub(crate) fn post(path: &str, body: Tree) -> Self {
        Self {
            body: Some(body),
            ..Self::new(Method::POST, path)
        }
    }

    /// A deletion.
    pub(crate) fn delete(path: &str) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// The same with one more parameter in its query.
    pub(crate) fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// The path below `/v1/` with its query, escaped.
    fn target(&self) -> String {
        let query = self
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", escape_query(name), escape_query(value)));
        let query: Vec<String> = query.collect();
        let path = escape_path(&self.path);
        if query.is_empty() {
            path
        } else {
            format!("{path}?{}", query.join("&"))
        }
    }
}

/// What the server answered, if it was no refusal.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The whole body; `null` where it was empty.
    pub(crate) body: Tree,
    /// The body as it came.
    pub(crate) raw: Vec<u8>,
}

impl Answer {
    /// The member `data`.
    pub(crate) fn data(&self) -> &Tree {
        self.body.get("data")
    }

    /// The texts of `warnings`.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warnings = self.body.get("warnings").elements().iter();
        warnings
            .map(|warning| warning.text().to_owned())
            .filter(|warning| !warning.is_empty())
            .collect()
    }

    /// Whether there was no body at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.body == Tree::Null
    }
}

/// Why there is no answer to work with.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Nothing came back, or something that is no answer of this API.
    Transport {
        method: Method,
        url: String,
        cause: String,
    },
    /// The server refused.
    Refused(Box<Refusal>),
    /// The call was not made but printed: this line.
    Printed(String),
}

/// A refusal.
#[derive(Debug)]
pub(crate) struct Refusal {
    method: Method,
    url: String,
    namespace: String,
    pub(crate) status: u16,
    pub(crate) errors: Vec<String>,
    /// The body where it is not of the API's form: a proxy's page, for example.
    raw: Option<String>,
    /// The body; a failed reload says there what became of each mount.
    pub(crate) body: Tree,
}

impl Session {
    /// Makes one call.
    pub(crate) fn send(&self, ask: &Ask) -> Result<Answer, CallError> {
        let url = format!("{}/v1/{}", self.endpoint, ask.target());
        if self.prints_calls {
            return Err(CallError::Printed(self.curl(ask)));
        }
        let reply =
            self.runtime
                .block_on(self.exchange(ask))
                .map_err(|error| CallError::Transport {
                    method: ask.method.clone(),
                    url: url.clone(),
                    cause: cause(&error),
                })?;
        self.read(ask, url, &reply)
    }

    async fn exchange(&self, ask: &Ask) -> Result<Reply, linchpin_client::Error> {
        let client = match self.client.get() {
            Some(client) => client,
            None => {
                let reached = Client::reach(&self.endpoint, &self.settings, self.limit).await?;
                self.client.get_or_init(|| reached)
            }
        };
        let mut asked = 0;
        loop {
            let reply = client.send(self.request(ask)).await?;
            let wait = reply
                .header("retry-after")
                .and_then(|wait| wait.parse().ok());
            let wait = wait.filter(|wait| *wait <= LONGEST_WAIT && reply.status() == 503);
            match wait {
                Some(wait) if asked < self.retries => {
                    asked += 1;
                    tokio::time::sleep(Duration::from_secs(wait)).await;
                }
                _ => return Ok(reply),
            }
        }
    }

    fn request(&self, ask: &Ask) -> Request {
        let mut request = Request::new(ask.method.clone(), &ask.target()).within(self.limit);
        if let Some(body) = &ask.body {
            request = request.bytes(body.compact().into_bytes());
        }
        if let Some(token) = &self.token {
            request = request.token(token);
        }
        for (name, value) in &self.headers {
            request = request.header(name.clone(), value.clone());
        }
        request
    }

    fn read(&self, ask: &Ask, url: String, reply: &Reply) -> Result<Answer, CallError> {
        let body = Tree::parse(reply.body());
        if reply.is_success() {
            return match body {
                Ok(body) => Ok(Answer {
                    body,
                    raw: reply.body().to_vec(),
                }),
                Err(error) => Err(CallError::Transport {
                    method: ask.method.clone(),
                    url,
                    cause: format!("the answer is {error}"),
                }),
            };
        }
        let body = body.unwrap_or(Tree::Null);
        let raw = match body.find("errors") {
            Some(_) => None,
            None => Some(String::from_utf8_lossy(reply.body()).into_owned()),
        };
        Err(CallError::Refused(Box::new(Refusal {
            method: ask.method.clone(),
            url,
            namespace: self.namespace.clone(),
            status: reply.status(),
            errors: reply.errors(),
            raw,
            body,
        })))
    }

    /// The call as a line for `curl`. The token is named, never shown.
    fn curl(&self, ask: &Ask) -> String {
        let quote = |text: &str| text.replace('\'', "'\"'\"'");
        let mut line = "curl".to_owned();
        if let Some(socket) = self.endpoint.socket() {
            line += &format!(" --unix-socket '{}'", quote(&socket.display().to_string()));
        }
        for (option, value) in self.tls.curl() {
            line += &format!(" {option}");
            if !value.is_empty() {
                line += &format!(" '{}'", quote(value));
            }
        }
        if ask.method != Method::GET {
            line += &format!(" -X {}", ask.method);
        }
        line += " -H \"X-Vault-Request: true\" -H \"X-Vault-Token: $VAULT_TOKEN\"";
        for (name, value) in &self.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            line += &format!(" -H '{name}: {}'", quote(&value));
        }
        if let Some(body) = &ask.body {
            line += &format!(" -d '{}'", quote(&body.compact()));
        }
        line + &format!(" \"{}/v1/{}\"", self.endpoint.base(), ask.target())
    }
}

impl CallError {
    /// The status of a refusal.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            _ => None,
        }
    }

    /// The body of a refusal.
    pub(crate) fn body(&self) -> &Tree {
        match self {
            Self::Refused(refusal) => &refusal.body,
            _ => &Tree::Null,
        }
    }

    /// What went wrong in few words, for a line of a report: the errors alone.
    pub(crate) fn short(&self) -> String {
        match self {
            Self::Refused(refusal) if !refusal.errors.is_empty() => refusal.errors.join("; "),
            Self::Refused(refusal) => format!("the server answered {}", refusal.status),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport { method, url, cause } => {
                // As Go prints it: `Get "http://…": …`.
                let name = method.as_str();
                let (first, rest) = name.split_at(name.len().min(1));
                write!(f, "{first}{} {url:?}: {cause}", rest.to_lowercase())
            }
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Printed(line) => f.write_str(line),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Error making API request.\n\n")?;
        if !self.namespace.is_empty() {
            writeln!(f, "Namespace: {}/", self.namespace.trim_end_matches('/'))?;
        }
        writeln!(f, "URL: {} {}", self.method, self.url)?;
        match &self.raw {
            Some(raw) => write!(f, "Code: {}. Raw Message:\n\n{raw}", self.status),
            None => {
                let errors = self.errors.iter().map(|error| format!("* {error}"));
                let errors: Vec<String> = errors.collect();
                write!(f, "Code: {}. Errors:\n\n{}", self.status, errors.join("\n"))
            }
        }
    }
}

/// Why no answer came, with what can be done about it where that is not plain.
fn cause(error: &linchpin_client::Error) -> String {
    let text = linchpin_model::chain(error);
    match error {
        linchpin_client::Error::Tls { .. } => format!(
            "{text}\n(the server is checked against -ca-cert or -ca-path, else the authorities of the system, and by the name in the \
             address or -tls-server-name)"
        ),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(errors: &[&str], namespace: &str, raw: Option<&str>) -> String {
        let refusal = Refusal {
            method: Method::PUT,
            url: "http://127.0.0.1:8200/v1/sys/plugins/catalog/secret/tp".to_owned(),
            namespace: namespace.to_owned(),
            status: 400,
            errors: errors.iter().map(ToString::to_string).collect(),
            raw: raw.map(str::to_owned),
            body: Tree::Null,
        };
        CallError::Refused(Box::new(refusal)).to_string()
    }

    /// The form is that of Vault's client, recorded from OpenBao's command line.
    #[test]
    fn a_refusal_reads_as_vaults_client_prints_it() {
        let head = "Error making API request.\n\n\
                    URL: PUT http://127.0.0.1:8200/v1/sys/plugins/catalog/secret/tp\nCode: 400. ";
        assert_eq!(
            refusal(&["missing SHA-256 value", "b"], "", None),
            format!("{head}Errors:\n\n* missing SHA-256 value\n* b")
        );
        assert_eq!(refusal(&[], "", None), format!("{head}Errors:\n\n"));
        assert_eq!(
            refusal(&[], "", Some("<html>")),
            format!("{head}Raw Message:\n\n<html>")
        );
        assert!(refusal(&["x"], "team", None).contains("\n\nNamespace: team/\nURL: "));
    }

    #[test]
    fn paths_and_queries_are_escaped() {
        let ask = Ask::get("a b/c?d").with("version", "1.0.0+ent");
        assert_eq!(ask.target(), "a%20b/c%3Fd?version=1.0.0%2Bent");
        assert_eq!(Ask::list("kv").target(), "kv?list=true");
    }
}
