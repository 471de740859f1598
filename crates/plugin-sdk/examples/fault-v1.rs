//! The fault plugin as version v1.0.0: a secrets engine that does what a test tells it to, and fails where a test wants it to.
//!
//! `fault-v2` is the same as v1.1.0, so that there are two files with two digests.
//!
//! | path | operations | what it does |
//! |---|---|---|
//! | `info` | read | pid, instance number, version, a random name of the instance (`uuid`) |
//! | `memory` | read, write | a value in the instance's memory |
//! | `kv/<name>` | read, write, delete, list | a value in storage |
//! | `config` | read, write | the value that is in effect: what Setup read from storage, or what was written or invalidated since |
//! | `sleep/<time>` | read | waits (`400ms`, `3`, `0.5`), until the request is given up; then says who answered |
//! | `exit` | read, write | ends the process inside the request, with status 7 |
//! | `panic` | read, write | panics inside the request |
//! | `echo` | read, write | answers the data that was sent |
//! | `request` | read, write | what the server sent: data, token hash, accessor, mount, headers, connection |
//! | `background` | write | starts to write the key `bg` every 10 ms |
//! | `raw` | read | a raw response |
//! | `error/<type>` | read | an error: a name such as `permission-denied`, `coded-418`, `text` |
//!
//! Switches, each an environment variable of the catalog entry:
//!
//! | variable | value | what happens |
//! |---|---|---|
//! | `FAULT_VERSION` | a version, or `none` | reported in place of the binary's own; `none` reports none |
//! | `FAULT_REPORTS` | a version | the same, but a fault: only when the faults are on |
//! | `FAULT_MULTIPLEX` | `0`, `off` | one process a mount |
//! | `FAULT_TYPE` | `auth` | an auth method in place of a secrets engine |
//! | `FAULT_IF` | a file | while there is no such file when the process starts, none of the switches below does anything |
//! | `FAULT_START` | `exit`, `hang` | status 3 with a line on stderr, or silence, in place of the handshake |
//! | | `exit-0`, `garbage`, `long-line`, `old-protocol`, `stop` | status 0; another line; a MiB without a line's end; protocol 3; SIGSTOP |
//! | `FAULT_EXIT` | `at-start` | as `FAULT_START=exit` |
//! | `FAULT_HANG` | `before-handshake`, `setup`, `init`, `cleanup` | never returns from there |
//! | `FAULT_SETUP` | `fail`, `wait`, `exit` | Setup answers an error, or reads `config` and then waits two seconds, or ends the process |
//! | `FAULT_SETUP_WAIT_MS` | milliseconds | Setup reads `config` and then waits so long |
//! | `FAULT_INIT` | `fail`, `write-fail`, `write-three-then-fail`, `exit` | Initialize answers an error, at once or after three writes; or the process ends 50 ms after it |
//! | `FAULT_INIT_WAIT_MS` | milliseconds | Initialize waits so long |
//! | `FAULT_PORT` | a port | Setup listens on it at 127.0.0.1, or fails |
//! | `FAULT_BACKGROUND` | milliseconds | from Initialize on, writes `kv/background` so often: pid, instance, counter |
//! | `FAULT_SHUTDOWN` | `ignore` | goes on after Shutdown |
//! | `FAULT_IGNORE_SHUTDOWN` | `1` | the same |
//! | `FAULT_CLEANUP` | `exit` | ends the process in Cleanup |
//! | `FAULT_STDERR` | a number | prints so many lines to stderr at each Setup |
//! | `FAULT_STDERR_LINE` | a number | prints one line of so many bytes to stderr at each Setup |
//! | `FAULT_EXIT_ON_REQUEST` | `1` | ends the process at every request |
//! | `FAULT_REQUEST` | `panic`, `hang`, `stop` | `info` panics, never answers, or stops the process by SIGSTOP |
//! | | `end-broker` | `info` ends the broker stream and then answers |
//! | `FAULT_BROKER` | `closed` | ends the broker stream as soon as it is opened |
//! | `FAULT_STDOUT` | a number | prints so many lines of a KiB to stdout at each Setup |
//! | `FAULT_CHILD` | `left`, `bare` | starts a process in a group of its own that it does not end; a bare one has an empty environment |

mod fault;

fn main() -> std::process::ExitCode {
    fault::main("v1.0.0")
}
