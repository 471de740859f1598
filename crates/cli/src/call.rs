//! One command as it runs: what was typed, the server, and where to print.

use std::cell::OnceCell;
use std::io::{self, IsTerminal as _, Read, Write};
use std::time::Duration;

use linchpin_client::{DEFAULT_TIMEOUT, Endpoint, HeaderName, HeaderValue, TlsSettings};

use crate::environment;
use crate::failure::Failure;
use crate::grammar::Typed;
use crate::print::{Format, warnings};
use crate::session::{Answer, Ask, CallError, Session};
use crate::table::Table;
use crate::tls::TlsFlags;
use crate::tree::Tree;

/// The address when nothing says another. Vault's has `https`; ours is that of a development server.
const DEFAULT_ADDRESS: &str = "http://127.0.0.1:8200";
/// How often a server that is not ready is asked again.
const RETRIES: u32 = 2;

/// What a command line reads and writes. The binary's is the process; tests have their own.
pub struct Io<'a> {
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// The environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Asks for a secret on the terminal, after this text and without showing what is typed; none where there is no terminal.
    pub ask_hidden: &'a dyn Fn(&str) -> Option<io::Result<String>>,
    /// Whether standard output is a terminal: a single field then ends with a line end.
    pub out_is_terminal: bool,
    /// Whether standard error is a terminal, on which errors and warnings have a colour.
    pub err_is_terminal: bool,
}

/// One command under way.
pub(crate) struct Call<'a, 'io> {
    pub(crate) typed: Typed,
    pub(crate) format: Format,
    io: &'a mut Io<'io>,
    session: Session,
}

impl<'a, 'io> Call<'a, 'io> {
    pub(crate) fn new(typed: Typed, io: &'a mut Io<'io>) -> Result<Self, Failure> {
        let format = match said(&typed, io.variable, "format", "FORMAT") {
            Some(word) => word.parse().map_err(Failure::usage)?,
            None => Format::Table,
        };
        let session = session(&typed, io.variable)?;
        Ok(Self {
            typed,
            format,
            io,
            session,
        })
    }

    /// Makes one call.
    pub(crate) fn ask(&self, ask: &Ask) -> Result<Answer, CallError> {
        self.session.send(ask)
    }

    /// Uses another token from now on.
    pub(crate) fn act_as(&mut self, token: &str) {
        self.session.token = Some(token.to_owned());
    }

    /// Stores a token for the commands that follow, and says so when they will not use it.
    pub(crate) fn store_token(&mut self, token: &str) -> Result<(), Failure> {
        environment::store_token(self.io.variable, token)?;
        if let Some(name) = environment::name(self.io.variable, "TOKEN") {
            self.note(format!(
                "WARNING! The variable {name} is set and wins over the token that is now stored: unset it, or set it anew.\n"
            ));
        }
        Ok(())
    }

    /// Asks for a secret on the terminal; none where there is none, or nobody to ask.
    pub(crate) fn ask_hidden(&self, prompt: &str) -> Option<io::Result<String>> {
        if self.typed.on("non-interactive") {
            return None;
        }
        (self.io.ask_hidden)(prompt)
    }

    /// The namespace that is asked; empty = the root.
    pub(crate) fn namespace(&self) -> &str {
        &self.session.namespace
    }

    /// Whether calls are printed in place of being made.
    pub(crate) fn prints_calls(&self) -> bool {
        self.session.prints_calls
    }

    /// Ctrl-C, to be watched from now on: it no longer ends the process.
    pub(crate) fn watch_interrupt(&self) -> Result<Interrupt, Failure> {
        let _entered = self.session.runtime.enter();
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
        signal
            .map(Interrupt)
            .map_err(|error| Failure::refused(format!("Error preparing for an interrupt: {error}")))
    }

    /// Whether Ctrl-C came since the last look.
    pub(crate) fn was_interrupted(&self, interrupt: &mut Interrupt) -> bool {
        self.session.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = interrupt.0.recv() => true,
                // One turn of the runtime, so that a signal that has come is seen.
                () = tokio::time::sleep(Duration::from_millis(1)) => false,
            }
        })
    }

    /// Waits as long as makes sense before something slow is looked at again.
    pub(crate) fn pause(&self) {
        let wait = async { tokio::time::sleep(Duration::from_millis(100)).await };
        self.session.runtime.block_on(wait);
    }

    /// Prints a line that scripts may read.
    pub(crate) fn say(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        self.print(&format!("{}\n", line.as_ref()))
    }

    /// Prints text as it is.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        write_out(self.io, text)
    }

    /// Prints a line for people.
    pub(crate) fn note(&mut self, line: impl AsRef<str>) {
        // Nobody reads it: then nobody misses it.
        let _ = writeln!(self.io.err, "{}", line.as_ref());
    }

    /// Prints what the server wants its users to know.
    pub(crate) fn warn(&mut self, texts: &[String]) {
        if !texts.is_empty() {
            let colour = has_colour(self.io);
            let _ = write!(self.io.err, "{}", warnings(texts, colour));
        }
    }

    /// Prints a table, or what it was made of in another format.
    pub(crate) fn show(&mut self, table: &Table, tree: &Tree) -> Result<(), Failure> {
        match self.format.print(tree)? {
            Some(text) => self.print(&text),
            None => self.print(&table.print()),
        }
    }

    /// Prints one value alone, as `-field` asks.
    pub(crate) fn show_field(&mut self, value: &Tree) -> Result<(), Failure> {
        let mut text = match self.format.print(value)? {
            Some(text) if self.format == Format::Json => text.trim_end_matches('\n').to_owned(),
            Some(text) => return self.print(&text),
            None => value.plain(),
        };
        if self.io.out_is_terminal {
            text.push('\n');
        }
        self.print(&text)
    }

    /// Everything on standard input.
    pub(crate) fn read_input(&mut self) -> io::Result<String> {
        let mut text = String::new();
        self.io.input.read_to_string(&mut text)?;
        Ok(text)
    }
}

