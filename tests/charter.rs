//! `charter import` and `charter render`: their laws, and the binary as people use it.

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use cookie_firewall::charter::import::{self, Format, Import};
use cookie_firewall::charter::render;
use cookie_firewall::charter::{
    Category, CharterView, Entry, Language, LifetimeCap, Pattern, Register,
};
use cookie_firewall::config::{SiteFile, site_from_str};
use proptest::prelude::*;
use support::Directory;

/// Texts with whatever HTML, Markdown, TOML and tables could trip over.
fn text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "Mesure",
        " ",
        "  ",
        "|",
        "\\",
        "`",
        "*",
        "_",
        "<b>",
        "&amp;",
        "&",
        "<",
        ">",
        "\"",
        "'",
        "#",
        "[x](y)",
        "]",
        "é",
        "\u{a0}",
        "\t",
        "\n",
        "~",
        "- ",
        "---",
        "--",
        "{site}",
        "1 an",
        "€",
        "https://x.fr/",
        "\u{200d}",
        "<!-- x -->",
        "nom",
        "cookie",
        "\u{85}",
        "0",
        "</td>",
        "!",
        "\r",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

fn name() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a", "_ga", "*", "?", ".", "-", "\\*", "\\{", "\\\\", "#", "|", "`", "<id>", "é", ",", " ",
        "/", "&", "\"", "'", "\t", "X", "XXX", "et", "\u{85}", "(b)", "__Host-", "~", ":",
    ]);
    prop::collection::vec(pieces, 1..8).prop_map(|pieces| pieces.concat())
}

fn category() -> impl Strategy<Value = Category> {
    let names = [
        "necessary",
        "statistics",
        "preferences",
        "marketing",
        "third-party",
        "unclassified",
        "cartes",
        "Statistiques",
        "Session",
        "réseaux_2",
        "-",
    ];
    prop::sample::select(names.to_vec()).prop_map(Category::named)
}

fn lifetime() -> impl Strategy<Value = Option<LifetimeCap>> {
    prop_oneof![
        Just(None),
        Just(Some(LifetimeCap::Session)),
        (1..=u32::MAX).prop_map(|seconds| Some(LifetimeCap::Seconds(seconds))),
        (1..800u32).prop_map(|days| Some(LifetimeCap::Seconds(days * 86_400))),
    ]
}

/// A charter as the configuration would have it: through the same door, so that texts are clean.
fn view() -> impl Strategy<Value = CharterView> {
    let entry = (name(), [text(), text(), text()], category(), any::<bool>(), lifetime());
    prop::collection::vec(entry, 0..8).prop_map(|rows| {
        let mut view = CharterView { domain: "data.example.fr".to_owned(), entries: Vec::new() };
        for (name, [provider, service, purpose], category, anonymous, max_age) in rows {
            let Ok(name) = Pattern::new(&name) else { continue };
            let declared = cookie_firewall::charter::Declaration {
                name,
                provider: provider.into(),
                service: service.into(),
                purpose: purpose.into(),
                need: if anonymous || category == Category::Necessary {
                    cookie_firewall::charter::Need::Exempt
                } else {
                    cookie_firewall::charter::Need::Consent(cookie_firewall::consent::Ids::NONE)
                },
                category,
                max_age,
                forced: cookie_firewall::charter::Forced::default(),
            };
            view.entries.push(Entry::of(&declared));
            if Register::new(view.entries.iter().map(|entry| &entry.name)).is_err() {
                view.entries.pop();
            }
        }
        view
    })
}

fn entries(import: &Import) -> Vec<Entry> {
    import.found.iter().map(|found| found.entry.clone()).collect()
}

/// A row: provider, name, purpose.
type Cells = [String; 3];

/// Cells without what would make the page another one: separators, quotes around nothing.
fn cells() -> impl Strategy<Value = Cells> {
    let cell = prop::sample::select(vec![
        "",
        "_ga",
        "Google",
        "_ga, _gid",
        "Mesure d'audience",
        "prénom",
        "cookie",
        "nom",
        "Finalité",
        "_pk_id.#",
        "a/b",
        "*",
        "x_<id>",
        "any cookie starting with _hs",
        "Cookies nécessaires",
        "-",
        "sessionid",
        "PHPSESSID",
        "N/A",
        "Cookies tiers",
        "$Version",
        "a=b",
        "1 an",
    ]);
    [cell.clone(), cell.clone(), cell].prop_map(|cells| cells.map(ToOwned::to_owned))
}

