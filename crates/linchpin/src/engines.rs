//! Where the core's engines come from: the built-in ones from `builtins`, all others from the plugin host.

use linchpin_builtins as builtins;
use linchpin_catalog::Builtin;
use linchpin_engine::{
    BackendFactory, BoxFuture, Context, Error, PluginSource, Prepare, Prepared, Running,
};
use linchpin_model::{BUILTIN_VERSION, PluginVersion, VersionError};
use linchpin_plugin_host::PluginHost;

/// Both kinds of engines.
pub(crate) struct Engines {
    plugins: PluginHost,
}

impl Engines {
    /// The built-in engines, and what `plugins` runs.
    pub(crate) fn new(plugins: PluginHost) -> Self {
        Self { plugins }
    }
}

/// What the catalog shows of the built-in engines.
///
/// # Errors
/// This build's version is none.
pub(crate) fn listed() -> Result<Vec<Builtin>, VersionError> {
    let version: PluginVersion = BUILTIN_VERSION.parse()?;
    let entry = |engine: builtins::Builtin| Builtin {
        plugin_type: engine.plugin_type,
        name: engine.name.to_owned(),
        version: version.clone(),
        deprecation: Some(engine.deprecation),
    };
    Ok(builtins::ALL.map(entry).to_vec())
}

impl BackendFactory for Engines {
    fn prepare<'a>(
        &'a self,
        ctx: &'a Context,
        prepare: Prepare,
    ) -> BoxFuture<'a, Result<Prepared, Error>> {
        let PluginSource::Builtin(name) = &prepare.source else {
            return self.plugins.prepare(ctx, prepare);
        };
        let made = builtins::make(name, &prepare.mount, prepare.storage, prepare.system);
        let outcome = match made {
            Some(backend) => backend.map(|backend| Prepared {
                backend,
                running: Running {
                    version: BUILTIN_VERSION.to_owned(),
                    sha256: None,
                    generation: None,
                },
                captured: None,
            }),
            None => Err(Error::internal(format!("no built-in engine {name:?}"))),
        };
        Box::pin(std::future::ready(outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_lists_every_built_in_engine_as_one() {
        let listed = listed().unwrap();
        let names: Vec<&str> = listed.iter().map(|b| b.name.as_str()).collect();
        assert_eq!(names, builtins::names().collect::<Vec<_>>());
        assert!(listed.iter().all(|b| b.version.is_builtin()));
    }
}
