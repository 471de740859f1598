//! What a test's node answers to the calls that may fail on a server.

use std::collections::BTreeMap;
use std::time::Duration;

use linchpin_engine::{BoxFuture, Context, PluginEnvironment, SystemView};
use linchpin_model::JsonObject;

use super::Node;
use super::node::Values;
use crate::host::{Entity, Group, HostCalls, HostError, IdentityToken, Wrapped};

/// What a plugin told its server: its type, and its fields.
pub type Told = (String, BTreeMap<String, String>);

/// What stands behind [`HostCalls`].
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    missing: bool,
    entities: BTreeMap<String, Entity>,
    groups: BTreeMap<String, Vec<Group>>,
    wrapping: bool,
    events: Vec<Told>,
    observations: Vec<Told>,
}

impl Node {
    /// Says whether the server has the calls of [`HostCalls`] at all. It has, until this says otherwise.
    pub fn set_host_calls(&self, has_them: bool) {
        self.values().answers.missing = !has_them;
    }

    /// Adds an entity, or replaces the one with its id.
    pub fn set_entity(&self, entity: Entity) {
        let id = entity.id.clone();
        self.values().answers.entities.insert(id, entity);
    }

    /// Sets the names of the groups that an entity is in; each is its id, too.
    pub fn set_groups(&self, entity_id: &str, names: &[&str]) {
        let group = |name: &&str| Group {
            id: (*name).to_owned(),
            name: (*name).to_owned(),
            ..Group::default()
        };
        let groups = names.iter().map(group).collect();
        let id = entity_id.to_owned();
        self.values().answers.groups.insert(id, groups);
    }

    /// Says whether the server wraps data for plugins. Until then it refuses, as OpenBao does.
    pub fn set_wrapping(&self, wraps: bool) {
        self.values().answers.wrapping = wraps;
    }

    /// The events that the plugin has sent, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Told> {
        self.values().answers.events.clone()
    }

    /// The observations that the plugin has recorded, oldest first.
    #[must_use]
    pub fn observations(&self) -> Vec<Told> {
        self.values().answers.observations.clone()
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        answer: impl FnOnce(&mut Values) -> Result<T, HostError> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, HostError>> {
        Box::pin(async move {
            let mut values = self.values();
            if values.answers.missing {
                return Err(HostError::Unsupported);
            }
            answer(&mut values)
        })
    }
}

fn failed<T>(text: &str) -> Result<T, HostError> {
    Err(HostError::Failed(text.to_owned()))
}

impl HostCalls for Node {
    fn lease_ttls<'a>(
        &'a self,
        _: &'a Context,
    ) -> BoxFuture<'a, Result<(Duration, Duration), HostError>> {
        self.answer(|values| Ok((values.default_lease_ttl, values.max_lease_ttl)))
    }

    fn environment<'a>(
        &'a self,
        _: &'a Context,
    ) -> BoxFuture<'a, Result<PluginEnvironment, HostError>> {
        let environment = self.plugin_environment();
        self.answer(|_| Ok(environment))
    }

    fn entity<'a>(
        &'a self,
        _: &'a Context,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entity>, HostError>> {
        self.answer(move |values| Ok(values.answers.entities.get(id).cloned()))
    }

    fn groups<'a>(
        &'a self,
        _: &'a Context,
        entity_id: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Group>, HostError>> {
        self.answer(move |values| {
            let groups = values.answers.groups.get(entity_id).cloned();
            Ok(groups.unwrap_or_default())
        })
    }

    fn generate_password<'a>(
        &'a self,
        _: &'a Context,
        policy: &'a str,
    ) -> BoxFuture<'a, Result<String, HostError>> {
        self.answer(move |values| match &values.password {
            _ if policy.is_empty() => failed("no password policy specified"),
            Some(password) => Ok(password.clone()),
            None => failed("failed to generate password"),
        })
    }

    fn wrap<'a>(
        &'a self,
        _: &'a Context,
        _: &'a JsonObject,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Wrapped, HostError>> {
        self.answer(move |values| {
            if !values.answers.wrapping {
                return failed("no namespace");
            }
            Ok(Wrapped {
                token: format!("s.{}", linchpin_goplugin::guest::random::base62(24)),
                accessor: linchpin_goplugin::guest::random::base62(24),
                ttl,
            })
        })
    }

    /// No server but Vault Enterprise has it, and this is none.
    fn identity_token<'a>(
        &'a self,
        _: &'a Context,
        _: &'a str,
        _: Duration,
    ) -> BoxFuture<'a, Result<IdentityToken, HostError>> {
        self.answer(|_| Err(HostError::Unsupported))
    }

    fn send_event<'a>(
        &'a self,
        _: &'a Context,
        event_type: &'a str,
        metadata: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<(), HostError>> {
        self.answer(move |values| {
            let told = (event_type.to_owned(), metadata.clone());
            values.answers.events.push(told);
            Ok(())
        })
    }

    fn record_observation<'a>(
        &'a self,
        _: &'a Context,
        observation_type: &'a str,
        data: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<(), HostError>> {
        self.answer(move |values| {
            let told = (observation_type.to_owned(), data.clone());
            values.answers.observations.push(told);
            Ok(())
        })
    }
}
