//! Tells the crate whether it is built without optimisation: then `#[differentiable]` writes code that compiles fast.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(unoptimized)");
    // Of this crate, as the user's profile has it; a macro only ever sees how it is built itself.
    if std::env::var("OPT_LEVEL").is_ok_and(|level| level == "0") {
        println!("cargo::rustc-cfg=unoptimized");
    }
}
