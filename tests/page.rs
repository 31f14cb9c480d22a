//! The firewall's own page, over sockets: reading the charter, choosing, and what is refused.

mod support;

use std::sync::Arc;

use bytes::Bytes;
use cookie_firewall::telemetry::charter_hash;
use http_body_util::Full;
use nix::fcntl::{Flock, FlockArg};
use support::tls::{Authority, connect, table, with};
use support::{CHARTER, DOMAIN, Firewall, Message, Origin, Setup, consent, h2, setting};

const PAGE: &str = "/.well-known/cookie-firewall/";
const SAME: &str = "Sec-Fetch-Site: same-origin";

fn origin() -> Origin {
    let cookies: [&[u8]; 3] = [b"sessionid=1; Path=/", b"_pk_id.1=2; Path=/", b"_ga=3; Path=/"];
    Origin::fixed(setting("200 OK", &cookies))
}

/// A site with these further tables.
fn site(origin: &Origin, more: &str) -> Setup {
    Setup::new(&format!("upstream = \"{}\"\n{CHARTER}\n{more}", origin.url()))
}

fn form(body: &str, lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "POST {PAGE}preferences HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{lines}\r\n{body}",
        body.len()
    )
}

fn post(firewall: &Firewall, body: &str, lines: &[&str]) -> Message {
    firewall.connect().send(form(body, lines)).response()
}

/// What a user agent would send back of these `Set-Cookie` lines.
fn kept(response: &Message) -> String {
    let lines = response.texts("set-cookie");
    let kept = lines.iter().filter(|line| !line.contains("Max-Age=0"));
    let pairs = kept.map(|line| line.split(';').next().expect("a pair"));
    pairs.collect::<Vec<_>>().join("; ")
}

/// The names of the cookies that pass with this `Cookie` field.
fn passing(firewall: &Firewall, cookies: &str) -> Vec<String> {
    let lines = firewall.get_with(cookies).texts("set-cookie");
    lines.iter().map(|line| line.split('=').next().expect("a name").to_owned()).collect()
}

#[test]
fn the_page_in_the_languages_of_its_visitors() {
    let origin = origin();
    let firewall = site(&origin, "[page]\npath = \"/cookies/\"").start();
    for (path, accept, lang, text) in [
        (PAGE, "en-GB, fr;q=0.5", "en", "Accept all"),
        (PAGE, "de", "fr", "Tout accepter"),
        ("/.well-known/cookie-firewall/?lang=en", "fr", "en", "Refuse all"),
        ("/cookies/", "fr", "fr", "Tout refuser"),
        ("/cookies/?lang=%3Cscript%3E", "en", "en", "Save my selection"),
    ] {
        let page = firewall.get(path, &[&format!("Accept-Language: {accept}")]);
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(page.texts("content-language"), [lang]);
        assert!(page.text().contains(&format!("<html lang=\"{lang}\">")));
        assert!(page.text().contains(text), "{path}: {}", page.text());
        assert!(page.text().contains("_pk_id.*") && page.text().contains("<caption>"));
        assert_eq!(page.texts("cache-control"), ["no-store"]);
        assert_eq!(page.texts("vary"), ["Accept-Language, Cookie, Sec-GPC"]);
        assert_eq!(page.texts("x-content-type-options"), ["nosniff"]);
        assert_eq!(page.texts("referrer-policy"), ["same-origin"]);
        let policy = page.texts("content-security-policy").join("");
        for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe") && !page.text().contains("<script"));
    }
    assert!(origin.seen().is_empty());
    assert_eq!(firewall.get("/cookies", &[]).status(), 200);
    assert_eq!(origin.seen().len(), 1, "the portal keeps its other addresses");
    let labels = [("site", DOMAIN), ("method", "GET"), ("code", "200")];
    assert_eq!(firewall.metric("cookie_firewall_requests_total", &labels), 6.0);
}

