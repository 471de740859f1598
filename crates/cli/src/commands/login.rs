//! `login`: a token is checked and stored in `~/.vault-token`, where this and Vault's command lines find it. Other auth methods
//! than the token itself are not there yet.

use super::{Entry, FIELD, FORMAT, HTTP};
use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::{Command, Flag};
use crate::print::Format;
use crate::session::{Answer, Ask};
use crate::tree::Tree;

pub(crate) const ENTRIES: &[Entry] = &[Entry {
    command: Command {
        name: "login",
        arguments: "[TOKEN]",
        synopsis: "Store the token for the commands that follow",
        about: "Checks a token with the server and stores it in ~/.vault-token, readable by its owner alone; the command lines of\n\
                Vault and OpenBao read the same file. Without TOKEN it is asked for on the terminal, and not shown; where there is\n\
                no terminal, or TOKEN is -, it is read from standard input. A TOKEN on the command line is seen by others and\n\
                kept in the shell's history. VAULT_TOKEN, where it is set, wins over what is stored.",
        examples: &[
            ("Ask for the token:", "login"),
            ("Read it from a file:", "login - < token"),
        ],
        flags: &[
            Flag::value(
                "method",
                "TYPE",
                "The auth method. There is only token, which is the default.",
            ),
            Flag::switch("no-store", "Check the token, but do not store it."),
            Flag::switch("no-print", "Do not print the token and what it may do."),
            Flag::switch("token-only", "Print the token alone, and do not store it."),
        ],
        groups: &[&FORMAT, &FIELD, &HTTP],
    },
    run: login,
}];

fn login(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    if let Some(method) = call.typed.value("method").filter(|name| *name != "token") {
        return Err(Failure::usage(format!(
            "Error: {method:?} is an auth method that this command does not have yet: log in with the command line of Vault or \
             OpenBao, which stores the token where this one finds it"
        )));
    }
    let token = token(call)?;
    call.act_as(&token);
    let known = check(call)?;
    if call.typed.on("token-only") {
        return call.say(&token);
    }
    let is_stored = !call.typed.on("no-store");
    if is_stored {
        call.store_token(&token)?;
    }
    if call.typed.on("no-print") {
        return Ok(());
    }
    let plain = call.format == Format::Table && call.typed.value("field").is_none();
    if plain {
        call.say(if is_stored {
            "Success! You are now authenticated. The token is stored, and the commands that\n\
             follow use it: you do NOT need to run \"linchpin login\" again.\n"
        } else {
            "Success! The token is good. It was not stored: set VAULT_TOKEN to it for the\n\
             commands that are to use it.\n"
        })?;
    }
    match known {
        Some(known) => call.show_secret(&authenticated(&token, &known)),
        None if plain => Ok(()),
        None => call.show_secret(&authenticated(&token, &Tree::Null)),
    }
}

/// The token, from wherever it comes.
fn token(call: &mut Call<'_, '_>) -> Result<String, Failure> {
    let typed = call.typed.argument(0).to_owned();
    let given = match typed.as_str() {
        "" => match call.ask_hidden("Token (will be hidden): ") {
            Some(answer) => answer,
            None => call.read_input(),
        },
        "-" => call.read_input(),
        // As Vault's client takes it too.
        typed => Ok(typed.strip_prefix("token=").unwrap_or(typed).to_owned()),
    };
    let given =
        given.map_err(|error| Failure::usage(format!("Error reading the token: {error}")))?;
    let token = given.trim();
    if token.is_empty() {
        return Err(Failure::usage(
            "Error: there is no token: give it as an argument, on the terminal or on standard input",
        ));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::usage(
            "Error: that is no token: it holds characters that no token has",
        ));
    }
    Ok(token.to_owned())
}

/// What the server knows of the token; nothing where it cannot look tokens up but takes this one.
fn check(call: &Call<'_, '_>) -> Result<Option<Tree>, Failure> {
    let what = "Error authenticating: error looking up token";
    match call.ask(&Ask::get("auth/token/lookup-self")) {
        Ok(answer) => Ok(Some(answer.data().clone())),
        Err(error) if error.status() == Some(404) => match call.ask(&Ask::get("sys/mounts")) {
            Ok(_) => Ok(None),
            Err(error) => Err(error.during(what)),
        },
        Err(error) => Err(error.during(what)),
    }
}

/// The answer of a login, as an auth method would give it.
fn authenticated(token: &str, known: &Tree) -> Answer {
    let policies = |name: &str| match known.get(name) {
        Tree::Null => Tree::List(Vec::new()),
        policies => policies.clone(),
    };
    let of_token = policies("policies");
    let of_identity = policies("identity_policies");
    let all: Vec<Tree> = [&of_token, &of_identity]
        .into_iter()
        .flat_map(Tree::elements)
        .cloned()
        .collect();
    let auth = Tree::map([
        ("client_token", Tree::text_of(token)),
        ("accessor", known.get("accessor").clone()),
        ("policies", Tree::List(all)),
        ("token_policies", of_token),
        ("identity_policies", of_identity),
        ("metadata", known.get("meta").clone()),
        ("orphan", known.get("orphan").clone()),
        ("entity_id", known.get("entity_id").clone()),
        ("lease_duration", known.get("ttl").clone()),
        ("renewable", known.get("renewable").is_true().into()),
    ]);
    Answer {
        body: Tree::map([("auth", auth)]),
        raw: Vec::new(),
    }
}
