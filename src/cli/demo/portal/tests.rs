//! The portal as a browser would meet it.

use super::*;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MOMENT: Moment = Moment {
    unix_ms: 1_790_000_000_123,
    session: 0x5e55_0000_0000_0000_0000_0000_0000_0001,
    secret: 0x5ec2_e700_0000_0000_0000_0000_0000_0002,
    mask: 0x7777_7777_7777_7777_7777_7777_7777_7777,
    visitor: 0xabcd_ef01_2345_6789_abcd_ef01_2345_6789,
};
const SECRET_COOKIE: &str = "csrftoken=000000000000000000000000000000ff";
const SECRET_TOKEN: &str = "00000000000000000000000000000f0f00000000000000000000000000000ff0";
const TRACKERS: [&str; 4] = ["_pk_id.1.1fff", "_pk_ses.1.1fff", "_ga", "city_tracker"];

struct Seen {
    status: u16,
    lines: Vec<String>,
    headers: HeaderMap,
    body: String,
}

impl Seen {
    fn names(&self) -> Vec<&str> {
        self.lines.iter().filter_map(|line| Some(line.split_once('=')?.0)).collect()
    }
}

fn seen(visit: &Visit<'_>) -> Seen {
    let (head, body) = answer(visit, MOMENT).into_parts();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let body = runtime.block_on(body.collect()).expect("a full body").to_bytes();
    let text = |value: &HeaderValue| value.to_str().expect("ASCII").to_owned();
    Seen {
        status: head.status.as_u16(),
        lines: head.headers.get_all(SET_COOKIE).iter().map(text).collect(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).expect("UTF-8"),
    }
}

fn get(path: &str, cookies: &str) -> Seen {
    let cookies = cookies.as_bytes();
    seen(&Visit { method: &Method::GET, path, cookies, languages: b"", form: b"" })
}

fn post(path: &str, cookies: &str, form: &str) -> Seen {
    let (cookies, form) = (cookies.as_bytes(), form.as_bytes());
    seen(&Visit { method: &Method::POST, path, cookies, languages: b"", form })
}

#[test]
fn every_page_sets_its_trackers_whatever_the_visitor_said() {
    let refused = "sessionid=x; cookies_preferences=%7B%22matomo%22%3Afalse%7D";
    for (path, status) in [("/", 200), ("/nowhere", 404), ("/favicon.ico", 404)] {
        let first = get(path, "");
        assert_eq!(first.status, status, "{path}");
        assert_eq!(first.names()[..2], ["sessionid", "csrftoken"], "{path}");
        assert_eq!(first.names()[2..], TRACKERS, "{path}");
        assert_eq!(get(path, refused).names()[1..], TRACKERS, "{path}");
    }
}

#[test]
fn lines_ask_for_what_the_charter_will_judge() {
    let lines = get("/", "").lines;
    let attributes: Vec<_> =
        lines.iter().filter_map(|line| line.split_once("; Path=/; ")).map(|l| l.1).collect();
    assert_eq!(
        attributes,
        [
            "Max-Age=1209600; HttpOnly; SameSite=Lax",
            "Max-Age=31449600; SameSite=Lax",
            "Max-Age=33955200; SameSite=Lax",
            "Max-Age=1800; SameSite=Lax",
            "Max-Age=63072000; SameSite=Lax",
            "Max-Age=31536000; HttpOnly; SameSite=Lax",
        ]
    );
}

#[test]
fn the_secret_of_a_visitor_is_kept_and_a_strange_one_replaced() {
    let token = |cookies| {
        let lines = get("/", cookies).lines;
        lines.iter().find_map(|l| l.strip_prefix("csrftoken=")?.get(..32).map(str::to_owned))
    };
    assert_eq!(token(SECRET_COOKIE).as_deref(), Some("000000000000000000000000000000ff"));
    for strange in ["", "csrftoken=", "csrftoken=<b>", "csrftoken=+00000000000000000000000000000ff"]
    {
        assert_eq!(token(strange), Some(format!("{:032x}", MOMENT.secret)), "{strange}");
    }
}

