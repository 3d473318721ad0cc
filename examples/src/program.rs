//! What surrounds a program: how it ends, and where its data lies. Reading that is in [`crate::dataset`].

use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// A file that is committed with the examples.
pub fn data(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "data", name].iter().collect()
}

/// Says on stderr why a program failed, if it did.
pub fn conclude<E: Display>(name: &str, outcome: Result<(), E>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{name}: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a text. A reader that closes the pipe early is no failure.
pub fn print(text: &str) -> io::Result<()> {
    match io::Write::write_all(&mut io::stdout(), text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