#[test]
fn what_was_chosen_is_shown_and_no_value_is() {
    let firewall = Firewall::before(&origin());
    let page = firewall.get(PAGE, &[&format!("Cookie: {}; secret=hidden42", consent(true, false))]);
    let text = page.text();
    assert!(text.contains("value=\"statistics\" aria-describedby=\"about-0\" checked"), "{text}");
    assert!(text.contains("value=\"marketing\" aria-describedby=\"about-1\">"), "{text}");
    let boxes = text.matches("type=\"checkbox\"").count();
    assert_eq!(boxes, 2, "what is always on is no box to tick");
    assert!(!text.contains("hidden42"));
    let cookie = format!("Cookie: {}", consent(true, true));
    let text = firewall.get(PAGE, &[&cookie, "Sec-GPC: 1"]).text();
    assert!(text.contains("value=\"marketing\" aria-describedby=\"about-1\" disabled"), "{text}");
}

#[test]
fn a_choice_is_read_back_by_the_firewall() {
    let firewall = Firewall::before(&origin());
    for (body, state, expected) in [
        ("choice=accept", "granted", &["sessionid", "_pk_id.1", "_ga"][..]),
        ("choice=refuse&category=statistics", "denied", &["sessionid"]),
        ("choice=save&category=statistics", "partial", &["sessionid", "_pk_id.1"]),
        ("choice=save&category=marketing&category=necessary", "partial", &["sessionid", "_ga"]),
        ("choice=save&category=%3Cscript%3E&category=%0d%0aSet-Cookie:x", "denied", &["sessionid"]),
        ("choice=save", "denied", &["sessionid"]),
    ] {
        let labels = [("state", state)];
        let before = firewall.metric("cookie_firewall_consent_total", &labels);
        let response = post(&firewall, body, &[SAME, "Accept-Language: en"]);
        assert_eq!(response.status(), 303, "{body}");
        assert_eq!(response.texts("location"), [format!("{PAGE}?saved&lang=en")]);
        let [line] = &response.texts("set-cookie")[..] else { panic!("{response:?}") };
        assert!(line.starts_with("cookies_preferences="), "{line}");
        assert!(line.ends_with("; Path=/; Max-Age=15552000; SameSite=Lax"), "{line}");
        let cookies = kept(&response);
        assert_eq!(passing(&firewall, &cookies), expected, "{body}");
        assert_eq!(firewall.metric("cookie_firewall_consent_total", &labels), before + 1.0);
        let page = firewall.get(&format!("{PAGE}?saved&lang=en"), &[&format!("Cookie: {cookies}")]);
        assert!(page.text().contains("role=\"status\">Your choice has been saved."));
    }
    let saved = firewall.metric("cookie_firewall_choices_total", &[("choice", "save")]);
    assert_eq!(saved, 4.0);
    let unkept = firewall.get(&format!("{PAGE}?saved&lang=fr"), &[]);
    assert!(unkept.text().contains("role=\"alert\">Votre navigateur n'a pas gardé"));
}

/// The visitor may leave from here; whoever looks into the browser then is not to find what was refused.
#[test]
fn the_page_after_a_refusal_expires_what_was_refused() {
    let firewall = Firewall::before(&origin());
    let cookies = |marketing| format!("Cookie: _ga=1; sessionid=2; {}", consent(true, marketing));
    let page = firewall.get(PAGE, &[&cookies(false), "Accept: text/html"]);
    let lines = page.texts("set-cookie");
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with("_ga=; Max-Age=0; ")), "{lines:?}");
    let expired = [("cookie", "_ga"), ("mode", "enforce")];
    assert_eq!(firewall.metric("cookie_firewall_withdrawals_total", &expired), 1.0);
    for lines in [&[&*cookies(true), "Accept: text/html"][..], &[&cookies(false)]] {
        assert!(firewall.get(PAGE, lines).texts("set-cookie").is_empty(), "{lines:?}");
    }
}

#[test]
fn a_copy_for_a_parent_domain_is_removed_first() {
    let firewall = Firewall::before(&origin());
    let cookie = format!("Cookie: {}", consent(true, true));
    let lines = post(&firewall, "choice=refuse", &[SAME, &cookie]).texts("set-cookie");
    let removal = "cookies_preferences=; Path=/; Max-Age=0; SameSite=Lax; Domain=";
    assert_eq!(lines[..2], [format!("{removal}{DOMAIN}"), format!("{removal}example.fr")]);
    assert_eq!(lines.len(), 3);
    assert!(lines[2].contains("Max-Age=15552000"));
}