#[test]
fn what_is_asked_about_cookies_sets_none() {
    for path in ["/cookies.json", "/portal.css", "/portal.js"] {
        let seen = get(path, "a=1");
        assert_eq!((seen.status, seen.lines.len()), (200, 0), "{path}");
        assert_eq!(seen.headers[CACHE_CONTROL], "no-store", "{path}");
    }
    let names = get("/cookies.json", "b=secret; a=1;; a=2; bare; =x; c\"<").body;
    assert_eq!(names, r#"{"received":["","a","b"]}"#);
    assert_eq!(get("/cookies.json", "").body, r#"{"received":[]}"#);
}

#[test]
fn nothing_is_stored_on_the_way() {
    let form = format!("csrfmiddlewaretoken={SECRET_TOKEN}&language=fr");
    let all = [
        get("/", ""),
        get("/nowhere", ""),
        get("/language", ""),
        post("/language", SECRET_COOKIE, &form),
        post("/language", "", &form),
        post("/language", SECRET_COOKIE, &form.replace("=fr", "=tlh")),
    ];
    for seen in &all {
        assert_eq!(seen.headers[CACHE_CONTROL], "no-store", "{}", seen.status);
    }
    assert_eq!(all.map(|seen| seen.status), [200, 404, 405, 303, 403, 400]);
}

#[test]
fn a_form_is_taken_from_the_portals_own_pages_alone() {
    let token = format!("csrfmiddlewaretoken={SECRET_TOKEN}");
    let cases = [
        (SECRET_COOKIE, token.as_str(), 303),
        ("", token.as_str(), 403),
        ("csrftoken=000000000000000000000000000000fe", token.as_str(), 403),
        ("csrftoken=ff", token.as_str(), 403),
        (SECRET_COOKIE, "", 403),
        (SECRET_COOKIE, "csrfmiddlewaretoken=", 403),
        (SECRET_COOKIE, "csrfmiddlewaretoken=000000000000000000000000000000ff", 403),
        (SECRET_COOKIE, "csrfmiddlewaretoken=%C3%A9", 403),
    ];
    for (cookies, token, expected) in cases {
        for (path, field) in [("/language", "language=fr"), ("/preferences", "choice=accept")] {
            let seen = post(path, cookies, &format!("{field}&{token}"));
            assert_eq!(seen.status, expected, "{path} with {cookies} and {token}");
        }
    }
}

#[test]
fn the_token_of_a_page_opens_its_forms() {
    let page = get("/", "");
    let (_, after) = page.body.split_once("name=\"csrfmiddlewaretoken\" value=\"").expect("one");
    let cookie = page.lines[1].split_once(';').expect("attributes").0;
    let seen =
        post("/language", cookie, &format!("csrfmiddlewaretoken={}&language=en", &after[..64]));
    assert_eq!(seen.status, 303);
    assert_eq!(seen.headers[LOCATION], "/");
    assert_eq!(seen.lines[0], "django_language=en; Path=/; Max-Age=31536000; SameSite=Lax");
}

#[test]
fn preferences_are_written_as_the_banner_writes_them() {
    let written = |fields: &str| {
        let form = format!("csrfmiddlewaretoken={SECRET_TOKEN}&{fields}");
        let seen = post("/preferences", SECRET_COOKIE, &form);
        let line = seen.lines[0].strip_prefix("cookies_preferences=").expect("the answer");
        let (value, attributes) = line.split_once("; ").expect("attributes");
        assert_eq!(attributes, "Path=/; Max-Age=15552000; SameSite=Lax");
        assert!(!value.contains(['{', '"', ',', ':', '}']), "{value}");
        serde_json::from_slice::<Value>(&percent_decoded(value.as_bytes())).expect("JSON")
    };
    let answer = |matomo: bool, ga: bool| {
        let time = MOMENT.unix_ms;
        json!({ "functional_cookies": true, "matomo": matomo, "ga": ga, "timestamp": time })
    };
    assert_eq!(written("choice=accept"), answer(true, true));
    assert_eq!(written("choice=refuse&matomo=on&ga=on"), answer(false, false));
    assert_eq!(written("choice=save&matomo=on"), answer(true, false));
    assert_eq!(written("ga=on"), answer(false, true));
}

#[test]
fn the_page_shows_the_answer_it_received() {
    let with = |value: &str| get("/", &format!("cookies_preferences={value}")).body;
    let page = with("%7B%22matomo%22%3Atrue%2C%22ga%22%3Afalse%7D");
    assert!(page.contains("Matomo accepted, Google Analytics refused."));
    assert!(page.contains("name=\"matomo\" checked>"));
    assert!(page.contains("name=\"ga\" >"));
    for unreadable in ["", "%7B", "%E0%A4%A", "true", "null"] {
        assert!(with(unreadable).contains("You have not answered yet"), "{unreadable}");
    }
}

#[test]
fn pages_name_cookies_and_never_show_values() {
    let cookies = "sessionid=hush-session; csrftoken=000000000000000000000000000000ff; \
                   stray=hush-stray; <i>\"&'=hush-markup; hush-nameless";
    for path in ["/", "/nowhere", "/cookies.json"] {
        let Seen { body, lines, .. } = get(path, cookies);
        assert!(!body.contains("hush"), "{path}");
        for line in lines.iter().filter(|line| !line.starts_with("_pk_ses")) {
            let value = line.split(['=', ';']).nth(1).expect("a value");
            assert!(!body.contains(value), "{path}: {line}");
        }
    }
    let page = get("/", cookies).body;
    assert!(page.contains("data-name=\"stray\""));
    assert!(page.contains("<code>&lt;i&gt;&quot;&amp;&#39;</code>"));
    assert!(page.contains("<code>(nameless)</code>"));
    assert!(!page.contains("<i>"));
}

#[test]
fn names_from_outside_are_not_read_as_template() {
    let page = get("/", "{{token}}=1; [[a|b]]=1").body;
    assert!(page.contains("<code>{{token}}</code>"));
    assert!(page.contains("<code>[[a|b]]</code>"));
}

#[test]
fn rows_say_what_was_tried_and_what_came_back() {
    let page = get("/", "sessionid=1; _ga=1; django_language=en").body;
    let row = |name: &str| {
        let start = format!("<tr role=\"row\" data-name=\"{name}\"");
        page.lines().find(|line| line.starts_with(&start)).unwrap_or_default()
    };
    let cases = [
        ("sessionid", false, true, "declared"),
        ("csrftoken", true, false, "declared"),
        ("django_language", false, true, "declared"),
        ("_pk_id.1.1fff", true, false, "declared"),
        ("_ga", true, true, "declared"),
        ("city_tracker", true, false, "not declared"),
    ];
    for (name, tried, came_back, tag) in cases {
        assert_eq!(row(name).contains(" data-set>"), tried, "{name}");
        assert_eq!(row(name).contains(">received<"), came_back, "{name}");
        assert!(row(name).contains(&format!(">{tag}</span>")), "{name}");
    }
    assert_eq!(row("cookies_preferences"), "");
}

#[test]
fn every_slot_and_phrase_of_the_template_is_filled() {
    for language in [Language::French, Language::English] {
        let text = translated(PAGE, language);
        assert!(!text.contains("[[") && !text.contains("]]") && !text.contains('|'));
        fill(&mut String::new(), &text, |slot| {
            let known = ["lang", "french", "english", "token", "notice", "answer"];
            let more = ["matomo", "ga", "rows"];
            assert!(known.contains(&slot) || more.contains(&slot), "{slot}");
            String::new()
        });
    }
    assert_eq!(PAGE.matches("[[").count(), PAGE.matches("]]").count());
}

#[test]
fn the_language_is_the_chosen_one_or_the_preferred_one() {
    use Language::{English, French};
    let cases = [
        ("", "", English),
        ("", "fr", French),
        ("", "fr-CA, en;q=0.8", French),
        ("", "en;q=0.5, FR;q=0.7", French),
        ("", "de, fr;q=0.2, en;q=0.1", French),
        ("", "fr;q=0, de", English),
        ("", "fro, é, f, ;q=, fr;q=x", English),
        ("django_language=fr", "en", French),
        ("django_language=en", "fr", English),
        ("django_language=de", "fr", French),
    ];
    for (cookies, languages, expected) in cases {
        let visit = Visit {
            method: &Method::GET,
            path: "/",
            cookies: cookies.as_bytes(),
            languages: languages.as_bytes(),
            form: b"",
        };
        assert_eq!(visit.language(), expected, "{cookies:?} with {languages:?}");
    }
}

#[test]
fn methods() {
    for (method, path, status, allow) in [
        (Method::HEAD, "/", 200, None),
        (Method::POST, "/", 405, Some("GET, HEAD")),
        (Method::DELETE, "/cookies.json", 405, Some("GET, HEAD")),
        (Method::GET, "/preferences", 405, Some("POST")),
        (Method::PUT, "/nowhere", 404, None),
    ] {
        let visit = Visit { method: &method, path, cookies: b"", languages: b"", form: b"" };
        let seen = seen(&visit);
        assert_eq!(seen.status, status, "{method} {path}");
        let found = seen.headers.get(ALLOW).map(|value| value.to_str().expect("ASCII"));
        assert_eq!(found, allow, "{method} {path}");
    }
}

#[test]
fn percent_encoding_there_and_back() {
    let text = "{\"a\":true, é'(~)}";
    assert_eq!(percent_encoded(text), "%7B%22a%22%3Atrue%2C%20%C3%A9'(~)%7D");
    assert_eq!(percent_decoded(percent_encoded(text).as_bytes()), text.as_bytes());
    for broken in ["%", "%4", "%zz", "100%"] {
        assert_eq!(percent_decoded(broken.as_bytes()), broken.as_bytes());
    }
}

#[tokio::test]
async fn a_form_beyond_the_limit_gets_413() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve(listener));
    for (length, expected) in
        [(FORM_LIMIT, "403"), (FORM_LIMIT + 1, "413"), (20 * FORM_LIMIT, "413")]
    {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!(
            "POST /language HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("head sent");
        stream.write_all(&vec![b'a'; length]).await.expect("body sent");
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.expect("response read");
        let status = String::from_utf8_lossy(&response[9..12]).into_owned();
        assert_eq!(status, expected, "{length} bytes");
    }
}
