//! A small plugin that has everything a real one has: configuration, roles, credentials with a lease, a write-ahead log, periodic work.
//!
//! It lets guests into a house. `template/` beside this folder is the same in one third of the size, to be copied.
//!
//! | path | operations | what it is |
//! |---|---|---|
//! | `config` | read, write, delete | how the house greets |
//! | `roles/<name>` | read, write, delete, list | for how long a guest of that kind may stay |
//! | `creds/<role>` | read | a new guest with a key: leased, renewed, revoked |
//! | `guests` | list | who is in the house |
//! | `card/<name>` | read | a greeting as plain text |
//! | `status` | read | what the periodic work has counted |

mod backend;
mod house;

use linchpin_plugin_sdk::prelude::*;

fn main() -> std::process::ExitCode {
    serve(Options::new(version!()), |setup| async move {
        backend::create(&setup)
    })
}
