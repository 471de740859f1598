//! A generation that has ended is started again from what it was made of.

use crate::scratch::is_gone;
use crate::world::{World, example};
use linchpin_engine::{Captured, Joining, PluginSource};
use linchpin_model::{Execution, PluginEntry};

fn reload(own: u64, call: &str) -> Joining {
    Joining::NewerThan {
        generation: Some(own),
        call: call.into(),
    }
}

/// A mount of the entry that has ended again, and what its generation was made from.
async fn ended(world: &World, entry: PluginEntry) -> Captured {
    let made = world.prepare(entry, "a", Joining::Newest).await.unwrap();
    made.backend.initialize(&world.ctx).await.unwrap();
    let pid = world.pid(&made.backend).await;
    made.backend.cleanup(&world.ctx).await;
    assert!(is_gone(pid));
    made.captured.expect("an external plugin is captured")
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_bytes_start_again_when_the_file_is_another_or_gone() {
    let world = World::new(|_| {});
    for (own, name, replaced) in [(1, "one", true), (4, "two", false)] {
        let entry = PluginEntry {
            env: vec!["FAULT_VERSION=none".to_owned()],
            ..world.other(name, example("fault"))
        };
        let captured = ended(&world, entry.clone()).await;
        let file = world.scratch.plugins().join(name);
        std::fs::remove_file(&file).unwrap();
        if replaced {
            world.scratch.write(name, "another plugin");
        }
        let refused = world.prepare(entry, "a", reload(own, "call")).await;
        assert!(refused.is_err(), "the file is not what it was");

        // The failure of that call is not the failure of this start, although the entries are equal.
        let source = PluginSource::Captured(captured.clone());
        let again = world.prepare_from(source.clone(), "a", reload(own, "call"));
        let again = again.await.unwrap();
        again.backend.initialize(&world.ctx).await.unwrap();
        let pid = world.pid(&again.backend).await;
        assert_eq!(again.running.generation, Some(own + 2));
        assert_eq!(again.captured.as_ref(), Some(&captured));

        // The second mount of the same call joins it.
        let second = world.prepare_from(source, "b", reload(own, "call")).await;
        let second = second.unwrap();
        second.backend.initialize(&world.ctx).await.unwrap();
        assert_eq!(second.running.generation, Some(own + 2));
        assert_eq!(world.pid(&second.backend).await, pid);
        for backend in [again.backend, second.backend] {
            backend.cleanup(&world.ctx).await;
        }
        assert_eq!(world.directories(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sealed_is_hashed_again() {
    let world = World::new(|_| {});
    for (name, execution) in [
        ("descriptor", Execution::Descriptor),
        ("path", Execution::Path),
    ] {
        let entry = PluginEntry {
            execution: Some(execution),
            ..world.other(name, example("fault"))
        };
        let captured = ended(&world, entry).await;
        let source = PluginSource::Captured(captured);
        let again = world.prepare_from(source.clone(), "a", reload(0, "good"));
        again.await.unwrap().backend.cleanup(&world.ctx).await;

        world.scratch.write(name, "another plugin");
        let refused = world.prepare_from(source, "a", reload(0, "bad")).await;
        let text = refused.err().unwrap().to_string();
        assert!(text.contains("checksums did not match"), "{text}");
        assert_eq!(world.directories(), 0);
    }
}
