//! The public API is the one that was agreed on: a change of it shows in
//! `public-api.txt`, where a reviewer sees it.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Of rustdoc's JSON, as `public-api` reads it.
const FORMAT: u64 = 57;

/// rustdoc with its JSON, which stable Rust has behind a variable. Nothing else is built
/// with it: dependencies would be built anew.
const RUSTDOC: &str = "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n";

fn rustdoc_json() -> PathBuf {
    let test = env::current_exe().expect("a path");
    let target = test.ancestors().nth(3).expect("target/debug/deps");
    // The lints' own: what they built is used again.
    let target = target.join("lint");
    fs::create_dir_all(&target).expect("a folder");
    let rustdoc = target.join("rustdoc-json");
    fs::write(&rustdoc, RUSTDOC).expect("a file");
    fs::set_permissions(&rustdoc, fs::Permissions::from_mode(0o755)).expect("permissions");
    let built = Command::new(env!("CARGO"))
        .args(["rustdoc", "--quiet", "--lib", "--all-features", "--"])
        .args(["-Z", "unstable-options", "--output-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTDOC", rustdoc)
        .status()
        .expect("cargo");
    assert!(built.success());
    target.join("doc/tower_message_feedback.json")
}

#[test]
fn it_is_as_it_was() {
    let json = rustdoc_json();
    let text = fs::read_to_string(&json).expect("rustdoc's JSON");
    let crate_: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    if crate_["format_version"] != FORMAT {
        // Each Rust has its own, and this test knows that of one.
        eprintln!("not compared: this Rust's JSON is of version {}", crate_["format_version"]);
        return;
    }
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .expect("an API");
    let api = api.to_string();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/public_api/public-api.txt");
    if env::var_os("UPDATE_PUBLIC_API").is_some() {
        fs::write(&file, &api).expect("a file");
    }
    let agreed = fs::read_to_string(file).expect("public-api.txt");
    let gone = agreed.lines().filter(|line| !api.lines().any(|other| other == *line));
    let new = api.lines().filter(|line| !agreed.lines().any(|other| other == *line));
    let changes: Vec<String> =
        gone.map(|line| format!("- {line}")).chain(new.map(|line| format!("+ {line}"))).collect();
    assert!(
        changes.is_empty(),
        "{}\nIf that is meant: UPDATE_PUBLIC_API=1 cargo test --test public_api",
        changes.join("\n")
    );
}