#[test]
fn a_tool_that_cannot_be_written_leaves_it_to_eu_consent() {
    let charter = CHARTER.replace("[consent.categories]", "[consent]\ntool = \"cookiebot\"\n[x]");
    let charter = charter.split("[x]").next().expect("a part").to_owned()
        + "[[cookie]]\nname = \"_pk_id.*\"\nprovider = \"P\"\npurpose = \"T\"\ncategory = \"statistics\"\n";
    let firewall = Firewall::with(&format!("upstream = \"{}\"\n{charter}", origin().url()));
    let response = post(&firewall, "choice=accept", &[SAME, "Cookie: CookieConsent=x"]);
    let lines = response.texts("set-cookie");
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[2], "CookieConsent=; Path=/; Max-Age=0; SameSite=Lax");
    assert!(kept(&response).starts_with("eu-consent="), "{lines:?}");
    assert_eq!(passing(&firewall, &kept(&response)), ["_pk_id.1"]);
}

#[test]
fn forms_of_other_sites_are_refused() {
    let firewall = Firewall::before(&origin());
    for (lines, status) in [
        (&[][..], 403),
        (&["Sec-Fetch-Site: cross-site"], 403),
        (&["Sec-Fetch-Site: same-site", "Origin: http://data.example.fr"], 403),
        (&["Sec-Fetch-Site: none"], 403),
        (&["Origin: null"], 403),
        (&["Origin: http://evil.example"], 403),
        (&["Origin: https://data.example.fr"], 403),
        (&["Origin: null", "Referer: http://data.example.fr/"], 403),
        (&["Referer: http://evil.example/http://data.example.fr/"], 403),
        (&["Origin: http://data.example.fr"], 303),
        (&["Referer: http://data.example.fr/x"], 303),
        (&[SAME], 303),
    ] {
        let response = post(&firewall, "choice=accept", lines);
        assert_eq!(response.status(), status, "{lines:?}");
        assert_eq!(response.texts("set-cookie").is_empty(), status == 403, "{lines:?}");
    }
}

#[test]
fn methods_addresses_and_bodies_that_are_none() {
    let origin = origin();
    let firewall = Firewall::before(&origin);
    let ask = |method: &str, path: &str| {
        firewall.exchange(&format!("{method} {path} HTTP/1.1\r\nHost: {DOMAIN}\r\n"))
    };
    let preferences = format!("{PAGE}preferences");
    for (method, path, status, allow) in [
        ("PUT", PAGE, 405, "GET, HEAD"),
        ("POST", PAGE, 405, "GET, HEAD"),
        ("TRACE", PAGE, 405, ""),
        ("GET", &preferences, 405, "POST"),
        ("GET", "/.well-known/cookie-firewall/other", 404, ""),
        ("GET", "/.well-known/cookie-firewall/logo", 404, ""),
        ("GET", "/.well-known/cookie-firewall/../x", 404, ""),
        ("GET", "/.well-known/cookie-firewall", 308, ""),
    ] {
        let response = ask(method, path);
        assert_eq!(response.status(), status, "{method} {path}");
        assert!(allow.is_empty() || response.texts("allow") == [allow], "{method} {path}");
        assert_eq!(response.texts("x-content-type-options"), ["nosniff"]);
    }
    let bad = |body: &str| post(&firewall, body, &[SAME]).status();
    assert_eq!(bad(""), 400);
    assert_eq!(bad("choice=maybe"), 400);
    assert_eq!(bad("choice=accept&choice=refuse"), 400);
    assert_eq!(bad(&format!("choice=accept&x={}", "x".repeat(4096))), 413);
    assert_eq!(bad(&format!("choice=accept&x={}", "x".repeat(4000))), 303);
    let chunked = format!(
        "POST {preferences} HTTP/1.1\r\nHost: {DOMAIN}\r\n{SAME}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n\
         2000\r\n{}\r\n0\r\n\r\n",
        "x".repeat(0x2000)
    );
    assert_eq!(firewall.connect().send(chunked).response().status(), 413);
    let json = form("choice=accept", &[SAME]).replace("x-www-form-urlencoded", "json");
    assert_eq!(firewall.connect().send(json).response().status(), 415);
    assert!(origin.seen().is_empty(), "nothing below the prefix reaches the portal");
}

