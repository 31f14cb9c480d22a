//! The binary as scripts, service managers and people meet it: exit codes, output, signals.

mod support;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

use serde_json::{Value, json};
use support::{CHARTER, DOMAIN, Directory, Message, Origin, PATIENCE, Peer, consent, setting};

/// Consent given to `matomo` and refused to `ga` on 21 September 2026, in the afternoon.
const CHOICE: &str = r#"cookies_preferences={"matomo":true,"ga":false,"timestamp":1790000000}"#;

/// The day after.
const NEXT_DAY: &str = "2026-09-22T00:00:00Z";

/// The binary, free of what the environment would say about its configuration and its output.
fn firewall() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cookie-firewall"));
    for name in ["COOKIE_FIREWALL_CONFIG", "RUST_LOG", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// What a process that has ended left behind.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    #[track_caller]
    fn code(&self, code: i32) -> &Self {
        let Self { stdout, stderr, .. } = self;
        assert_eq!(self.code, Some(code), "stdout:\n{stdout}\nstderr:\n{stderr}");
        assert!(!stdout.contains('\x1b') && !stderr.contains('\x1b'), "colours in a pipe");
        self
    }

    fn objects(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
    }
}

#[track_caller]
fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    Process::start(firewall().args(arguments)).end()
}

/// Runs with `config`, a main file, after the subcommand's name.
#[track_caller]
fn with(config: &Path, subcommand: &str, arguments: &[&str]) -> Ended {
    let config = ["--config".as_ref(), config.as_os_str()];
    let arguments = arguments.iter().map(|argument| argument.as_ref());
    run(std::iter::once(subcommand.as_ref()).chain(config).chain(arguments))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

/// A running process, read line by line; killed when the test is done with it.
struct Process {
    child: Child,
    lines: Receiver<(Stream, String)>,
    seen: Vec<(Stream, String)>,
    deadline: Instant,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (sender, lines) = channel();
        forward(child.stdout.take(), Stream::Out, &sender);
        forward(child.stderr.take(), Stream::Err, &sender);
        Self { child, lines, seen: Vec::new(), deadline: Instant::now() + PATIENCE }
    }

    /// The rest of the next line in which `text` stands, after it.
    #[track_caller]
    fn wait_for(&mut self, text: &str) -> String {
        while let Some((_, line)) = self.next() {
            if let Some((_, rest)) = line.split_once(text) {
                return rest.to_owned();
            }
        }
        panic!("{text:?} did not come:\n{:#?}", self.seen);
    }

    /// The next line on either stream; `None` at the end of both.
    #[track_caller]
    fn next(&mut self) -> Option<(Stream, String)> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("too slow; so far:\n{:#?}", self.seen),
        }
    }

    /// The address on which `listener` listens, as the log tells.
    #[track_caller]
    fn address(&mut self, listener: &str) -> SocketAddr {
        let address = self.wait_for(&format!("listening listener={listener} address="));
        address.trim().parse().expect("an address")
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.expect("kill can be run").success());
    }

    /// Waits for the end.
    #[track_caller]
    fn end(mut self) -> Ended {
        while self.next().is_some() {}
        let code = self.status().code();
        let text = |wanted| {
            let lines = self.seen.iter().filter(|(stream, _)| *stream == wanted);
            lines.map(|(_, line)| format!("{line}\n")).collect()
        };
        Ended { code, stdout: text(Stream::Out), stderr: text(Stream::Err) }
    }

    /// The exit status of a process whose outputs are closed.
    fn status(&mut self) -> ExitStatus {
        self.child.wait().expect("a child of this process")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn forward(
    pipe: Option<impl Read + Send + 'static>,
    stream: Stream,
    sender: &Sender<(Stream, String)>,
) {
    let (pipe, sender) = (pipe.expect("the stream is piped"), sender.clone());
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            // A test that is done reads no further.
            let _ = sender.send((stream, String::from_utf8_lossy(&line).into_owned()));
        }
    });
}

/// A main file beside a site file, on free ports.
fn config(directory: &Directory, main: &str, site: &str) -> PathBuf {
    directory.write("site.toml", &format!("domain = \"{DOMAIN}\"\n{site}"));
    let server = "[server]\nhttp = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\nworkers = 1\n";
    directory.write("main.toml", &format!("{server}sites = [\"site.toml\"]\n{main}"))
}

/// A configuration without a mistake, whose upstream answers nobody.
fn usual(directory: &Directory) -> PathBuf {
    config(directory, "", &format!("upstream = \"http://127.0.0.1:1\"\n{CHARTER}"))
}

/// A configuration with two mistakes, in two files.
fn wrong(directory: &Directory) -> PathBuf {
    let site = format!("upstream = \"http://127.0.0.1:1\"\nmoed = \"report\"\n{CHARTER}");
    config(directory, "[log]\nlevel = \"loud\"\n", &site)
}

