//! Gradients and Hessian-vector products of the suite, as ratios measured in one run: `cargo bench -p ad-tests --bench suite`.
//!
//! ```text
//! cargo bench -p ad-tests --bench suite -- [WORD..] [--rounds N] [--instructions]
//! ```
//!
//! Words select the cases whose names contain one of them. `--rounds` (default 25) is how often each thing is timed, in turns;
//! `--instructions` counts instructions with callgrind instead (needs `valgrind`). On a shared machine, pin the run to a core:
//! `taskset -c 1 cargo bench ..`. The plot is written to `suite.svg` in the target folder.

#[allow(dead_code)] // linearised operators have a benchmark of their own
mod functions;
mod instructions;
mod interleaved;
mod plot;
mod table;
mod timing;

use functions::CASES;
use std::process::ExitCode;

/// What the command line asks for.
struct Arguments {
    words: Vec<String>,
    rounds: usize,
    instructions: bool,
}

impl Arguments {
    fn parse(from: &[String]) -> Result<Self, String> {
        let mut arguments = Arguments { words: Vec::new(), rounds: 25, instructions: false };
        let mut from = from.iter();
        while let Some(argument) = from.next() {
            match argument.as_str() {
                "--bench" => {} // Cargo says so.
                "--instructions" => arguments.instructions = true,
                "--rounds" => {
                    let number = from.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
                    arguments.rounds = number.ok_or("--rounds takes a number above zero")?;
                }
                word if word.starts_with('-') => {
                    return Err(format!("unknown argument {word}; there are --rounds N and --instructions"));
                }
                word => arguments.words.push(word.to_string()),
            }
        }
        Ok(arguments)
    }

    /// The numbers of the cases that are chosen.
    fn chosen(&self) -> Result<Vec<usize>, String> {
        let wanted =
            |name: &str| self.words.is_empty() || self.words.iter().any(|w| name.contains(w.as_str()));
        let chosen: Vec<usize> = (0..CASES.len()).filter(|&i| wanted(CASES[i].0)).collect();
        if chosen.is_empty() {
            let names: Vec<&str> = CASES.iter().map(|(name, _)| *name).collect();
            return Err(format!("no case of that name; there are: {}", names.join("; ")));
        }
        Ok(chosen)
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    if let [word, case, kind] = arguments
        && word == instructions::ONCE
    {
        let number = |word: &String| word.parse().map_err(|_| format!("not a number: {word}"));
        instructions::once(number(case)?, number(kind)?);
        return Ok(());
    }
    let arguments = Arguments::parse(arguments)?;
    let chosen = arguments.chosen()?;
    if arguments.instructions {
        return instructions::print(&chosen);
    }
    let rows = timing::print(&chosen, arguments.rounds);
    let path = plot::write(&rows)?;
    println!("Plot: {}", path.display());
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