#[test]
fn head_has_the_fields_and_no_body() {
    let firewall = Firewall::before(&origin());
    let length = firewall.get(PAGE, &[]).texts("content-length");
    let mut peer = firewall.connect();
    let request = format!("HEAD {PAGE} HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n");
    let head = peer.send(request).head().expect("a head");
    assert_eq!((head.status(), head.texts("content-length")), (200, length));
    assert!(peer.is_closed());
}

#[test]
fn a_hostile_charter_is_text() {
    let hostile = "\n[[cookie]]\nname = \"h\"\nprovider = \"<script>alert(1)</script>\"\n\
                   purpose = \"\\\" onload=x '<img>\"\ncategory = \"own\"\nconsent = \"h\"\n\
                   [page]\ntitle = \"</title><script>\"\n";
    let firewall = site(&origin(), hostile).start();
    let text = firewall.get(PAGE, &[]).text();
    assert!(!text.contains("<script") && !text.contains("<img") && !text.contains("<b>"), "{text}");
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{text}");
    assert!(text.contains("<title>&lt;/title&gt;&lt;script&gt;</title>"), "{text}");
    assert!(text.contains("value=\"own\"><label for=\"option-2\">own</label>"), "{text}");
}

#[test]
fn a_title_is_in_the_language_of_its_site() {
    let firewall = site(&origin(), "[page]\ntitle = \"Vos cookies\"\n").start();
    let title = |language| firewall.get(&format!("{PAGE}?lang={language}"), &[]).text();
    assert!(title("fr").contains("<h1>Vos cookies</h1>"));
    assert!(title("en").contains("<h1>Cookie charter of data.example.fr</h1>"));
}

#[test]
fn the_logo_and_the_colour_of_a_site() {
    let page = "[page]\nlogo = \"logo.svg\"\naccent = \"#005A30\"";
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>";
    let firewall = site(&origin(), page).file("logo.svg", svg).start();
    let text = firewall.get(PAGE, &[]).text();
    assert!(text.contains("--accent: #005a30") && text.contains("logo\" alt=\"Retour au site\""));
    let logo = firewall.get(&format!("{PAGE}logo"), &[]);
    assert_eq!((logo.status(), logo.text()), (200, svg.to_owned()));
    assert_eq!(logo.texts("content-type"), ["image/svg+xml"]);
    assert!(logo.texts("content-security-policy")[0].ends_with("; sandbox"));
}

#[test]
fn over_https_the_cookie_is_secure() {
    let authority = Authority::new();
    let setup = site(&origin(), &table(&["site"])).server("https = [\"127.0.0.1:0\"]\n");
    let firewall = with(setup, "site", &authority.issue(&[DOMAIN])).start();
    let client = Arc::new(authority.client(&["http/1.1"]));
    let mut peer = connect(&client, firewall.https[0], DOMAIN);
    let fields = [format!("Origin: https://{DOMAIN}")];
    let response = peer.send(form("choice=accept", &[&fields[0]])).response();
    assert_eq!(response.status(), 303);
    let [line] = &response.texts("set-cookie")[..] else { panic!("{response:?}") };
    assert!(line.ends_with("; Path=/; Max-Age=15552000; SameSite=Lax; Secure"), "{line}");
}

#[test]
fn over_http2_and_in_report_mode_too() {
    let origin = origin();
    let site = format!("upstream = \"{}\"\nmode = \"report\"\n{CHARTER}", origin.url());
    let firewall = Firewall::with(&site);
    let mut client = h2::Client::new(firewall.http);
    assert_eq!(client.get(PAGE, &[("accept-language", "en")]).status(), 200);
    let send = |client: &mut h2::Client, site: &str| {
        let request = client.to(&format!("{PAGE}preferences")).method("POST");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("sec-fetch-site", site);
        let body = Full::new(Bytes::from_static(b"choice=refuse&lang=fr"));
        client.send(request.body(body).expect("a request"))
    };
    let response = send(&mut client, "same-origin");
    assert_eq!(response.texts("location"), [format!("{PAGE}?saved&lang=fr")]);
    assert_eq!(response.texts("set-cookie").len(), 1);
    assert_eq!(send(&mut client, "cross-site").status(), 403);
}