/// Both mistakes of [`wrong`], in the order of their files.
#[track_caller]
fn names_every_mistake(text: &str) {
    for (line, remedy) in [
        ("main.toml:7:9: error: log.level: \"loud\" is not known here", "write one of \"error\","),
        ("site.toml:3:1: error: moed: this key is not known", "write \"mode\""),
    ] {
        let at = text.find(line).unwrap_or_else(|| panic!("no {line:?} in:\n{text}"));
        let next = text[at..].lines().nth(1).expect("a second line");
        assert!(next.starts_with(&format!("  remedy: {remedy}")), "{text}");
    }
}

#[test]
fn check_is_content_with_a_good_configuration() {
    let directory = Directory::new();
    let path = usual(&directory);
    let ended = with(&path, "check", &[]);
    ended.code(0);
    assert_eq!(ended.stdout, "ok: 1 site, 6 declared cookies\n");
    assert_eq!(ended.stderr, "");
    with(&path, "check", &["--strict"]).code(0);
    let ended = with(&path, "check", &["--format", "json"]);
    assert_eq!(ended.code(0).objects(), [json!({ "ok": true, "mistakes": [] })]);
}

#[test]
fn check_reads_the_published_configuration_where_it_stands() {
    let ended =
        Process::start(firewall().arg("check").current_dir(env!("CARGO_MANIFEST_DIR"))).end();
    ended.code(0);
    assert_eq!(ended.stdout, "ok: 5 sites, 20 declared cookies\n");
}

#[test]
fn check_names_every_mistake_and_exits_with_2() {
    let directory = Directory::new();
    let ended = with(&wrong(&directory), "check", &[]);
    ended.code(2);
    names_every_mistake(&ended.stdout);
    assert!(ended.stdout.ends_with("\n2 errors, 0 warnings\n"), "{}", ended.stdout);
    assert_eq!(ended.stderr, "");
}

#[test]
fn check_tells_scripts_where_each_mistake_is() {
    let directory = Directory::new();
    let path = wrong(&directory);
    let ended = with(&path, "check", &["--format", "json"]);
    let objects = ended.code(2).objects();
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0]["ok"], json!(false));
    let mistakes = objects[0]["mistakes"].as_array().expect("a list");
    assert_eq!(mistakes.len(), 2);
    let site = path.with_file_name("site.toml");
    let expected = json!({
        "severity": "error",
        "file": site,
        "line": 3,
        "column": 1,
        "key": "moed",
        "message": "this key is not known",
        "remedy": "write \"mode\"",
    });
    assert_eq!(mistakes[1], expected);
}

#[test]
fn check_takes_warnings_for_errors_where_told_so() {
    let directory = Directory::new();
    let undeclared = CHARTER.replace("cookies_preferences", "other");
    let path = config(&directory, "", &format!("upstream = \"http://127.0.0.1:1\"\n{undeclared}"));
    let ended = with(&path, "check", &[]);
    ended.code(0);
    assert!(ended.stdout.contains(": warning: consent.cookie: "), "{}", ended.stdout);
    let counted = "\n0 errors, 1 warning\nok: 1 site, 6 declared cookies\n";
    assert!(ended.stdout.ends_with(counted), "{}", ended.stdout);
    let ended = with(&path, "check", &["--strict"]);
    ended.code(2);
    assert!(ended.stdout.ends_with("\n0 errors, 1 warning\n"), "not ok: {}", ended.stdout);
    let ended = with(&path, "check", &["--strict", "--format", "json"]);
    assert_eq!(ended.code(2).objects()[0]["ok"], json!(false));
}

#[test]
fn check_of_a_file_that_is_not_there() {
    let ended = with(Path::new("no/such/file.toml"), "check", &[]);
    ended.code(2);
    assert!(ended.stdout.starts_with("no/such/file.toml: error: cannot read"), "{}", ended.stdout);
    assert!(ended.stdout.contains("  remedy: "), "{}", ended.stdout);
}

#[test]
fn the_environment_may_name_the_configuration() {
    let directory = Directory::new();
    let path = usual(&directory);
    let named = |path: &Path| {
        Process::start(firewall().arg("check").env("COOKIE_FIREWALL_CONFIG", path)).end()
    };
    named(&path).code(0);
    named(&path.with_file_name("none.toml")).code(2);
}

/// Explains with `--format json`, for a visitor who has answered as [`CHOICE`] says.
#[track_caller]
fn explained(lines: &[&str]) -> Vec<Value> {
    let directory = Directory::new();
    let site = ["--site", DOMAIN, "--format", "json", "--now", NEXT_DAY, "--cookie", CHOICE];
    let arguments: Vec<&str> =
        site.into_iter().chain(["--"]).chain(lines.iter().copied()).collect();
    with(&usual(&directory), "explain", &arguments).code(0).objects()
}

fn decided(
    name: &str,
    [decision, reason]: [&str; 2],
    declared: Option<(&str, &str)>,
    result: Option<&str>,
) -> Value {
    json!({
        "name": name,
        "decision": decision,
        "reason": reason,
        "declaration": declared.map(|(declaration, _)| declaration),
        "category": declared.map(|(_, category)| category),
        "result": result,
        "mode": "enforce",
    })
}

