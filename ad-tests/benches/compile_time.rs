//! What annotated functions cost a build: `cargo bench -p ad-tests --bench compile_time`.
//!
//! Writes crates with 1, 10 and 100 functions of 30 lines into the target folder, plain and annotated, and builds each anew (its
//! dependencies are built before) in debug mode. The macro's own time is what rustc says of the expansion of macros
//! (`-Z time-passes`, which a stable compiler answers when `RUSTC_BOOTSTRAP` is set; nothing else is measured with it), with the
//! macro as Cargo builds it by default in debug mode (unoptimised, with assertions), and optimised, as the book recommends; and in
//! release mode, where the macro writes code that runs fast. Takes the least of several builds: `-- --rounds N` (default 3).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// Functions a crate.
const SIZES: [usize; 3] = [1, 10, 100];

/// Functions of five kinds, 30 lines with the attribute: its arguments, and what stands behind the name. `#` stands for a constant
/// that differs from function to function.
const BODIES: [(&str, &str); 5] = [
    // A reduction of reductions.
    (
        "(wrt(w))",
        "(w: &[f64], features: &[f64], labels: &[f64]) -> f64 {
    let n = w.len();
    let m = labels.len();
    let mut loss = 0.0;
    let mut right = 0.0;
    for i in 0..m {
        let mut z = #;
        for j in 0..n {
            z += features[i * n + j] * w[j];
        }
        let margin = labels[i] * z;
        if margin > 0.0 {
            loss += (-margin).exp().ln_1p();
            right += 1.0;
        } else {
            loss += margin.exp().ln_1p() - margin;
        }
    }
    let mut square = 0.0;
    let mut quartic = 0.0;
    for j in 0..n {
        let s = w[j] * w[j];
        square += s;
        quartic += s * s;
    }
    let penalty = 0.5 * # * square + 0.01 * quartic;
    let scale = 1.0 / m as f64;
    loss * scale + penalty + 0.0 * right
}",
    ),
    // A hidden layer in a vector.
    (
        "(wrt(p))",
        "(p: &[f64], xs: &[f64], ys: &[f64]) -> f64 {
    let nh = 8;
    let ni = xs.len() / ys.len();
    let (weights, rest) = p.split_at(nh * ni);
    let biases = &rest[..nh];
    let out = &p[nh * ni + nh..];
    let mut h = vec![0.0; nh];
    let mut loss = 0.0;
    for b in 0..ys.len() {
        for i in 0..nh {
            let mut a = biases[i] + #;
            for j in 0..ni {
                a += weights[i * ni + j] * xs[b * ni + j];
            }
            h[i] = a.tanh();
        }
        let mut y = out[nh];
        for i in 0..nh {
            y += out[i] * h[i];
        }
        let size = (y - ys[b]).abs();
        if size < # {
            loss += 0.5 * size * size;
        } else {
            loss += # * (size - 0.5 * #);
        }
    }
    loss
}",
    ),
    // A carried state.
    (
        "(wrt(p))",
        "(p: &[f64], observations: &[f64], dt: &[f64]) -> f64 {
    let phi = p[0];
    let q = p[1].exp();
    let r = p[2].exp();
    let damping = p[3];
    let mut mean = p[4];
    let mut slope = p[5];
    let mut variance = #;
    let mut value = 0.0;
    for i in 0..observations.len() {
        let h = dt[i];
        let force = -(mean * #).sin() - damping * slope;
        let half = slope + 0.5 * h * force;
        let middle = mean + 0.5 * h * half;
        let turned = -(middle * #).sin() - damping * half;
        slope += h * turned;
        mean = phi * (mean + h * half);
        variance = phi * phi * variance + q;
        let s = variance + r;
        let e = observations[i] - mean;
        let ratio = e * e / s;
        value += 0.5 * (s.ln() + ratio);
        let gain = variance / s;
        mean += gain * e;
        variance *= 1.0 - gain;
    }
    let prior = phi * phi + damping * damping;
    value + 0.5 * # * prior
}",
    ),
    // Straight-line code.
    (
        "",
        "(x: &[f64], y: &[f64], z: &[f64]) -> f64 {
    let (a, b, c) = (x[0], x[1], x[2]);
    let (u, v, w) = (y[0], y[1], y[2]);
    let t = a * a + b * b + c * c + #;
    let theta = t.sqrt();
    let (sin, cos) = theta.sin_cos();
    let ka = a / theta;
    let kb = b / theta;
    let kc = c / theta;
    let along = (ka * u + kb * v + kc * w) * (1.0 - cos);
    let rx = u * cos + (kb * w - kc * v) * sin + ka * along;
    let ry = v * cos + (kc * u - ka * w) * sin + kb * along;
    let rz = w * cos + (ka * v - kb * u) * sin + kc * along;
    let qx = rx + z[0];
    let qy = ry + z[1];
    let qz = rz + z[2] + 5.0;
    let (px, py) = (-qx / qz, -qy / qz);
    let r2 = px * px + py * py;
    let zoom = 1.0 + # * r2 + 0.1 * r2 * r2;
    let ex = zoom * px - 0.25;
    let ey = zoom * py + 0.5;
    let square = ex * ex + ey * ey;
    let robust = if square > 1.0 {
        2.0 * square.sqrt() - 1.0
    } else {
        square
    };
    0.5 * robust + (a * b * c).exp() * #
}",
    ),
    // Iterator chains, a stencil and a softmax.
    (
        "",
        "(x: &[f64], y: &[f64], z: &[f64]) -> f64 {
    let bends: f64 = x
        .windows(3)
        .map(|w| (w[0] - 2.0 * w[1] + w[2]).powi(2))
        .sum();
    let steps: f64 = x
        .windows(2)
        .map(|w| (1.0 + (w[1] - w[0]).powi(2)).sqrt())
        .sum();
    let fit: f64 = x.iter().zip(y)
        .map(|(a, b)| (a - b) * (a - b))
        .sum();
    let mut largest = x[0];
    for &v in x {
        if v > largest {
            largest = v;
        }
    }
    let total: f64 = x
        .iter()
        .map(|v| (v - largest).exp())
        .sum();
    let entropy = largest + total.ln();
    let mut inner = 0.0;
    for (v, w) in x.iter().zip(z) {
        inner += (v * w * #).tanh();
    }
    # * bends + steps + fit + entropy + inner
}",
    ),
];