/// The rows in each layout, with the line on which each stands.
fn layouts(rows: &[Cells]) -> Vec<(&'static str, String, Vec<usize>)> {
    let heads = ["Fournisseur", "Cookie", "Finalité"];
    let tabs: Vec<String> = rows.iter().map(|cells| cells.join("\t")).collect();
    let tabs = format!("{}\n{}", heads.join("\t"), tabs.join("\n"));
    let escaped = |cells: &Cells| cells.clone().map(|cell| cell.replace('<', "&lt;")).join(" | ");
    let pipes: Vec<String> = rows.iter().map(|cells| format!("| {} |", escaped(cells))).collect();
    let pipes = format!("| {} |\n|---|---|---|\n{}", heads.join(" | "), pipes.join("\n"));
    let html: Vec<String> = rows
        .iter()
        .map(|cells| {
            let cells = cells.clone().map(|cell| format!("<td>{}", cell.replace('<', "&lt;")));
            format!("<tr>{}", cells.concat())
        })
        .collect();
    let html = format!("<table><tr><th>{}\n{}</table>", heads.join("<th>"), html.join("\n"));
    let lines = |first: usize| (first..first + rows.len()).collect::<Vec<_>>();
    vec![("tabs", tabs, lines(2)), ("pipes", pipes, lines(3)), ("html", html, lines(2))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Importing what was rendered gives the same charter.
    #[test]
    fn rendering_loses_nothing(view in view()) {
        for (language, own) in Language::ALL.map(|own| Language::ALL.map(|l| (l, own))).concat() {
            let pages = [
                (Format::Html, render::page_html(&view, language, own)),
                (Format::Markdown, render::page_markdown(&view, language)),
                (Format::Json, render::page_json(&view, language)),
            ];
            for (format, page) in pages {
                prop_assert_eq!(import::format_of(&page), format, "{}", page);
                match import::read(&page, format) {
                    Ok(import) => {
                        prop_assert_eq!(&entries(&import), &view.entries, "{}", page);
                        prop_assert_eq!(import.unplaced, []);
                        prop_assert_eq!(import.domain.as_deref(), Some(&*view.domain));
                        prop_assert_eq!(import.language, Some(language));
                    }
                    Err(error) => {
                        prop_assert!(view.entries.is_empty(), "{error}: {page}");
                    }
                }
            }
        }
    }

    /// The site file that is written of a page passes, and declares what the page does.
    #[test]
    fn what_is_imported_passes(view in view()) {
        let page = render::page_json(&view, Language::French);
        if let Ok(import) = import::read(&page, Format::Json) {
            let file = SiteFile { source: "x", domain: None, upstream: None, import: &import };
            let text = file.to_string();
            match site_from_str("site.toml".as_ref(), &text) {
                Ok(site) => {
                    let read = CharterView::of(&site.domain, &site.charter);
                    prop_assert_eq!(&read.entries, &view.entries, "{}", text);
                }
                Err(mistakes) => prop_assert!(false, "{mistakes}\n{text}"),
            }
        }
    }

    /// Every row that is not blank ends as a declaration or as a comment.
    #[test]
    fn no_row_is_lost(rows in prop::collection::vec(cells(), 1..12)) {
        for (layout, page, lines) in layouts(&rows) {
            let import = import::read(&page, import::format_of(&page));
            let Ok(import) = import else {
                prop_assert!(rows.iter().all(is_blank), "{layout}: {page}");
                continue;
            };
            let found = import.found.iter().map(|found| found.line);
            let kept: BTreeSet<usize> =
                found.chain(import.unplaced.iter().map(|unplaced| unplaced.line)).collect();
            for (row, line) in rows.iter().zip(lines) {
                prop_assert!(
                    kept.contains(&line) || is_blank(row),
                    "{layout}: line {line} {row:?} of\n{page}\n{import:#?}"
                );
            }
            // Nothing is invented: a name is one that its row holds.
            for found in &import.found {
                let known = found.entry.name.as_str().trim_matches('*').replace(".*", ".#");
                prop_assert!(page.contains(&known), "{layout}: {:?}", found.entry);
                prop_assert!(found.entry.category != Category::Necessary
                    || page.contains("Cookies nécessaires"));
            }
            let file = SiteFile { source: "x", domain: None, upstream: None, import: &import };
            let checked = site_from_str("site.toml".as_ref(), &file.to_string());
            prop_assert!(checked.is_ok(), "{:?}\n{file}", checked.err());
        }
    }

    /// Whatever the page, there is an answer, and a site file of it passes.
    #[test]
    fn any_page_is_read(page in prop::collection::vec(prop_oneof![text(), name(), Just("\n| ".to_owned()),
        Just("<tr><td>".to_owned()), Just("Cookie\tFinalité\n".to_owned()), Just("<table>".to_owned()),
        Just("Cookie  Purpose  Expiry\n".to_owned()), Just("<dl><dt>".to_owned())], 0..30)) {
        let page = page.concat();
        for format in [Format::Text, Format::Markdown, Format::Html, Format::Json] {
            if let Ok(import) = import::read(&page, format) {
                let file = SiteFile { source: &page, domain: None, upstream: None, import: &import };
                let checked = site_from_str("site.toml".as_ref(), &file.to_string());
                prop_assert!(checked.is_ok(), "{:?}\n{file}", checked.err());
            }
        }
    }
}

fn is_blank(row: &Cells) -> bool {
    row.iter().all(String::is_empty)
}

fn firewall(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cookie-firewall"))
        .args(arguments)
        .env_remove("COOKIE_FIREWALL_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // One that has failed already reads nothing.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn succeeds(arguments: &[&str], input: &[u8]) -> (String, String) {
    let output = firewall(arguments, input);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{stderr}");
    (stdout, stderr)
}

#[track_caller]
fn fails(code: i32, message: &str, arguments: &[&str], input: &[u8]) {
    let output = firewall(arguments, input);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(message) && output.stdout.is_empty(), "{stderr}");
}

/// A page in Latin-1, with one row that cannot be placed.
const LATIN_1: &[u8] = b"Cookies n\xe9cessaires de <https://data.example.fr>\n\n\
    Nom\tFinalit\xe9\tPrestataire\nsessionid\tS\xe9ance\tPortail\npr\xe9nom\tx\ty\n";

#[test]
fn a_page_from_standard_input() {
    let (site, report) = succeeds(&["charter", "import", "-"], LATIN_1);
    for line in [
        "domain   = \"data.example.fr\"",
        "purpose  = \"Séance\"",
        "category = \"necessary\"",
        "# line 5 could not be placed: no cookie name holds 'é'\n#   prénom",
    ] {
        assert!(site.contains(line), "no {line:?} in:\n{site}");
    }
    assert!(report.contains("line 5: kept as a comment: no cookie name holds 'é'"), "{report}");
    assert!(report.ends_with("1 declaration, 1 row kept as comments\n"), "{report}");
    let domain = ["charter", "import", "--domain", "x.fr", "--upstream", "https://y.fr"];
    let (site, _) = succeeds(&domain, LATIN_1);
    assert!(site.contains("domain   = \"x.fr\"") && site.contains("upstream = \"https://y.fr\""));
}

#[test]
fn what_goes_wrong_is_told() {
    fails(2, "no table of cookies was found", &["charter", "import"], b"nothing");
    fails(2, "not JSON", &["charter", "import", "--format", "json"], b"{");
    fails(2, "cannot read nowhere.txt", &["charter", "import", "nowhere.txt"], b"");
    fails(2, "cannot read .", &["charter", "import", "."], b"");
    let bad = ["charter", "import", "--domain", "http://x", "--upstream", "y"];
    fails(2, "--domain: \"http://x\" is not a domain", &bad, LATIN_1);
    fails(2, "--upstream: ", &bad, LATIN_1);
    fails(2, "larger than 4 MiB", &["charter", "import"], &vec![b'a'; (4 << 20) + 1]);
    fails(1, "http://127.0.0.1:1/", &["charter", "import", "http://127.0.0.1:1/"], b"");
    fails(1, "is not http://host/", &["charter", "import", "http://a@b/"], b"");
    let unknown = ["charter", "render", "--site", "x", "--config", "config/cookie-firewall.toml"];
    fails(2, "no site has the domain \"x\"", &unknown, b"");
}

/// Such pages gave a site file that blocks every cookie, and exit code 0.
#[test]
fn a_page_that_declares_nothing_is_an_error() {
    let pages: [(&str, &[u8]); 5] = [
        ("html", b"<table><tr><td>_ga<td>Google</table>"),
        ("markdown", b"| _ga | Google |\n|---|---|\n| _gid | Google |\n"),
        ("csv", b"_ga,Google\n_gid,Google\n"),
        ("json", b"[\"_ga\"]"),
        ("text", b"a\tb\n"),
    ];
    for (format, page) in pages {
        let arguments = ["charter", "import", "--format", format];
        fails(2, "no cookie is declared by the", &arguments, page);
        fails(2, "line 1: ", &arguments, page);
    }
    for page in
        [&b"Cookie\tPurpose\n_ga\tx\0\n"[..], b"N\0o\0m\0\t\0", b"\x01\x02\x03\x7f\xff\xfe_ga"]
    {
        fails(2, "the page is no text", &["charter", "import"], page);
    }
}

#[test]
fn a_file_is_written_once() {
    let directory = Directory::new();
    let page = directory.write("page.txt", "Cookie\tPurpose\n_ga\tp\n");
    let page = page.to_str().expect("UTF-8");
    let to = page.replace("page.txt", "site.toml");
    let (stdout, report) = succeeds(&["charter", "import", page, "-o", &to], b"");
    assert_eq!(stdout, "");
    assert!(report.contains("the page does not say its domain: give --domain"), "{report}");
    assert!(report.contains("1 declaration in no category"), "{report}");
    let site = std::fs::read_to_string(&to).expect("a file");
    assert!(site.contains("category = \"unclassified\"\nconsent  = \"unclassified\""), "{site}");
    fails(2, "exists already", &["charter", "import", page, "-o", &to], b"");
}

#[test]
fn the_published_charters_render_and_come_back() {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/config/cookie-firewall.toml");
    let site = ["charter", "render", "--config", config, "--site", "data.osmontrouge.fr"];
    for format in ["html", "markdown", "json"] {
        for language in ["fr", "en"] {
            let further = ["--format", format, "--language", language];
            let (page, _) = succeeds(&[&site[..], &further].concat(), b"");
            let (imported, report) = succeeds(&["charter", "import"], page.as_bytes());
            assert_eq!(report, "4 declarations, 0 rows kept as comments\n");
            let read = |text: &str| site_from_str("s.toml".as_ref(), text).expect("a site");
            let published = std::fs::read_to_string(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/config/sites/data.osmontrouge.fr.toml"
            ));
            let (ours, theirs) = (read(&imported), read(&published.expect("a file")));
            let of =
                |site: &cookie_firewall::config::Site| CharterView::of(&site.domain, &site.charter);
            assert_eq!(of(&ours), of(&theirs), "{page}");
            assert_eq!(ours.language.tag(), language);
        }
    }
}