#[test]
fn explain_prints_an_object_for_each_line() {
    let statistics = Some(("_pk_id.*", "statistics"));
    let necessary = Some(("sessionid", "necessary"));
    let cases = [
        (
            "sessionid=a; Path=/; Foo",
            decided("sessionid", ["keep", "exempt"], necessary, Some("sessionid=a; Path=/; Foo")),
        ),
        (
            "sessionid=a; Max-Age=9999999; Path=/",
            decided(
                "sessionid",
                ["rewrite", "lifetime"],
                necessary,
                Some("sessionid=a; Max-Age=1209600; Path=/"),
            ),
        ),
        ("_pk_id.1=a", decided("_pk_id.1", ["keep", "granted"], statistics, Some("_pk_id.1=a"))),
        ("_ga=a", decided("_ga", ["block", "denied"], Some(("_ga", "marketing")), None)),
        (
            "_ga=a; Max-Age=0",
            decided(
                "_ga",
                ["keep", "deletion"],
                Some(("_ga", "marketing")),
                Some("_ga=; Max-Age=0"),
            ),
        ),
        ("unheard=a", decided("unheard", ["block", "undeclared"], None, None)),
        ("bare", decided("", ["block", "nameless"], None, None)),
        ("unheard=a; Domain=fr", decided("unheard", ["block", "domain"], None, None)),
        (
            "__Host-id=a",
            decided("__Host-id", ["block", "prefix"], Some(("__Host-id", "necessary")), None),
        ),
        ("a=\u{1}", decided("a", ["block", "malformed"], None, None)),
    ];
    let lines: Vec<_> = cases.iter().map(|(line, _)| *line).collect();
    let expected: Vec<_> = cases.iter().map(|(_, object)| object.clone()).collect();
    assert_eq!(explained(&lines), expected);
}

#[test]
fn explain_keeps_the_order_of_its_keys() {
    let directory = Directory::new();
    let arguments = ["--site", DOMAIN, "--format", "json", "sessionid=a"];
    let ended = with(&usual(&directory), "explain", &arguments);
    let expected = "{\"name\":\"sessionid\",\"decision\":\"keep\",\"reason\":\"exempt\",\
        \"declaration\":\"sessionid\",\"category\":\"necessary\",\"result\":\"sessionid=a\",\
        \"mode\":\"enforce\"}\n";
    assert_eq!(ended.code(0).stdout, expected);
}

#[test]
fn explain_in_words() {
    let directory = Directory::new();
    let arguments =
        ["--site", DOMAIN, "sessionid=\"it's\"; Max-Age=9999999", "unheard\u{1b}=a", "bare"];
    let ended = with(&usual(&directory), "explain", &arguments);
    let expected = "\
rewrite lifetime    sessionid  (declared as sessionid, necessary)
        -> sessionid=\"it's\"; Max-Age=1209600
block   malformed   unheard\\u{1b}  (not declared)
block   nameless    (no name)  (not declared)
";
    assert_eq!(ended.code(0).stdout, expected);
    assert_eq!(ended.stderr, "");
}

#[test]
fn explain_reads_consent_as_the_proxy_does() {
    let directory = Directory::new();
    let path = usual(&directory);
    let reason = |arguments: &[&str]| {
        let fixed = ["--site", DOMAIN, "--format", "json", "_pk_id.1=a"];
        let arguments: Vec<_> = fixed.iter().chain(arguments).copied().collect();
        with(&path, "explain", &arguments).code(0).objects()[0]["reason"].clone()
    };
    let (granted, denied) = (consent(true, true), consent(false, true));
    assert_eq!(reason(&[]), "unset");
    assert_eq!(reason(&["--cookie", &granted]), "granted", "at the time it is now");
    assert_eq!(reason(&["--cookie", &denied]), "denied");
    assert_eq!(reason(&["--cookie", &granted, "--cookie", &denied]), "unset", "a conflict");
    assert_eq!(reason(&["--cookie", "a=1", "--cookie", &granted]), "granted");
    let at = |now| reason(&["--cookie", CHOICE, "--now", now]);
    assert_eq!(at(NEXT_DAY), "granted");
    assert_eq!(at("2026-09-21T12:00:00+02:00"), "unset", "before the answer was given");
    assert_eq!(at("2027-09-22T00:00:00Z"), "unset", "long after");
}

#[test]
fn explain_judges_the_cookies_of_a_request() {
    let directory = Directory::new();
    let arguments = ["--request", "--site", DOMAIN, "--format", "json", "--now", NEXT_DAY];
    let cookies = ["--cookie", CHOICE, "--cookie", "_ga=1; $Version=1", "--cookie", "_pk_id.2 = x"];
    let arguments: Vec<_> = arguments.into_iter().chain(cookies).collect();
    let objects = with(&usual(&directory), "explain", &arguments).code(0).objects();
    let preferences = Some(("cookies_preferences", "necessary"));
    let expected = [
        decided("cookies_preferences", ["keep", "exempt"], preferences, Some(CHOICE)),
        decided("_ga", ["block", "denied"], Some(("_ga", "marketing")), None),
        decided("$Version", ["block", "malformed"], None, None),
        decided(
            "_pk_id.2",
            ["keep", "granted"],
            Some(("_pk_id.*", "statistics")),
            Some("_pk_id.2 = x"),
        ),
    ];
    assert_eq!(objects, expected);
    let ended = with(&usual(&directory), "explain", &["--site", DOMAIN, "--request", "a=1"]);
    assert!(ended.code(2).stderr.contains("cannot be used with"), "{}", ended.stderr);
}