/// Of the ids of a category, a charter may declare cookies of one alone.
#[test]
fn nobody_consents_to_ids_of_cookies_that_are_not_declared() {
    let charter = "upstream = \"http://127.0.0.1:9\"\n[consent]\ntool = \"klaro\"\n\
                   [consent.categories]\nstatistics = [\"matomo\", \"hotjar\"]\n\
                   [[cookie]]\nname = \"_pk_id.*\"\ncategory = \"statistics\"\nconsent = \"matomo\"\n";
    for (tool, expected) in [
        ("klaro", "klaro=%7B%22hotjar%22%3Afalse%2C%22matomo%22%3Atrue%7D"),
        ("cookieyes", "eu-consent=statistics=true&date="),
    ] {
        let firewall = Firewall::with(&charter.replace("klaro", tool));
        for choice in ["choice=accept", "choice=save&category=statistics"] {
            let kept = kept(&post(&firewall, choice, &[SAME]));
            assert!(kept.starts_with(expected), "{kept}");
            let text = firewall.get(PAGE, &[&format!("Cookie: {kept}")]).text();
            assert!(text.contains("value=\"statistics\" aria-describedby=\"about-0\" checked"));
        }
    }
}

/// As an import leaves cookies of which the published page says no category.
#[test]
fn what_nobody_has_classified_is_not_asked_for_and_never_passes() {
    let cookie =
        "[[cookie]]\nname = \"x\"\ncategory = \"unclassified\"\nconsent = \"unclassified\"\n";
    let origin = Origin::fixed(setting("200 OK", &[b"x=1; Path=/"]));
    let firewall = site(&origin, cookie).start();
    let text = firewall.get(PAGE, &[]).text();
    assert!(
        !text.contains("name=\"category\" value=\"unclassified\"") && text.contains("Non classé")
    );
    let accepted = post(&firewall, "choice=accept&category=unclassified", &[SAME]);
    assert!(passing(&firewall, &kept(&accepted)).is_empty());
    let crafted = kept(&accepted).replace("%7B", "%7B%22unclassified%22%3Atrue%2C");
    assert!(passing(&firewall, &crafted).is_empty());
}

/// What the hidden fields called `charter` of a page say, which is the same.
fn charter_of(page: &Message) -> String {
    let text = page.text();
    let mut said = text.split("name=\"charter\" value=\"").skip(1);
    let mut next = || said.next().and_then(|rest| rest.split('"').next()).map(str::to_owned);
    let (one, other) = (next().expect("a form"), next().expect("a second form"));
    assert_eq!((one.len(), &one, next()), (64, &other, None));
    one
}