/// [`Io::ask_hidden`] of a process: asks on the terminal, where standard input is one.
pub fn ask_hidden(prompt: &str) -> Option<io::Result<String>> {
    let is_there = io::stdin().is_terminal();
    is_there.then(|| rpassword::prompt_password(prompt))
}

/// Ctrl-C while it is watched.
pub(crate) struct Interrupt(tokio::signal::unix::Signal);

pub(crate) fn write_out(io: &mut Io<'_>, text: &str) -> Result<(), Failure> {
    let written = io
        .out
        .write_all(text.as_bytes())
        .and_then(|()| io.out.flush());
    match written {
        // Whoever reads through `head` is content with less.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::refused(format!(
            "Error writing the output: {error}"
        ))),
        Ok(()) => Ok(()),
    }
}

/// Whether errors and warnings are coloured: on a terminal, unless somebody does not want it.
pub(crate) fn has_colour(io: &Io<'_>) -> bool {
    let set = |name: &str| (io.variable)(name).is_some_and(|value| !value.is_empty());
    let dumb = (io.variable)("TERM").is_some_and(|term| term == "dumb");
    let off = set("NO_COLOR") || environment::find(io.variable, "CLI_NO_COLOR").is_some();
    io.err_is_terminal && !off && !dumb
}

/// What the flag says, or the variable in its place.
fn said(
    typed: &Typed,
    look: &dyn Fn(&str) -> Option<String>,
    flag: &str,
    variable: &str,
) -> Option<String> {
    let typed = typed.value(flag).map(str::to_owned);
    typed.or_else(|| environment::find(look, variable))
}

fn session(typed: &Typed, look: &dyn Fn(&str) -> Option<String>) -> Result<Session, Failure> {
    let said = |flag: &str, variable: &str| said(typed, look, flag, variable);
    let address = said("address", "ADDR").unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
    let endpoint: Endpoint = address
        .parse()
        .map_err(|error: linchpin_client::EndpointError| {
            Failure::usage(format!("Error: the address {error}"))
        })?;
    let namespace = typed.value("ns").map(str::to_owned);
    let namespace = namespace.or_else(|| said("namespace", "NAMESPACE"));
    let namespace = namespace.unwrap_or_default().trim_matches('/').to_owned();
    let limit = match environment::find(look, "CLIENT_TIMEOUT") {
        Some(text) => linchpin_model::duration::parse(&text)
            .map_err(|error| Failure::usage(format!("Error: VAULT_CLIENT_TIMEOUT: {error}")))?,
        None => DEFAULT_TIMEOUT,
    };
    let retries = match environment::find(look, "MAX_RETRIES") {
        Some(text) => text.parse().map_err(|_| {
            Failure::usage(format!(
                "Error: VAULT_MAX_RETRIES must be a number, found {text:?}"
            ))
        })?,
        None => RETRIES,
    };
    let mut headers = Vec::new();
    if !namespace.is_empty() {
        headers.push(header("X-Vault-Namespace", &format!("{namespace}/"))?);
    }
    if let Some(ttl) = said("wrap-ttl", "WRAP_TTL") {
        headers.push(header("X-Vault-Wrap-TTL", &ttl)?);
    }
    for pair in typed.values("header") {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("-header: {pair:?} must be KEY=VALUE")))?;
        if name.to_ascii_lowercase().starts_with("x-vault-") {
            return Err(Failure::usage(format!(
                "-header: {name:?} belongs to the API and cannot be set"
            )));
        }
        headers.push(header(name, value)?);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("Error: cannot start: {error}")))?;
    let prints_calls = typed.on("output-curl-string");
    let tls = TlsFlags::said(typed, look)?;
    let settings = if endpoint.is_tls() && !prints_calls {
        tls.settings()?
    } else {
        TlsSettings::default()
    };
    Ok(Session {
        endpoint,
        tls,
        settings,
        token: environment::token(look)?,
        namespace,
        headers,
        limit,
        retries,
        prints_calls,
        runtime,
        client: OnceCell::new(),
    })
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let wrong = || {
        Failure::usage(format!(
            "Error: {name:?} cannot be a header with that value"
        ))
    };
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
    Ok((name, value))
}