/// The site file and the session that `docs/configuration.md` shows.
#[test]
fn explain_says_what_the_reference_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = std::fs::read_to_string(path).expect("the reference");
    let (_, site) = text.split_once("## A full site file").expect("a full site file");
    let (_, site) = site.split_once("```toml\n").expect("a block of TOML");
    let (site, _) = site.split_once("```").expect("its end");
    let directory = Directory::new();
    directory.write("full.toml", site);
    let path = usual(&directory);
    let main = std::fs::read_to_string(&path).expect("the main file");
    directory.write("main.toml", &main.replace("site.toml", "full.toml"));
    let line = "_pk_id.1=a; Domain=.portal.internal; Path=/tenants/example/";
    let lines = ["--now", NEXT_DAY, "--cookie", CHOICE, line, "_ga=b", "tracker=c"];
    for argument in lines {
        assert!(text.contains(argument), "the session shows {argument}");
    }
    let arguments: Vec<_> = ["--site", DOMAIN].into_iter().chain(lines).collect();
    let ended = with(&path, "explain", &arguments);
    let stdout = &ended.code(0).stdout;
    assert!(text.contains(&format!("\n{stdout}```")), "the session ends otherwise:\n{stdout}");
}

#[test]
fn explain_reads_lines_from_standard_input() {
    let directory = Directory::new();
    let path = usual(&directory);
    let mut process = Process::start(
        firewall()
            .args(["explain", "--site", DOMAIN, "--format", "json", "--config"])
            .arg(&path)
            .stdin(Stdio::piped()),
    );
    let mut stdin = process.child.stdin.take().expect("it is piped");
    stdin.write_all(b"sessionid=\xe9\r\nunheard=2\nlast=3").expect("explain reads");
    drop(stdin);
    let ended = process.end();
    let names: Vec<_> =
        ended.code(0).objects().iter().map(|object| object["name"].clone()).collect();
    assert_eq!(names, ["sessionid", "unheard", "last"]);
    let result = &ended.objects()[0]["result"];
    assert_eq!(result, "sessionid=\u{fffd}", "without the line end, as text where it is none");
    let ended = with(&path, "explain", &["--site", DOMAIN]);
    assert_eq!(ended.code(0).stdout, "", "nothing in, nothing out");
}

#[test]
fn explain_takes_bytes_that_are_no_text() {
    let directory = Directory::new();
    let path = usual(&directory);
    let arguments = ["explain", "--format", "json", "--site", DOMAIN, "--config"].map(OsStr::new);
    let line = OsStr::from_bytes(b"sessionid=\xff; Path=/");
    let ended = run(arguments.into_iter().chain([path.as_os_str(), line]));
    assert_eq!(ended.code(0).objects()[0]["reason"], "exempt");
}

#[test]
fn explain_finds_a_site_by_any_of_its_names() {
    let directory = Directory::new();
    let site =
        format!("aliases = [\"www.example.fr\"]\nupstream = \"http://127.0.0.1:1\"\n{CHARTER}");
    let path = config(&directory, "", &site);
    for name in [DOMAIN, "DATA.Example.fr", "www.example.fr"] {
        with(&path, "explain", &["--site", name, "a=1"]).code(0);
    }
    let ended = with(&path, "explain", &["--site", "example.org", "a=1"]);
    let expected =
        format!("cookie-firewall: no site has the domain \"example.org\"; known: {DOMAIN}\n");
    assert_eq!(ended.code(2).stderr, expected);
}

/// With a wildcard, a final dot and a port, as the proxy does.
#[test]
fn explain_finds_a_site_as_the_proxy_does() {
    let directory = Directory::new();
    let site = format!("aliases = [\"*.b.test\"]\nupstream = \"http://127.0.0.1:1\"\n{CHARTER}");
    let path = config(&directory, "", &site);
    for name in ["www.b.test", "WWW.b.test.", "www.b.test:8080", &format!("{DOMAIN}.")] {
        with(&path, "explain", &["--site", name, "a=1"]).code(0);
        with(&path, "charter", &[]).code(2);
        let render = ["charter", "render", "--site", name, "--format", "json", "--config"];
        run(render.map(OsStr::new).into_iter().chain([path.as_os_str()])).code(0);
    }
    for name in ["b.test", "a.www.b.test", "*.b.test"] {
        with(&path, "explain", &["--site", name, "a=1"]).code(2);
    }
    // A cookie for the host that was asked for is judged by that host.
    let arguments = ["--site", "www.b.test.", "--format", "json", "sessionid=a; Domain=www.b.test"];
    let objects = with(&path, "explain", &arguments).code(0).objects();
    assert_eq!(objects[0]["reason"], "exempt");
}