/// From a page that was opened before the charter changed: nobody accepts what was not shown.
#[test]
fn a_form_of_a_charter_that_has_changed_since_stores_no_consent() {
    let origin = origin();
    let firewall = proved(&origin);
    let open = |language: &str| {
        let page = firewall.get(&format!("{PAGE}?lang={language}"), &[]);
        format!("lang={language}&charter={}", charter_of(&page))
    };
    let (french, english) = (open("fr"), open("en"));
    assert_ne!(french[7..], english[7..], "the proof names the language's own");
    // Another process makes the same of the same charter.
    let restarted = Firewall::before(&origin).get(&format!("{PAGE}?lang=fr"), &[]);
    assert!(french.ends_with(&charter_of(&restarted)));
    let status = |body: &str| post(&firewall, body, &[SAME]).status();
    assert_eq!(status(&format!("choice=accept&{french}")), 303);
    let more = "[[cookie]]\nname = \"new\"\nprovider = \"G\"\npurpose = \"Ads\"\ncategory = \"marketing\"\n";
    let site = format!("domain = \"{DOMAIN}\"\nupstream = \"{}\"\n{CHARTER}\n{more}", origin.url());
    firewall.directory.write("0.site.toml", &site);
    assert_eq!(firewall.reload().0, 200);
    for (form, note) in [
        (&french, "role=\"alert\">La charte de ce site a changé"),
        (&english, "role=\"alert\">The charter of this site has changed"),
    ] {
        for choice in ["accept", "save&category=statistics"] {
            let response = post(&firewall, &format!("choice={choice}&{form}"), &[SAME]);
            assert_eq!(response.status(), 409, "{choice}");
            assert!(response.texts("set-cookie").is_empty());
            assert!(response.text().contains(note), "{}", response.text());
            assert!(
                response.text().contains("<td>Ads</td>") || response.text().contains(">Ads</td>")
            );
            assert_ne!(charter_of(&response), form[16..], "from here on the present one");
        }
    }
    let choices = || firewall.metric("cookie_firewall_choices_total", &[]);
    let proofs = || {
        let text = std::fs::read_to_string(firewall.directory.path("proof.jsonl"));
        let lines = text.expect("a proof");
        lines.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((choices(), proofs().len()), (1.0, 1));
    // A refusal needs no charter to be read, and is proved with the present one.
    let refusal = post(&firewall, &format!("choice=refuse&{french}"), &[SAME]);
    assert_eq!((refusal.status(), refusal.texts("set-cookie").len()), (303, 1));
    let nothing = post(&firewall, &format!("choice=save&{french}"), &[SAME]);
    assert_eq!((nothing.status(), nothing.texts("set-cookie").len()), (303, 1));
    let present = open("fr");
    assert!(proofs()[1].contains(&format!("sha256:{}", &present[16..])));
    assert_eq!(status(&format!("choice=accept&{present}")), 303);
    assert_eq!(status("choice=accept"), 303, "whoever says nothing of a charter");
    assert_eq!(status("choice=accept&charter=x"), 409);
}

/// What could not be recorded must not go on being allowed (GDPR, article 7(3)).
#[test]
fn a_refusal_applies_even_where_it_cannot_be_proved() {
    let origin = origin();
    let firewall = unprovable(&origin);
    let accepted = format!("Cookie: {}", consent(true, true));
    for (body, lines, text) in [
        (
            "choice=refuse&lang=en",
            &[SAME, &*accepted][..],
            "Your refusal applies, but could not be",
        ),
        ("choice=save&lang=fr", &[SAME, &accepted], "Votre refus s'applique, mais n'a pas pu être"),
        ("choice=refuse&lang=en", &[SAME], "Your refusal applies"),
    ] {
        let response = post(&firewall, body, lines);
        assert_eq!(response.status(), 503, "{body}");
        assert_eq!(passing(&firewall, &kept(&response)), ["sessionid"], "{body}");
        let page = response.text();
        assert!(page.contains(&format!("role=\"alert\">{text}")), "{page}");
        assert!(page.contains("You have refused") || page.contains("Vous avez tout refusé"));
        assert!(!page.contains(" checked>"), "as it is from now on: {page}");
    }
    let counted = |name: &str, label| firewall.metric(name, &[label]);
    assert_eq!(counted("cookie_firewall_proof_records_total", ("result", "failed")), 3.0);
    assert_eq!(counted("cookie_firewall_requests_total", ("code", "503")), 3.0);
    // Of what was granted before a part may be taken back; that it was granted is proved already.
    let response = post(&firewall, "choice=save&category=statistics", &[SAME, &accepted]);
    assert_eq!((response.status(), passing(&firewall, &kept(&response)).len()), (503, 2));
    assert!(response.text().contains("role=\"alert\">Votre refus s'applique"));
    // Where anything is granted anew, nothing changes.
    let refused = format!("Cookie: {}", consent(false, true));
    let response = post(&firewall, "choice=save&category=statistics", &[SAME, &refused]);
    assert_eq!((response.status(), response.texts("set-cookie").len()), (503, 0));
}

/// A page that answers a form stands at an address that takes forms alone.
#[test]
fn the_languages_of_a_page_that_answers_a_form_lead_to_the_page() {
    for (table, address) in [("", PAGE), ("[page]\npath = \"/cookies/\"", "/cookies/")] {
        let firewall = site(&origin(), table).start();
        for page in [firewall.get(PAGE, &[]), post(&firewall, "choice=accept&charter=old", &[SAME])]
        {
            let link = format!("<a href=\"{address}?lang=en\"");
            assert!(page.text().contains(&link), "{}", page.text());
            assert!(!page.text().contains("href=\"?"));
        }
        assert_eq!(firewall.get(&format!("{address}?lang=en"), &[]).status(), 200);
    }
}

/// Words of the site's own are in its language, whichever the page is in (WCAG 2.2, 3.1.2).
#[test]
fn the_sites_own_words_are_marked_with_its_language() {
    let own = "\n[[cookie]]\nname = \"o\"\nprovider = \"OSM\"\nservice = \"Fonds de carte\"\n\
               purpose = \"Se souvenir du fond\"\ncategory = \"cartes\"\nconsent = \"o\"\n";
    let firewall = site(&origin(), own).start();
    let page = |language: &str| firewall.get(&format!("{PAGE}?lang={language}"), &[]).text();
    let english = page("en");
    for part in [
        "<td>OSM</td><td lang=\"fr\">Fonds de carte</td>",
        "<td lang=\"fr\">Se souvenir du fond</td>",
        "<td lang=\"fr\"><data value=\"cartes\">cartes</data></td>",
        "<label for=\"option-2\" lang=\"fr\">cartes</label>",
        "<data value=\"statistics\">Statistics</data>",
    ] {
        assert!(english.contains(part), "no {part} in {english}");
    }
    assert!(!english.contains("<td lang=\"fr\"></td>"), "an empty cell is in no language");
    let french = page("fr");
    assert_eq!(french.matches("lang=\"fr\"").count(), 3, "the page, and the link to it: {french}");
    assert!(french.contains("<td>Fonds de carte</td>"));
}

/// A proof must not say granted of what the tool's cookie has no form for.
#[test]
fn what_the_tools_cookie_cannot_hold_is_not_offered() {
    let origin = origin();
    for (tool, broken) in
        [("django-cookie-consent", "g é"), ("tarteaucitron", "g=x!"), ("matomo", "unknown")]
    {
        let site = format!(
            "upstream = \"{}\"\n[consent]\ntool = \"{tool}\"\n[consent.categories]\n\
             statistics = [\"tracking\"]\nmarketing = [\"{broken}\"]\n\
             [[cookie]]\nname = \"_pk_id.*\"\ncategory = \"statistics\"\n\
             [[cookie]]\nname = \"_ga\"\ncategory = \"marketing\"\n",
            origin.url()
        );
        let firewall = Setup::new(&site).main("[proof]\npath = \"proof.jsonl\"\n").start();
        let page = firewall.get(PAGE, &[]).text();
        let offers = |category| page.contains(&format!("name=\"category\" value=\"{category}\""));
        assert!(offers("statistics") && !offers("marketing"), "{page}");
        let accepted = kept(&post(&firewall, "choice=accept&category=marketing", &[SAME]));
        assert_eq!(passing(&firewall, &accepted), ["_pk_id.1"], "{tool}: {accepted}");
        let proof = std::fs::read_to_string(firewall.directory.path("proof.jsonl"));
        let proof = proof.expect("a proof");
        assert!(proof.contains("\"granted\":[\"statistics\"],\"refused\":[]"), "{proof}");
    }
}

/// Ticking everything is no more to ask than accepting everything.
#[test]
fn a_form_with_every_category_ticked_is_taken() {
    let categories: Vec<_> =
        (0..60).map(|n| format!("catégorie-{n:02}-{}", "x".repeat(40))).collect();
    let ids = categories.iter().enumerate().map(|(n, name)| format!("\"{name}\" = [\"{n}\"]\n"));
    let cookies = categories.iter().enumerate();
    let cookies =
        cookies.map(|(n, name)| format!("[[cookie]]\nname = \"c{n}\"\ncategory = \"{name}\"\n"));
    let site = format!(
        "upstream = \"http://127.0.0.1:9\"\n[consent]\ntool = \"klaro\"\n[consent.categories]\n{}{}",
        ids.collect::<String>(),
        cookies.collect::<String>(),
    );
    let firewall = Firewall::with(&site);
    let page = firewall.get(PAGE, &[]);
    let ticked = categories.iter().map(|name| format!("&category={}", name.replace('é', "%C3%A9")));
    let ticked: String = ticked.collect();
    let body = format!("lang=fr&charter={}{ticked}&choice=save", charter_of(&page));
    assert!(body.len() > 4096, "{}", body.len());
    let response = post(&firewall, &body, &[SAME]);
    assert_eq!(response.status(), 303);
    assert!(!kept(&response).contains("false"), "{}", kept(&response));
    let more = format!("{body}&x={}", ticked.repeat(2));
    assert_eq!(post(&firewall, &more, &[SAME]).status(), 413);
}

/// A site whose choices are proved in `proof.jsonl`.
fn proved(origin: &Origin) -> Firewall {
    site(origin, "").main("[proof]\npath = \"proof.jsonl\"\n").start()
}

/// The same, where a folder has come in the place of the file.
fn unprovable(origin: &Origin) -> Firewall {
    let firewall = proved(origin);
    let proof = firewall.directory.path("proof.jsonl");
    // The log is looked at before anything is answered.
    firewall.get("/", &[]);
    let _ = std::fs::remove_file(&proof);
    std::fs::create_dir(&proof).expect("nothing is there");
    firewall
}

#[test]
fn a_choice_is_proved_before_it_is_answered() {
    let origin = origin();
    let firewall = proved(&origin);
    let lines = || {
        let text = std::fs::read_to_string(firewall.directory.path("proof.jsonl"));
        let text = text.expect("a proof");
        let line = |line| serde_json::from_str(line).expect("JSON");
        text.lines().map(line).collect::<Vec<serde_json::Value>>()
    };
    post(&firewall, "choice=save&category=marketing&lang=en", &[SAME]);
    assert_eq!(lines().len(), 1, "it is there before the answer");
    post(&firewall, "choice=accept", &[SAME, "Sec-GPC: 1"]);
    post(&firewall, "choice=accept", &[]);
    let lines = lines();
    assert_eq!(lines.len(), 2, "what is refused is no choice");
    let expected = [
        ("en", "save", "[\"marketing\"]", "[\"statistics\"]"),
        ("fr", "accept", "[\"statistics\"]", "[\"marketing\"]"),
    ];
    for (line, (language, choice, granted, refused)) in lines.iter().zip(expected) {
        assert_eq!((&line["site"], &line["language"]), (&DOMAIN.into(), &language.into()));
        assert_eq!(line["choice"], choice);
        assert_eq!(
            (line["granted"].to_string(), line["refused"].to_string()),
            (granted.into(), refused.into())
        );
        let rendered = std::process::Command::new(env!("CARGO_BIN_EXE_cookie-firewall"))
            .args(["charter", "render", "--format", "json", "--site", DOMAIN])
            .args(["--language", language, "--config"])
            .arg(firewall.directory.path("main.toml"))
            .output()
            .expect("the binary");
        assert_eq!(line["charter"], format!("sha256:{}", charter_hash(&rendered.stdout)));
    }
}

#[test]
fn a_choice_that_cannot_be_proved_is_not_kept() {
    let origin = origin();
    let firewall = unprovable(&origin);
    let response = post(&firewall, "choice=accept&lang=en", &[SAME, "Accept-Language: fr"]);
    assert_eq!(response.status(), 503);
    assert!(response.texts("set-cookie").is_empty());
    assert!(response.text().contains("role=\"alert\">Your choice could not be stored."));
    assert_eq!(firewall.metric("cookie_firewall_choices_total", &[]), 0.0);
    assert_eq!(
        firewall.metric("cookie_firewall_proof_records_total", &[("result", "failed")]),
        1.0
    );
}

/// As behind a network file system that hangs: somebody else holds the log.
#[test]
fn a_disk_that_hangs_keeps_no_visitor_waiting() {
    let origin = origin();
    let timeouts = "[timeouts]\nfirst_byte = \"1 s\"\n";
    let firewall = site(&origin, timeouts).main("[proof]\npath = \"proof.jsonl\"\n").start();
    firewall.get("/", &[]);
    let file = std::fs::File::open(firewall.directory.path("proof.jsonl")).expect("a log");
    let _held = Flock::lock(file, FlockArg::LockExclusive).expect("nobody else holds it");
    for _ in 0..2 {
        let response = post(&firewall, "choice=accept", &[SAME]);
        assert_eq!((response.status(), response.texts("set-cookie").len()), (503, 0));
    }
    assert_eq!(
        firewall.metric("cookie_firewall_proof_records_total", &[("result", "failed")]),
        2.0
    );
}
