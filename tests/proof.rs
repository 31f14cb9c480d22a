//! Proof of consent: every choice a whole line on disk, or an error.

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cookie_firewall::config::Proof;
use cookie_firewall::telemetry::{FileProof, ProofLog, RecordedChoice, Telemetry};
use proptest::prelude::*;
use serde_json::Value;
use support::{CHARTER, Directory, Origin, Setup, setting};

/// 25 November 2026, 21:40:47 UTC.
const NOW: i64 = 1_795_642_847;

fn choice(site: &str) -> RecordedChoice<'_> {
    RecordedChoice {
        at: NOW,
        site,
        charter_hash: "00ff",
        language: "fr",
        choice: "save",
        granted: &["statistics"],
        refused: &["marketing"],
    }
}

/// A log in an empty directory.
struct Log {
    directory: Directory,
    path: PathBuf,
    telemetry: Arc<Telemetry>,
}

impl Log {
    fn new() -> Self {
        let directory = Directory::new();
        let path = directory.write("proof.jsonl", "");
        std::fs::remove_file(&path).expect("just written");
        Self { directory, path, telemetry: Arc::default() }
    }

    fn open(&self, max_size: u64, keep: usize) -> FileProof {
        let settings = Proof { path: self.path.clone(), max_size, keep };
        FileProof::open(settings, Arc::clone(&self.telemetry)).expect("a file that can be written")
    }

    /// What is in each file of the log, by name.
    fn files(&self) -> BTreeMap<String, String> {
        let folder = self.path.parent().expect("a folder");
        let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| {
            let entry = entry.expect("an entry");
            let text = std::fs::read_to_string(entry.path()).expect("UTF-8");
            (entry.file_name().into_string().expect("UTF-8"), text)
        });
        entries.collect()
    }

    fn names(&self) -> Vec<String> {
        self.files().into_keys().collect()
    }

    fn counts(&self) -> (u64, u64) {
        let text = String::from_utf8(self.telemetry.metrics.encode()).expect("UTF-8");
        let count = |result: &str| {
            let name = format!("cookie_firewall_proof_records_total{{result=\"{result}\"}} ");
            let value = text.lines().find_map(|line| line.strip_prefix(&*name));
            value.expect("the metric is there from the start").parse().expect("a number")
        };
        (count("written"), count("failed"))
    }
}

/// The sites of the lines of a file, each line whole.
fn sites(text: &str) -> Vec<String> {
    assert!(text.is_empty() || text.ends_with('\n'), "half a line: {text:?}");
    let site = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        value["site"].as_str().expect("a string").to_owned()
    };
    text.lines().map(site).collect()
}

#[test]
fn a_choice_is_a_line_that_its_owner_alone_reads() {
    let log = Log::new();
    let proof = log.open(Proof::MAX_SIZE, 0);
    assert_eq!(log.files()["proof.jsonl"], "", "opened at the start");
    proof.record(&choice("a")).expect("written");
    let expected = concat!(
        r#"{"at":"2026-11-25T21:40:47Z","site":"a","charter":"sha256:00ff","language":"fr","#,
        r#""choice":"save","granted":["statistics"],"refused":["marketing"]}"#,
        "\n",
    );
    assert_eq!(log.files()["proof.jsonl"], expected);
    let mode = log.path.metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(log.counts(), (1, 0));
}