#[test]
fn explain_says_what_report_mode_does() {
    let directory = Directory::new();
    let site = format!("upstream = \"http://127.0.0.1:1\"\nmode = \"report\"\n{CHARTER}");
    let path = config(&directory, "", &site);
    let lines = ["--site", DOMAIN, "unheard=1", "sessionid=a"];
    let expected = "\
block   undeclared  unheard  (not declared)
        report mode: passes unchanged
keep    exempt      sessionid  (declared as sessionid, necessary)
        -> sessionid=a
";
    assert_eq!(with(&path, "explain", &lines).code(0).stdout, expected);
    let arguments: Vec<_> = lines.into_iter().chain(["--format", "json"]).collect();
    let objects = with(&path, "explain", &arguments).code(0).objects();
    assert_eq!((&objects[0]["mode"], &objects[0]["decision"]), (&json!("report"), &json!("block")));
}

#[test]
fn explain_takes_what_is_pasted_from_a_head() {
    let directory = Directory::new();
    let path = usual(&directory);
    let named = ["Set-Cookie: sessionid=1; Path=/", "set-cookie:sessionid=2", "SET-COOKIE:  _ga=3"];
    let arguments: Vec<_> =
        ["--site", DOMAIN, "--format", "json"].into_iter().chain(named).collect();
    let names = |ended: Ended| -> Vec<Value> {
        ended.code(0).objects().iter().map(|object| object["name"].clone()).collect()
    };
    assert_eq!(names(with(&path, "explain", &arguments)), ["sessionid", "sessionid", "_ga"]);
    let request =
        ["--site", DOMAIN, "--format", "json", "--request", "--cookie", "Cookie: a=1; b=2"];
    assert_eq!(names(with(&path, "explain", &request)), ["a", "b"]);
    for (input, expected) in [
        ("\u{feff}sessionid=1\n_ga=2\n", ["sessionid", "_ga"]),
        (
            "HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: sessionid=1\r\nset-cookie: _ga=2\r\n\r\n",
            ["sessionid", "_ga"],
        ),
    ] {
        let mut command = firewall();
        command.args(["explain", "--site", DOMAIN, "--format", "json", "--config"]).arg(&path);
        let mut process = Process::start(command.stdin(Stdio::piped()));
        let mut stdin = process.child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).expect("explain reads");
        drop(stdin);
        assert_eq!(names(process.end()), expected);
    }
}