/// Answers one request after the other with these; the requests come back.
fn serve(answers: Vec<Vec<u8>>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let answering = std::thread::spawn(move || {
        let answer = |answer: Vec<u8>| {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                request.push(byte[0]);
            }
            stream.write_all(&answer).expect("a client that listens");
            String::from_utf8(request).expect("ASCII")
        };
        answers.into_iter().map(answer).collect()
    });
    (address, answering)
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A column that looks like one of categories may hold anything; what is handed out passes.
#[test]
fn more_categories_than_a_site_can_have() {
    let rows: String = (0..200).map(|i| format!("c{i}\tkind{i}\n")).collect();
    for page in
        [format!("Cookie\tCategory\n{rows}"), format!("Cookie\tCategory\ntarteaucitron\tx\n{rows}")]
    {
        let (site, report) = succeeds(&["charter", "import", "--domain", "x.fr"], page.as_bytes());
        assert!(site.contains("# line 201: kind199\n") || site.contains("# line 202: kind199\n"));
        assert!(report.contains("in no category of the page"), "{report}");
    }
}

#[test]
fn a_page_from_an_address() {
    let page = b"<table><tr><th>Cookie<th>Finalit\xe9<tr><td>_ga<td>Mesure</table>";
    let (address, requests) = serve(vec![
        answer("301 Moved\r\nlocation: /charte?x=1#y", b""),
        answer("200 OK\r\ncontent-type: text/html; charset=iso-8859-1", page),
    ]);
    let (site, report) = succeeds(&["charter", "import", &format!("{address}/start")], b"");
    assert!(site.contains("domain   = \"127.0.0.1\"") && site.contains("purpose  = \"Mesure\""));
    assert!(report.ends_with("1 declaration, 0 rows kept as comments\n"), "{report}");
    let requests = requests.join().expect("both were answered");
    assert!(requests[0].starts_with("GET /start HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[1].starts_with("GET /charte?x=1 HTTP/1.1\r\n"), "{}", requests[1]);
}

#[test]
fn addresses_that_lead_nowhere() {
    let (address, _) = serve(vec![answer("404 Not Found", b"")]);
    fails(1, "the server answers 404", &["charter", "import", &address], b"");
    let (address, _) = serve(vec![answer("302 Found\r\nlocation: /", b""); 6]);
    fails(1, "more than 5 redirects", &["charter", "import", &address], b"");
    let (address, _) = serve(vec![answer("302 Found\r\nlocation: ftp://x/", b"")]);
    fails(1, "is not http://host/", &["charter", "import", &address], b"");
    let (address, _) = serve(vec![answer("200 OK\r\ncontent-encoding: gzip", b"\x1f\x8b")]);
    fails(1, "curl --compressed", &["charter", "import", &address], b"");
}
