//! `ad-runtime` without its features and alone: in a workspace, others turn features on and bring `std` along, whose functions
//! on floats are then there for a `no_std` crate too.

use std::process::Command;

#[test]
fn the_runtime_needs_no_std_and_no_features() {
    let mut check = Command::new(env!("CARGO"));
    check.args(["check", "--quiet", "--package", "ad-runtime", "--no-default-features"]);
    let output = check.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