#[test]
fn explain_refuses_what_it_cannot_use() {
    let directory = Directory::new();
    let path = usual(&directory);
    let ended = with(&path, "explain", &["--site", DOMAIN, "--now", "yesterday", "a=1"]);
    assert!(ended.code(2).stderr.contains("'yesterday' for '--now <RFC3339>'"), "{}", ended.stderr);
    let ended = with(&path, "explain", &["a=1"]);
    assert!(ended.code(2).stderr.contains("--site <DOMAIN>"), "{}", ended.stderr);
    let ended = with(&wrong(&directory), "explain", &["--site", DOMAIN, "a=1"]);
    names_every_mistake(&ended.code(2).stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn schema_is_json() {
    let ended = run(["schema"]);
    let schema: Value = serde_json::from_str(&ended.code(0).stdout).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["required"], json!(["domain", "upstream"]));
    let cookie = &schema["properties"]["cookie"]["items"];
    assert_eq!(cookie["required"], json!(["name", "category"]));
}

#[test]
fn every_command_explains_itself() {
    let cases: [(&[&str], &[&str]); 7] = [
        (&["--help"], &["demo", "run", "check", "explain", "schema", "--version"]),
        (&["demo", "--help"], &["--port <PORT>", "--admin-port <ADMIN_PORT>", "8080", "9090"]),
        (&["run", "--help"], &["SIGTERM", "--config <FILE>", "COOKIE_FIREWALL_CONFIG"]),
        (&["check", "--help"], &["--config <FILE>", "--strict", "--format <FORMAT>", "json"]),
        (
            &["explain", "--help"],
            &[
                "--site <DOMAIN>",
                "--cookie <NAME=VALUE>",
                "--request",
                "--now <RFC3339>",
                "[SET-COOKIE LINE]",
            ],
        ),
        (&["schema", "--help"], &["JSON Schema"]),
        (&["help", "check"], &["--strict"]),
    ];
    for (arguments, words) in cases {
        let ended = run(arguments);
        ended.code(0);
        assert!(ended.stdout.contains("Usage: cookie-firewall"), "{arguments:?}");
        for word in words {
            assert!(ended.stdout.contains(word), "{arguments:?}: no {word} in {}", ended.stdout);
        }
        assert_eq!(ended.stderr, "", "{arguments:?}");
    }
    let version = format!("cookie-firewall {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(["--version"]).code(0).stdout, version);
}

#[test]
fn bad_usage_exits_with_2() {
    let cases: [&[&str]; 5] = [
        &[],
        &["no-such-command"],
        &["check", "--no-such-option"],
        &["check", "--format", "xml"],
        &["demo", "--port", "70000"],
    ];
    for arguments in cases {
        let ended = run(arguments);
        ended.code(2);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(
            ended.stderr.contains("Usage: ") || ended.stderr.contains("--help"),
            "{arguments:?}"
        );
    }
}

/// Runs with a standard output that nobody reads.
fn unread(arguments: &[&str], config: Option<&Path>) -> (ExitStatus, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = firewall();
    command.args(arguments).stdout(writer).stderr(Stdio::piped());
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    let output = command.spawn().expect("the binary starts").wait_with_output();
    let output = output.expect("a child of this process");
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn output_that_nobody_reads_ends_a_command_quietly() {
    let directory = Directory::new();
    let good = usual(&directory);
    let explain = ["explain", "--site", DOMAIN, "a=1", "b=2"];
    let cases: [(&[&str], Option<&Path>); 5] = [
        (&["schema"], None),
        (&["--help"], None),
        (&["check"], Some(&good)),
        (&["check", "--format", "json"], Some(&good)),
        (&explain, Some(&good)),
    ];
    for (arguments, config) in cases {
        let (status, stderr) = unread(arguments, config);
        assert_eq!((status.code(), &*stderr), (Some(0), ""), "{arguments:?}");
    }
    let (status, stderr) = unread(&["check"], Some(&wrong(&directory)));
    assert_eq!((status.code(), &*stderr), (Some(2), ""), "mistakes are mistakes, read or not");
}

#[test]
fn run_refuses_a_configuration_with_mistakes_before_it_binds_a_port() {
    let directory = Directory::new();
    let path = wrong(&directory);
    // The port is taken: binding it first would end with 1 and without the mistakes.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let text = std::fs::read_to_string(&path).expect("the main file");
    let address = taken.local_addr().expect("bound").to_string();
    directory.write("main.toml", &text.replacen("127.0.0.1:0", &address, 1));
    let ended = with(&path, "run", &[]);
    ended.code(2);
    names_every_mistake(&ended.stderr);
    assert!(!ended.stderr.contains("listening"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn run_names_the_address_that_is_in_use() {
    let directory = Directory::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let path = usual(&directory);
    let text = std::fs::read_to_string(&path).expect("the main file");
    for key in ["http = [\"", "admin = \""] {
        let text = text.replace(&format!("{key}127.0.0.1:0"), &format!("{key}{address}"));
        let path = directory.write("taken.toml", &text);
        let ended = with(&path, "run", &[]);
        ended.code(1);
        let expected = format!("cookie-firewall: cannot listen on {address}: ");
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    }
}

/// The answer to a GET, on a connection of its own.
fn get(address: SocketAddr, host: &str, path: &str, cookie: &str) -> Message {
    let mut peer = Peer::connect(address);
    let host = format!("Host: {host}\r\nConnection: close\r\nCookie: {cookie}\r\n");
    peer.send(format!("GET {path} HTTP/1.1\r\n{host}\r\n"));
    peer.response()
}

fn start(config: &Path) -> Process {
    Process::start(firewall().arg("run").arg("--config").arg(config))
}

#[test]
fn run_serves_until_it_is_told_to_stop() {
    let origin = Origin::fixed(setting("200 OK", &[b"sessionid=1", b"unheard=2"]));
    let directory = Directory::new();
    let path = config(&directory, "", &format!("upstream = \"{}\"\n{CHARTER}", origin.url()));
    for signal in ["-TERM", "-INT"] {
        let mut process = start(&path);
        let http = process.address("http");
        let admin = process.address("admin");
        assert!(http.port() != 0 && admin.port() != 0, "the log names the ports that were picked");
        for path in ["/livez", "/readyz"] {
            let answer = get(admin, "admin", path, "");
            assert_eq!((answer.status(), &*answer.text()), (200, "ok\n"), "{path}");
        }
        let answer = get(http, DOMAIN, "/", "");
        assert_eq!(
            (answer.status(), answer.texts("set-cookie")),
            (200, vec!["sessionid=1".into()])
        );
        process.signal(signal);
        process.wait_for("stopped");
        let ended = process.end();
        ended.code(0);
        assert_eq!(ended.stdout, "", "the log is on standard error");
    }
}

#[test]
fn run_loads_its_configuration_again_at_a_hang_up() {
    let directory = Directory::new();
    let config = usual(&directory);
    let mut process = start(&config);
    let admin = process.address("admin");
    process.wait_for("ready");
    process.signal("-HUP");
    process.wait_for("configuration loaded trigger=SIGHUP sites=1");
    directory.write("site.toml", "domain = 3");
    process.signal("-HUP");
    process.wait_for("configuration not loaded; the old one stays trigger=SIGHUP");
    process.wait_for("site.toml:1:10: error: domain: expected a string");
    assert_eq!(get(admin, "admin", "/readyz", "").status(), 200);
}

#[test]
fn run_warns_of_what_is_probably_not_meant() {
    let directory = Directory::new();
    let undeclared = CHARTER.replace("cookies_preferences", "other");
    let site = format!("upstream = \"http://127.0.0.1:1\"\nmode = \"report\"\n{undeclared}");
    let mut process = start(&config(&directory, "", &site));
    process.wait_for("WARN");
    let rest = process.wait_for("report mode: nothing is blocked on this site");
    assert_eq!(rest, format!(" site={DOMAIN}"));
    let warned = process.seen.iter().any(|(_, line)| line.contains("warning: consent.cookie"));
    assert!(warned, "{:#?}", process.seen);
}

#[test]
fn run_logs_objects_for_machines() {
    let directory = Directory::new();
    let path = usual(&directory);
    let main = std::fs::read_to_string(&path).expect("the main file");
    directory.write("main.toml", &format!("{main}[log]\nformat = \"json\"\n"));
    let mut process = start(&path);
    let mut listeners = Vec::new();
    while listeners.len() < 2 {
        let (stream, line) = process.next().expect("the log goes on");
        assert_eq!(stream, Stream::Err);
        let object: Value = serde_json::from_str(&line).expect("an object a line");
        assert_eq!(object["level"], "INFO");
        assert!(object["timestamp"].is_string(), "{line}");
        if object["message"] == "listening" {
            let address: SocketAddr =
                object["address"].as_str().expect("text").parse().expect("an address");
            assert_ne!(address.port(), 0);
            listeners.push(object["listener"].clone());
        }
    }
    assert_eq!(listeners, ["http", "admin"]);
    process.signal("-TERM");
    process.end().code(0);
}

#[test]
fn the_decision_log_names_cookies_and_never_their_values() {
    let origin =
        Origin::fixed(setting("200 OK", &[b"unheard=hush-1; Path=/", b"sessionid=hush-2"]));
    let directory = Directory::new();
    let site = format!("upstream = \"{}\"\n{CHARTER}", origin.url());
    let mut process = start(&config(&directory, "[log]\nlevel = \"debug\"\n", &site));
    let http = process.address("http");
    get(http, DOMAIN, "/", "_ga=hush-3; sessionid=hush-4; bare-hush-5");
    for fields in [
        "direction=\"request\" cookie=\"_ga\" declaration=\"_ga\" category=\"marketing\" \
         decision=\"block\" reason=\"unset\" mode=\"enforce\"",
        "direction=\"request\" cookie=\"sessionid\" declaration=\"sessionid\" category=\"necessary\" \
         decision=\"keep\" reason=\"exempt\"",
        "direction=\"request\" cookie=\"(no name)\" declaration=\"(undeclared)\" category=\"\" \
         decision=\"block\" reason=\"nameless\"",
        "direction=\"response\" cookie=\"unheard\" declaration=\"(undeclared)\" category=\"\" \
         decision=\"block\" reason=\"undeclared\"",
        "direction=\"response\" cookie=\"sessionid\"",
    ] {
        process.wait_for(&format!("decided site={DOMAIN} {fields}"));
    }
    process.signal("-TERM");
    let ended = process.end();
    ended.code(0);
    assert!(!ended.stderr.contains("hush"), "{}", ended.stderr);
}

/// Closed, or never read: neither the exchanges nor a reload nor the end wait for it.
#[test]
fn a_log_that_nobody_takes_holds_up_nothing() {
    for is_closed in [true, false] {
        let directory = Directory::new();
        let site = format!("upstream = \"http://127.0.0.1:1\"\n{CHARTER}");
        let path = config(&directory, "[log]\nlevel = \"debug\"\n", &site);
        let mut command = firewall();
        command.arg("run").arg("--config").arg(&path);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process {
            child: command.spawn().expect("the binary starts"),
            lines: channel().1,
            seen: Vec::new(),
            deadline: Instant::now() + PATIENCE,
        };
        let pipe = process.child.stderr.take().expect("it is piped");
        let mut log = BufReader::with_capacity(1, pipe);
        let mut until = |text: &str| {
            let mut line = String::new();
            while !line.contains(text) {
                line.clear();
                assert_ne!(log.read_line(&mut line).expect("UTF-8"), 0, "no {text:?}");
            }
            line
        };
        let mut address = |listener: &str| -> SocketAddr {
            let line = until(&format!("listener={listener} address="));
            let (_, address) = line.trim().rsplit_once('=').expect("an address");
            address.parse().expect("an address")
        };
        let (http, admin) = (address("http"), address("admin"));
        until("ready");
        let log = (!is_closed).then_some(log);
        // More lines than a pipe takes.
        let cookies: Vec<_> = (0..100).map(|number| format!("unheard{number}=1")).collect();
        for _ in 0..20 {
            assert_eq!(get(http, DOMAIN, "/", &cookies.join("; ")).status(), 502);
        }
        for _ in 0..2 {
            let mut peer = Peer::connect(admin);
            peer.send("POST /-/reload HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            assert_eq!(peer.response().status(), 200);
        }
        let is_whole = || {
            let metrics = get(admin, "admin", "/metrics", "").text();
            metrics.contains("\ncookie_firewall_log_lines_dropped_total 0\n")
        };
        // What waits for its reader is not lost yet.
        assert!(is_closed || is_whole());
        while is_closed && is_whole() {
            assert!(Instant::now() < process.deadline, "no line was counted");
        }
        process.signal("-TERM");
        assert_eq!(process.status().code(), Some(0), "closed: {is_closed}");
        drop(log);
    }
}

#[test]
fn report_mode_that_a_reload_brings_is_told() {
    let directory = Directory::new();
    let config = usual(&directory);
    let mut process = start(&config);
    process.wait_for("ready");
    let site = std::fs::read_to_string(directory.write("x", "").with_file_name("site.toml"));
    let site = site.expect("the site file");
    directory.write("site.toml", &site.replacen("upstream", "mode = \"report\"\nupstream", 1));
    process.wait_for("report mode: nothing is blocked on this site");
    process.wait_for("configuration loaded");
    process.signal("-HUP");
    while !process.next().expect("the log goes on").1.contains("trigger=SIGHUP") {
        let (_, line) = process.seen.last().expect("just read");
        assert!(!line.contains("report mode"), "told once: {line}");
    }
}

#[test]
fn a_refusal_names_the_authority_and_the_client() {
    let directory = Directory::new();
    let mut process = start(&usual(&directory));
    let http = process.address("http");
    for (host, shown) in [
        ("missing.example", "missing.example".to_owned()),
        ("a\u{e9}b", "a\\xc3\\xa9b".to_owned()),
        (&*"a".repeat(200), format!("{}...", "a".repeat(128))),
    ] {
        get(http, host, "/", "");
        let expected = format!("refused peer=127.0.0.1 authority={shown} status=");
        process.wait_for(&expected);
    }
}

/// A mistyped level is the name of a module for `EnvFilter`, of which nothing is ever logged.
#[test]
fn a_mistyped_rust_log_does_not_silence_the_log() {
    let directory = Directory::new();
    let path = usual(&directory);
    let main = std::fs::read_to_string(&path).expect("the main file");
    directory.write("main.toml", &format!("{main}[log]\nformat = \"json\"\n"));
    let mut command = firewall();
    command.args(["run", "--config"]).arg(&path).env("RUST_LOG", "inof");
    let mut process = Process::start(&mut command);
    process.wait_for("RUST_LOG: \\\"inof\\\" is no level");
    process.wait_for("\"listening\"");
    for (_, line) in &process.seen {
        serde_json::from_str::<Value>(line).expect("an object a line");
    }
}

#[test]
fn the_environment_may_say_what_is_logged() {
    let directory = Directory::new();
    let path = usual(&directory);
    let mut command = firewall();
    command.args(["run", "--config"]).arg(&path).env("RUST_LOG", "cookie_firewall=debug");
    let mut process = Process::start(&mut command);
    let http = process.address("http");
    get(http, DOMAIN, "/", "unheard=1");
    process.wait_for("cookie=\"unheard\"");
}

#[test]
fn demo_takes_one_port_for_one_listener() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("bound").port().to_string();
    drop(free);
    let ports = ["demo", "--port", &port, "--admin-port", &port];
    let mut process = Process::start(firewall().args(ports));
    process.wait_for(" is taken; using ");
    process.wait_for("http://localhost:");
}

#[test]
fn demo_picks_another_port_where_its_own_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let mut process =
        Process::start(firewall().args(["demo", "--port", &port.to_string(), "--admin-port", "0"]));
    let rest = process.wait_for(&format!("Port {port} is taken; using "));
    let other = rest.strip_suffix(" instead.").expect("the other port").to_owned();
    let url = process.wait_for("http://localhost:");
    assert_eq!(url, format!("{other}/"));
    let admin = process.wait_for("http://127.0.0.1:");
    process.wait_for("direction decision reason");

    let address = format!("127.0.0.1:{other}").parse().expect("an address");
    let page = get(address, &format!("localhost:{other}"), "/", "");
    assert_eq!(page.status(), 200);
    assert!(page.text().contains("<!doctype html>"), "{}", page.text());
    let names: Vec<_> = page
        .texts("set-cookie")
        .iter()
        .map(|line| line.split('=').next().unwrap_or_default().to_owned())
        .collect();
    assert!(names.contains(&"sessionid".to_owned()), "{names:?}");
    let blocked = ["_pk_id.1.1fff", "_pk_ses.1.1fff", "_ga", "city_tracker"];
    assert!(blocked.iter().all(|name| !names.iter().any(|passed| passed == name)), "{names:?}");
    for line in [
        "response  keep     exempt      sessionid (necessary)",
        "response  block    unset       _pk_id.1.1fff (statistics)",
        "response  block    unset       _ga (marketing)",
        "response  block    undeclared  city_tracker (not in the charter)",
    ] {
        process.wait_for(line);
    }

    let admin: SocketAddr =
        format!("127.0.0.1:{}", admin.trim_end_matches("/metrics")).parse().expect("an address");
    let metrics = get(admin, "admin", "/metrics", "").text();
    assert!(metrics.contains("cookie_firewall_cookies_total{"), "{metrics}");
    process.signal("-TERM");
    process.end().code(0);
}
