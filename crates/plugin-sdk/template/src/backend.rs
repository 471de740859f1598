//! The backend of one mount: notes, each under its name, that a server keeps encrypted.

use linchpin_plugin_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// What the methods need.
pub struct Notes {
    storage: Storage,
}

/// What is stored, and what is answered.
#[derive(Serialize, Deserialize)]
struct Note {
    text: String,
    #[serde(default)]
    tags: Vec<String>,
}

/// Makes the backend of one mount. A server calls it also without configuration and storage, to learn what the plugin is: nothing here
/// needs them.
pub fn create(setup: &Setup) -> Result<Backend<Notes>, Error> {
    let storage = Storage::of(setup);
    let notes = Notes {
        storage: storage.clone(),
    };
    Backend::secrets("Keeps notes.", storage, notes)
        .path(PathSpec::new("notes/?", "The notes.").list(Notes::list))
        .path(
            PathSpec::new("notes/{name}", "A note.")
                .field("name", FieldType::String, "The name of the note.")
                .field("text", FieldType::String, "What it says.")
                .field("tags", FieldType::CommaStrings, "Words to find it by.")
                .exists(Notes::exists)
                .read(Notes::read)
                .write(Notes::write)
                .delete(Notes::delete),
        )
        .build()
}

fn key(call: &Call) -> String {
    format!("notes/{}", call.fields.text("name"))
}

impl Notes {
    async fn list(&self, ctx: &Context, _: Call) -> Answer {
        reply::keys(self.storage.list(ctx, "notes/").await?)
    }

    async fn exists(&self, ctx: &Context, call: Call) -> Result<bool, Error> {
        Ok(self.storage.get::<Note>(ctx, &key(&call)).await?.is_some())
    }

    async fn read(&self, ctx: &Context, call: Call) -> Answer {
        match self.storage.get::<Note>(ctx, &key(&call)).await? {
            Some(note) => reply::data(&note),
            None => reply::nothing(),
        }
    }

    async fn write(&self, ctx: &Context, call: Call) -> Answer {
        let note: Note = call.fields.decode()?;
        self.storage.put(ctx, &key(&call), &note).await?;
        reply::nothing()
    }

    async fn delete(&self, ctx: &Context, call: Call) -> Answer {
        self.storage.delete(ctx, &key(&call)).await?;
        reply::nothing()
    }
}