/// The source of a crate with `count` functions.
fn source(count: usize, annotated: bool) -> String {
    let mut text = String::from("#![allow(clippy::all)]\n");
    if annotated {
        text += "use ad_runtime::differentiable;\n";
    }
    for i in 0..count {
        let (arguments, body) = BODIES[i % BODIES.len()];
        if annotated {
            let _ = write!(text, "\n#[differentiable{arguments}]");
        }
        let body = body.replace('#', &format!("{:.3}", 0.5 + 0.001 * i as f64));
        let _ = write!(text, "\npub fn function_{i}{body}\n");
    }
    text
}

/// How the macro is built: the folder for it, which keeps dependencies, and Cargo's options.
#[derive(Clone, Copy)]
struct Mode {
    folder: &'static str,
    options: &'static [&'static str],
}

const DEFAULT: Mode = Mode { folder: "default", options: &[] };
const OPTIMISED: Mode =
    Mode { folder: "optimised", options: &["--config=profile.dev.build-override.opt-level=2"] };
const RELEASE: Mode = Mode {
    folder: "release",
    options: &["--release", "--config=profile.release.build-override.opt-level=2"],
};

/// A crate to build.
struct Package {
    name: String,
    folder: PathBuf,
    target: PathBuf,
}

impl Package {
    /// Writes it; all packages share target folders, so that their dependencies are built once for each mode.
    fn write(root: &Path, project: &Path, count: usize, annotated: bool) -> Result<Self, String> {
        let name = format!("{}-{count}", if annotated { "annotated" } else { "plain" });
        let folder = root.join(&name);
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             ad-runtime = {{ path = '{}' }}\n\n[workspace]\n",
            project.join("ad-runtime").display()
        );
        let write = |path: &Path, text: &str| {
            std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
        };
        std::fs::create_dir_all(folder.join("src")).map_err(|e| format!("{}: {e}", folder.display()))?;
        write(&folder.join("Cargo.toml"), &manifest)?;
        write(&folder.join("src/lib.rs"), &source(count, annotated))?;
        // The same versions as here, so that nothing is downloaded.
        let lock = std::fs::read_to_string(project.join("Cargo.lock")).map_err(|e| e.to_string())?;
        write(&folder.join("Cargo.lock"), &lock)?;
        Ok(Package { name, folder, target: root.join("target") })
    }

    /// Runs Cargo in it and returns what it prints.
    fn cargo(&self, mode: Mode, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string()));
        command.args(words).current_dir(&self.folder).env_remove("RUSTFLAGS");
        // Users do not check passes as this repository does.
        command.env("AD_VERIFY", "0");
        // A dependency's build depends on the variable: in one folder it would be done again at each change.
        let timed = words.contains(&"-Ztime-passes");
        if timed {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        let folder = format!("{}{}", mode.folder, if timed { "-timed" } else { "" });
        command.env("CARGO_TARGET_DIR", self.target.join(folder));
        let output = command.output().map_err(|e| format!("cargo does not start: {e}"))?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() {
            Ok(format!("{out}{err}"))
        } else {
            Err(format!("cargo {words:?} in {}: {err}", self.folder.display()))
        }
    }

    /// Makes Cargo build the crate, and no dependency, again.
    fn touch(&self) -> Result<(), String> {
        let path = self.folder.join("src/lib.rs");
        let file = std::fs::File::options().append(true).open(&path);
        let touched = file.and_then(|f| f.set_modified(std::time::SystemTime::now()));
        touched.map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Seconds of a clean debug build: what rustc keeps of an earlier one to go on from goes too.
    fn build(&self, mode: Mode) -> Result<f64, String> {
        self.cargo(mode, &["clean", "--offline", "--package", &self.name])?;
        let start = Instant::now();
        self.cargo(mode, &[&["build", "--offline"], mode.options].concat())?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Seconds that rustc spends in the expansion of macros.
    fn expansion(&self, mode: Mode) -> Result<f64, String> {
        self.touch()?;
        let report =
            self.cargo(mode, &[&["rustc", "--offline"], mode.options, &["--", "-Ztime-passes"]].concat())?;
        // "time:   0.123; rss: ...  macro_expand_crate"
        let line = report.lines().rfind(|line| line.ends_with("macro_expand_crate"));
        let time = line.and_then(|line| line.split_once("time:")?.1.split_once(';'));
        let seconds = time.and_then(|(seconds, _)| seconds.trim().parse().ok());
        seconds.ok_or_else(|| "rustc does not tell the time of `macro_expand_crate`".to_string())
    }
}

/// The least of several runs.
fn least(rounds: usize, mut run: impl FnMut() -> Result<f64, String>) -> Result<f64, String> {
    let mut least = f64::INFINITY;
    for _ in 0..rounds {
        least = least.min(run()?);
    }
    Ok(least)
}

fn run(rounds: usize) -> Result<(), String> {
    for (_, body) in BODIES {
        let lines = body.lines().count() + 1; // and the attribute
        assert_eq!(lines, 30, "the functions have 30 lines: {body}");
    }
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let root = this.ancestors().nth(3).ok_or("the program stands outside a target folder")?;
    let root = root.join("compile_time");
    println!("{:18}{:>26}{:>46}", "", "added to a build, s", "expansion, ms a function");
    println!(
        "{:>10}{:>10}{:>12}{:>12}{:>12}{:>14}{:>20}",
        "functions", "plain, s", "default", "optimised", "default", "optimised", "release, optimised"
    );
    for count in SIZES {
        let plain = Package::write(&root, project, count, false)?;
        let annotated = Package::write(&root, project, count, true)?;
        // The first build makes the dependencies.
        plain.build(DEFAULT)?;
        let without = least(rounds, || plain.build(DEFAULT))?;
        print!("{count:>10}{without:>10.2}");
        for mode in [DEFAULT, OPTIMISED] {
            plain.build(mode)?;
            print!("{:>12.2}", least(rounds, || annotated.build(mode))? - without);
        }
        for (mode, width) in [(DEFAULT, 12), (OPTIMISED, 14), (RELEASE, 20)] {
            let seconds = least(rounds, || annotated.expansion(mode))?;
            print!("{:>width$.1}", 1e3 * seconds / count as f64);
        }
        println!();
    }
    println!(
        "\nDebug builds of one crate of functions of 30 lines, its dependencies built before. The macro is built as Cargo does by \
         default,\nor optimised as the book recommends."
    );
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let rounds = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Some(3),
        ["--rounds", number] => number.parse().ok().filter(|n| *n > 0),
        _ => None,
    };
    let Some(rounds) = rounds else {
        eprintln!("error: the only argument is --rounds N");
        return ExitCode::FAILURE;
    };
    match run(rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
