//! Dependencies point down only, and the pure rooms do no I/O: held by looking at the sources.

use std::path::{Path, PathBuf};

/// The rooms from the bottom, and what each may use of the crate.
const ROOMS: &[(&str, &[&str])] = &[
    ("cookie", &[]),
    ("consent", &["cookie"]),
    ("charter", &["cookie", "consent"]),
    ("policy", &["cookie", "consent", "charter"]),
    ("enforce", &["cookie", "consent", "charter", "policy"]),
    ("page", &["cookie", "consent", "charter"]),
    ("config", &["cookie", "consent", "charter", "policy", "enforce", "page"]),
    ("telemetry", &["consent", "charter", "policy", "enforce", "config"]),
    (
        "proxy",
        &["cookie", "consent", "charter", "policy", "enforce", "page", "config", "telemetry"],
    ),
    ("server", &["config", "telemetry", "proxy"]),
    ("cli", &["cookie", "charter", "policy", "enforce", "config", "telemetry", "server"]),
];

/// Rooms without I/O, clock, randomness, threads or logging, and `enforce`, which adds header maps.
const PURE: &[&str] = &["cookie", "consent", "charter", "policy", "enforce", "page"];

/// What a pure room does not touch.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "tracing",
    "prometheus",
    "toml",
    "rustls",
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::time",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "println!",
    "eprintln!",
    "to_str()",
    "from_utf8_lossy",
];

fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut pending = vec![root.join(room)];
    let mut found = Vec::new();
    let file = root.join(format!("{room}.rs"));
    if file.exists() {
        pending.push(file);
    }
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a readable directory");
            pending.extend(entries.map(|entry| entry.expect("a readable entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_name().is_some_and(|name| name != "tests.rs")
        {
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            found.push((path, code));
        }
    }
    assert!(!found.is_empty(), "the room {room} is not there");
    found
}

/// The lines that are code.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

#[test]
fn rooms_use_only_the_rooms_below() {
    for (room, below) in ROOMS {
        for (path, text) in sources(room) {
            for line in code(&text) {
                let uses = line.match_indices("crate::").map(|(at, _)| &line[at + 7..]);
                for used in uses {
                    let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                    let used = used.unwrap_or_default();
                    let is_room = ROOMS.iter().any(|(name, _)| *name == used);
                    let allowed = !is_room || used == *room || below.contains(&used);
                    assert!(allowed, "{}: {room} uses {used}: {line}", path.display());
                }
            }
        }
    }
}

#[test]
fn pure_rooms_do_no_io_and_no_lossy_decoding() {
    for room in PURE {
        for (path, text) in sources(room) {
            for line in code(&text) {
                for word in IMPURE {
                    // `std::io::` and not `std::iter`, `tokio` and not a word of its own.
                    assert!(!line.contains(word), "{}: {word} in {line}", path.display());
                }
            }
        }
    }
}

#[test]
fn no_room_is_forgotten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(root).expect("the sources") {
        let path = entry.expect("a readable entry").path();
        let name =
            path.file_stem().and_then(|name| name.to_str()).expect("a UTF-8 name").to_owned();
        let known = ROOMS.iter().any(|(room, _)| *room == name)
            || ["lib", "main", "fuzzing"].contains(&name.as_str());
        assert!(known, "src/{name} has no place among the rooms");
    }
}