/// As during a reload, or while another process takes over: locks are of open files, whoever has them.
#[test]
fn writers_beside_each_other_rotate_once_and_lose_nothing() {
    const EACH: usize = 50;
    let log = Log::new();
    let logs: Vec<_> = (0..4).map(|_| log.open(1000, 0)).collect();
    std::thread::scope(|scope| {
        for (number, proof) in logs.iter().enumerate() {
            scope.spawn(move || {
                for record in 0..EACH {
                    proof.record(&choice(&format!("{number}-{record}"))).expect("written");
                }
            });
        }
    });
    let files = log.files();
    let mut all: Vec<_> = files.values().flat_map(|text| sites(text)).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4 * EACH);
    for (name, text) in &files {
        let is_full = text.len() <= 1000 && (text.len() > 800 || name == "proof.jsonl");
        assert!(is_full, "{name}: {}", text.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// As many lines as records, in their order, in files no larger than they may be.
    #[test]
    fn rotation_keeps_every_record(
        max_size in 1_u64..1000,
        records in prop::collection::vec((0_i64..2, "[a-z]{0,300}"), 0..30),
    ) {
        let log = Log::new();
        let proof = log.open(max_size, 0);
        let mut at = NOW;
        for (pause, site) in &records {
            at += pause;
            proof.record(&RecordedChoice { at, ..choice(site) }).expect("written");
        }
        let mut files: Vec<_> = log.files().into_iter().collect();
        files.sort_by_key(|(name, _)| age(name));
        for (name, text) in &files {
            prop_assert!(text.len() as u64 <= max_size || text.lines().count() == 1, "{}", name);
        }
        let all: Vec<_> = files.iter().flat_map(|(_, text)| sites(text)).collect();
        let expected: Vec<_> = records.into_iter().map(|(_, site)| site).collect();
        prop_assert_eq!(all, expected);
    }
}

/// What sorts files from the oldest: the time, then the number; the one in use is last.
fn age(name: &str) -> (bool, String, u32) {
    let mut parts = name.split('.').skip(2);
    let stamp = parts.next().unwrap_or_default();
    let number = parts.next().map_or(0, |number| number.parse().expect("a number"));
    (stamp.is_empty(), stamp.to_owned(), number)
}

#[test]
fn the_oldest_are_removed_where_the_operator_says_so() {
    let log = Log::new();
    log.directory.write("proof.jsonl.bak", "not the firewall's");
    let proof = log.open(1, 2);
    for second in 0..5 {
        proof.record(&RecordedChoice { at: NOW + second, ..choice("a") }).expect("written");
    }
    let expected = [
        "proof.jsonl",
        "proof.jsonl.20261125T214050Z",
        "proof.jsonl.20261125T214051Z",
        "proof.jsonl.bak",
    ];
    assert_eq!(log.names(), expected);
}

/// The newest proofs are those of the time when the clock was right again.
#[test]
fn a_clock_that_was_ahead_does_not_cost_the_newest_proofs() {
    let log = Log::new();
    log.directory.write("proof.jsonl.20990101T000000Z", "an old one\n");
    log.directory.write("proof.jsonl.20990102T000000Z.9", "another\n");
    let proof = log.open(1, 2);
    for number in 0..6 {
        proof
            .record(&RecordedChoice { at: NOW + number, ..choice(&number.to_string()) })
            .expect("written");
    }
    let files = log.files();
    let kept: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), sites(text))).collect();
    let expected = [
        ("proof.jsonl", vec!["5".to_owned()]),
        ("proof.jsonl.20990102T000000Z.13", vec!["3".to_owned()]),
        ("proof.jsonl.20990102T000000Z.14", vec!["4".to_owned()]),
    ];
    assert_eq!(kept, expected);
}

/// The oldest of a second are removed, and their numbers not given again.
#[test]
fn within_a_second_the_oldest_are_removed_too() {
    let log = Log::new();
    let proof = log.open(1, 2);
    for number in 0..6 {
        proof.record(&choice(&number.to_string())).expect("written");
    }
    let mut kept: Vec<_> = log.files().values().flat_map(|text| sites(text)).collect();
    kept.sort();
    assert_eq!(kept, ["3", "4", "5"]);
}

#[test]
fn a_file_that_is_moved_away_is_followed_by_another() {
    let log = Log::new();
    let proof = log.open(Proof::MAX_SIZE, 0);
    proof.record(&choice("a")).expect("written");
    let before = log.path.metadata().expect("there").ino();
    std::fs::rename(&log.path, log.path.with_extension("1")).expect("there");
    proof.record(&choice("b")).expect("written");
    assert_ne!(log.path.metadata().expect("there").ino(), before);
    let files = log.files();
    assert_eq!(
        (sites(&files["proof.1"]), sites(&files["proof.jsonl"])),
        (vec!["a".into()], vec!["b".into()])
    );
}

#[test]
fn half_a_line_of_a_crash_does_not_spoil_the_next() {
    let log = Log::new();
    log.directory.write("proof.jsonl", "{\"at\":\"20");
    log.open(Proof::MAX_SIZE, 0).record(&choice("a")).expect("written");
    let text = &log.files()["proof.jsonl"];
    let rest = text.strip_prefix("{\"at\":\"20\n").expect("what was there stays");
    assert_eq!(sites(rest), ["a"]);
}

