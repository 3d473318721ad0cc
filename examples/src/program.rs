//! What surrounds a program: what its command line may say, how it ends, and where its data lies. Reading that is in
//! [`crate::dataset`].

use pico_args::Arguments;
use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use thiserror::Error;

/// Why a command line is refused.
#[derive(Debug, Error)]
pub enum UsageError {
    /// An option without its value, or with one that cannot be read.
    #[error("{0}\n(--help says what can be asked for)")]
    Arguments(#[from] pico_args::Error),
    /// Something that no option takes.
    #[error("\"{0}\" is not expected\n(--help says what can be asked for)")]
    Stray(String),
    /// A value that an option cannot work with.
    #[error("{option} needs {wanted}, and {value} is none")]
    Unfit {
        /// The option.
        option: &'static str,
        /// What it takes.
        wanted: String,
        /// What it was given.
        value: String,
    },
}

impl UsageError {
    /// A value that an option cannot work with.
    pub fn unfit(option: &'static str, wanted: impl Into<String>, value: impl Display) -> UsageError {
        UsageError::Unfit { option, wanted: wanted.into(), value: value.to_string() }
    }
}

/// The value of an option that takes a positive number.
pub fn positive(arguments: &mut Arguments, option: &'static str, default: f64) -> Result<f64, UsageError> {
    let value: f64 = arguments.opt_value_from_str(option)?.unwrap_or(default);
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(UsageError::unfit(option, "a positive number", value))
    }
}

/// The file that is left of a command line when its options are read; `default` without one.
pub fn file(arguments: Arguments, default: PathBuf) -> Result<PathBuf, UsageError> {
    match arguments.finish().as_slice() {
        [] => Ok(default),
        [file] if !file.to_string_lossy().starts_with('-') => Ok(file.into()),
        [.., stray] => Err(UsageError::Stray(stray.to_string_lossy().into_owned())),
    }
}

/// That nothing is left of a command line when its options are read.
pub fn nothing_else(arguments: Arguments) -> Result<(), UsageError> {
    match arguments.finish().first() {
        Some(stray) => Err(UsageError::Stray(stray.to_string_lossy().into_owned())),
        None => Ok(()),
    }
}

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
