//! The flags of mounts, and the bodies of enabling and tuning that are made of them.

use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::Flag;
use crate::tree::Tree;

/// Flags of enabling and tuning alike.
pub(in crate::commands) const SHARED: [Flag; 10] = [
    Flag::value("description", "TEXT", "What it is for, for people."),
    Flag::value(
        "default-lease-ttl",
        "DURATION",
        "Default time to live of leases.",
    ),
    Flag::value(
        "max-lease-ttl",
        "DURATION",
        "Longest time to live of leases.",
    ),
    Flag::value(
        "options",
        "KEY=VALUE",
        "An option of the engine. May be given several times.",
    ),
    Flag::value(
        "plugin-version",
        "VERSION",
        "The version of the plugin to run.",
    ),
    Flag::value(
        "listing-visibility",
        "WORD",
        "Whether the mount is listed to those without a token: unauth or hidden.",
    ),
    Flag::value(
        "audit-non-hmac-request-keys",
        "KEY",
        "A request key that audit logs show as it is. May be given several times.",
    ),
    Flag::value(
        "audit-non-hmac-response-keys",
        "KEY",
        "A response key that audit logs show as it is. May be given several times.",
    ),
    Flag::value(
        "passthrough-request-headers",
        "NAME",
        "A request header that the plugin sees. May be given several times.",
    ),
    Flag::value(
        "allowed-response-headers",
        "NAME",
        "A response header that the plugin may set. May be given several times.",
    ),
];

/// Flags of enabling alone.
pub(in crate::commands) const ENABLING: [Flag; 6] = [
    Flag::value(
        "path",
        "PATH",
        "Where to mount it. The default is its type.",
    ),
    Flag::value(
        "plugin-name",
        "NAME",
        "The plugin's name, where TYPE is `plugin`.",
    ),
    Flag::switch("local", "Not replicated to other clusters."),
    Flag::switch("seal-wrap", "Wrap critical values with the seal."),
    Flag::switch(
        "external-entropy-access",
        "Allow the external source of entropy.",
    ),
    Flag::switch("force-no-cache", "Do not cache its reads."),
];

/// Concatenates two lists of flags, for a static table.
pub(in crate::commands) const fn joined<const A: usize, const B: usize, const N: usize>(
    first: [Flag; A],
    second: [Flag; B],
) -> [Flag; N] {
    assert!(A + B == N);
    let mut all = [Flag::switch("", ""); N];
    let mut i = 0;
    while i < N {
        #[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
        {
            all[i] = if i < A { first[i] } else { second[i - A] };
        }
        i += 1;
    }
    all
}

/// Members of a mount's configuration and the flags that set them.
const LISTS: [&str; 4] = [
    "audit-non-hmac-request-keys",
    "audit-non-hmac-response-keys",
    "passthrough-request-headers",
    "allowed-response-headers",
];

/// The members of a mount's configuration that were typed.
fn config(call: &Call<'_, '_>) -> Result<Vec<(String, Tree)>, Failure> {
    let typed = &call.typed;
    let mut config = Vec::new();
    let mut add = |flag: &str, value: Tree| config.push((flag.replace('-', "_"), value));
    for flag in ["default-lease-ttl", "max-lease-ttl"] {
        if let Some(ttl) = typed.value(flag) {
            linchpin_model::duration::parse(ttl).map_err(|error| {
                Failure::usage(format!("invalid value {ttl:?} for flag -{flag}: {error}"))
            })?;
            add(flag, Tree::text_of(ttl));
        }
    }
    for flag in ["plugin-version", "listing-visibility", "token-type"] {
        if let Some(value) = typed.value(flag) {
            add(flag, Tree::text_of(value));
        }
    }
    for flag in LISTS {
        let values: Vec<&str> = typed.values(flag).collect();
        if !values.is_empty() {
            add(flag, Tree::texts(values));
        }
    }
    Ok(config)
}

/// `-options` and `-version` as one object.
fn options(call: &Call<'_, '_>) -> Result<Option<Tree>, Failure> {
    let mut options = Vec::new();
    for pair in call.typed.values("options") {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Failure::usage(format!(
                "invalid value {pair:?} for flag -options: missing = in KV pair: {pair:?}"
            ))
        })?;
        options.push((key, Tree::text_of(value)));
    }
    if let Some(version) = call.typed.value("version") {
        options.push(("version", Tree::text_of(version)));
    }
    Ok((!options.is_empty()).then(|| Tree::map(options)))
}

/// The body of enabling a mount of `kind`.
pub(super) fn enabling(call: &Call<'_, '_>, kind: &str) -> Result<Tree, Failure> {
    let typed = &call.typed;
    let mut config = config(call)?;
    if typed.on("force-no-cache") {
        config.push(("force_no_cache".to_owned(), true.into()));
    }
    let mut body = vec![
        ("type".to_owned(), Tree::text_of(kind)),
        (
            "description".to_owned(),
            Tree::text_of(typed.value("description").unwrap_or_default()),
        ),
        ("config".to_owned(), Tree::Map(config)),
    ];
    for flag in ["local", "seal-wrap", "external-entropy-access"] {
        body.push((flag.replace('-', "_"), typed.on(flag).into()));
    }
    if let Some(options) = options(call)? {
        body.push(("options".to_owned(), options));
    }
    Ok(Tree::Map(body))
}

/// The body of tuning a mount.
pub(super) fn tuning(call: &Call<'_, '_>) -> Result<Tree, Failure> {
    let mut body = config(call)?;
    if let Some(description) = call.typed.value("description") {
        body.push(("description".to_owned(), Tree::text_of(description)));
    }
    if let Some(options) = options(call)? {
        body.push(("options".to_owned(), options));
    }
    if call.typed.on("reload") {
        body.push(("reload".to_owned(), true.into()));
    }
    Ok(Tree::Map(body))
}