/// What is no file would block, or could not be synced; of a link, rotation would move the link.
#[test]
fn only_a_regular_file_is_opened() {
    let log = Log::new();
    symlink("/dev/full", &log.path).expect("a free name");
    let settings = Proof { path: log.path.clone(), max_size: 1, keep: 0 };
    let error =
        FileProof::open(settings, Arc::default()).err().expect("no regular file").to_string();
    for part in ["proof.path", "proof.jsonl", "no regular file", "remedy: "] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
}

/// Where the disk is full in the middle of a line. A limit on the size of files stands for the disk:
/// beyond it the kernel takes a part of what is written, and then nothing.
/// Names the log that the test fills when it runs once more, within a limit.
const FILL: &str = "COOKIE_FIREWALL_TEST_FILL";

#[test]
fn a_failure_leaves_no_half_line() {
    if let Some(path) = std::env::var_os(FILL) {
        return fill_the_disk(path.into());
    }
    let log = Log::new();
    let script = "trap '' XFSZ; ulimit -f 2; exec \"$0\" --exact a_failure_leaves_no_half_line";
    let this = std::env::current_exe().expect("this test");
    // Its output goes into pipes: the limit would hold for a file.
    let child = Command::new("sh").args(["-c", script]).arg(this).env(FILL, &log.path).output();
    let child = child.expect("a shell");
    assert!(child.status.success(), "{child:?}");
    let records = sites(&log.files()["proof.jsonl"]);
    assert!(records.len() > 2, "{records:?}");
    log.open(Proof::MAX_SIZE, 0).record(&choice("there is space again")).expect("written");
    let all = sites(&log.files()["proof.jsonl"]);
    assert_eq!((all.len(), &*all[records.len()]), (records.len() + 1, "there is space again"));
}

/// Records until the process may write no more.
fn fill_the_disk(path: PathBuf) {
    let log = Log { path, ..Log::new() };
    let proof = log.open(Proof::MAX_SIZE, 0);
    let written = (0..100).take_while(|_| proof.record(&choice("a")).is_ok()).count() as u64;
    assert!(written < 100, "the limit holds");
    assert_eq!(log.counts(), (written, 1));
    let length = log.path.metadata().expect("there").len();
    let lines = sites(&std::fs::read_to_string(&log.path).expect("there")).len() as u64;
    assert_eq!((lines, length % written), (written, 0));
    // Else the limit fell between two lines, and nothing was cut.
    assert_ne!(length, 1024);
}

#[test]
fn a_log_that_cannot_be_opened_keeps_the_configuration_from_being_loaded() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let site = format!("upstream = \"{}\"\n{CHARTER}", origin.url());
    let firewall = Setup::new(&site).start();
    let with = |path: &str| Setup::new("").main(&format!("[proof]\npath = \"{path}\"")).main_file();
    let link = firewall.directory.write("link", "");
    std::fs::remove_file(&link).expect("just written");
    symlink("elsewhere", &link).expect("a free name");
    for (path, part) in [("link", "no regular file"), ("missing/proof.jsonl", "folder")] {
        firewall.directory.write("main.toml", &with(path));
        let (status, text) = firewall.reload();
        assert_eq!(status, 422, "{text}");
        assert!(text.contains(part) && text.contains("remedy: "), "{text}");
    }
    firewall.directory.write("main.toml", &with("proof.jsonl"));
    assert_eq!(firewall.reload().0, 200);
    assert!(link.with_file_name("proof.jsonl").exists());
}

#[test]
fn a_log_that_cannot_be_opened_is_told_at_the_start() {
    let log = Log::new();
    symlink("elsewhere", &log.path).expect("a free name");
    let site = format!("upstream = \"http://127.0.0.1:1\"\n{CHARTER}");
    let setup = Setup::new(&site).main("[proof]\npath = \"proof.jsonl\"");
    let main = setup.write(&log.directory);
    let output = start(&main);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(stderr.contains("proof.path") && stderr.contains("remedy: "), "{stderr}");
}

fn start(main: &Path) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cookie-firewall"));
    command.arg("run").arg("--config").arg(main).output().expect("the binary")
}
