//! TLS towards clients, over sockets: certificates, names, versions, and what is no TLS at all.

mod support;

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rcgen::KeyPair;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use support::tls::{Authority, certificate, handshake, mistakes, table, with};
use support::{CHARTER, DOMAIN, Firewall, Origin, Peer, Setup, setting, tls};

const HTTPS: &str = "http = [\"127.0.0.1:0\"]\nhttps = [\"127.0.0.1:0\"]\n";

/// A firewall that serves the usual site over TLS, before `origin`.
fn secured(authority: &Authority, origin: &Origin, more: &str) -> Setup {
    let site = format!("upstream = \"{}\"\n{more}\n{CHARTER}\n{}", origin.url(), table(&["site"]));
    with(Setup::new(&site).server(HTTPS), "site", &authority.issue(&[DOMAIN]))
}

fn client(authority: &Authority) -> Arc<ClientConfig> {
    Arc::new(authority.client(&["http/1.1"]))
}

fn get(peer: &mut Peer, host: &str) -> support::Message {
    peer.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).response()
}

fn errors(firewall: &Firewall, listener: &str, reason: &str) -> f64 {
    let labels = [("listener", listener), ("reason", reason)];
    firewall.metric("cookie_firewall_connection_errors_total", &labels)
}

/// Waits for as many faults, which are counted when the connection is done with.
fn faults(firewall: &Firewall, listener: &str, reason: &str, count: f64) {
    firewall.wait_for(reason, |firewall| errors(firewall, listener, reason) == count);
}

#[test]
fn cookies_are_judged_over_tls() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[b"sessionid=1; Path=/", b"tracker=1"]));
    let firewall = secured(&authority, &origin, "").start();
    let mut peer = tls::connect(&client(&authority), firewall.https[0], DOMAIN);
    let response = get(&mut peer, DOMAIN);
    assert_eq!(response.texts("set-cookie"), ["sessionid=1; Path=/"]);
    assert_eq!(origin.last().texts("x-forwarded-proto"), ["https"]);
    assert!(origin.last().texts("forwarded")[0].contains(";proto=https;"));
    assert_eq!(firewall.metric("cookie_firewall_connections", &[("listener", "https")]), 1.0);
    assert_eq!(get(&mut peer, DOMAIN).status(), 200);
}

#[test]
fn versions_and_resumption() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = secured(&authority, &origin, "").start();
    let mut config = authority.client(&[]);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let only_1_2 = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("TLS 1.2");
    let roots = {
        let mut roots = rustls::RootCertStore::empty();
        let pem = authority.pem();
        let der = rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes());
        roots.add(der.expect("a certificate")).expect("a certificate");
        roots
    };
    let only_1_2 = Arc::new(only_1_2.with_root_certificates(roots).with_no_client_auth());
    config.resumption = rustls::client::Resumption::in_memory_sessions(8);
    for (config, version) in [(Arc::new(config), "1.3"), (only_1_2, "1.2")] {
        for _ in 0..2 {
            assert_eq!(
                get(&mut tls::connect(&config, firewall.https[0], DOMAIN), DOMAIN).status(),
                200
            );
        }
        for resumed in ["true", "false"] {
            let labels = [("version", version), ("resumed", resumed)];
            let count = firewall.metric("cookie_firewall_tls_handshakes_total", &labels);
            assert_eq!(count, 1.0, "TLS {version}, resumed: {resumed}");
        }
    }
}

#[test]
fn certificates_are_chosen_by_name_and_by_what_the_client_can_use() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[]));
    let one = authority.issue(&[DOMAIN]);
    let rsa_key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("aws-lc makes RSA keys");
    let rsa = authority.issue_with(&[DOMAIN], rsa_key, |_| {});
    let other = authority.issue(&["*.example.org", "example.org"]);
    let site = |domain: &str, aliases: &str, names: &[&str]| {
        format!(
            "domain = \"{domain}\"\naliases = [{aliases}]\nupstream = \"{}\"\n{}",
            origin.url(),
            table(names)
        )
    };
    let setup = Setup { sites: vec![site(DOMAIN, "", &["rsa", "ecdsa"])], ..Setup::new("") };
    let setup = setup.server(HTTPS).site(&site("example.org", "\"*.example.org\"", &["other"]));
    let setup = with(with(with(setup, "ecdsa", &one), "rsa", &rsa), "other", &other);
    let firewall = setup.start();
    let address = firewall.https[0];

    let is_rsa = |config: ClientConfig| {
        let stream = handshake(&Arc::new(config), address, DOMAIN).expect("a handshake");
        let issued = rustls::pki_types::CertificateDer::from_pem_slice(rsa.chain.as_bytes());
        certificate(&stream) == issued.expect("a certificate")
    };
    assert!(!is_rsa(authority.client(&[])), "ECDSA where the client can use it");
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| format!("{suite:?}").contains("ECDHE_RSA"));
    assert!(is_rsa(restricted(&authority, provider)), "RSA where it cannot");

    let client = client(&authority);
    for name in ["example.org", "data.example.org", "Data.Example.org"] {
        let mut peer = tls::connect(&client, address, name);
        assert_eq!(get(&mut peer, name).status(), 200, "{name}");
    }
    for name in ["a.b.example.org", "example.net"] {
        assert!(handshake(&client, address, name).is_err(), "{name}");
    }
    faults(&firewall, "https", "server_name", 2.0);
}

/// A client that has only the suites of `provider`, for TLS 1.2.
fn restricted(authority: &Authority, provider: rustls::crypto::CryptoProvider) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    let der = rustls::pki_types::CertificateDer::from_pem_slice(authority.pem().as_bytes());
    roots.add(der.expect("a certificate")).expect("a certificate");
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("TLS 1.2")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[test]
fn an_authority_that_is_not_the_server_name_is_misdirected() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[]));
    let setup = secured(&authority, &origin, "")
        .site(&format!("domain = \"other.example.fr\"\nupstream = \"{}\"\n", origin.url()));
    let firewall = setup.start();
    let mut peer = tls::connect(&client(&authority), firewall.https[0], DOMAIN);
    assert_eq!(get(&mut peer, "other.example.fr").status(), 421);
    assert_eq!(get(&mut peer, "unknown.example.fr").status(), 421);
    assert_eq!(get(&mut peer, &DOMAIN.to_uppercase()).status(), 200);
    assert_eq!(get(&mut peer, &format!("{DOMAIN}:8443")).status(), 200);
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn a_client_that_names_no_server_gets_the_only_certificate() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = secured(&authority, &origin, "").start();
    let mut config = authority.client(&[]);
    config.enable_sni = false;
    let mut peer = tls::connect(&Arc::new(config.clone()), firewall.https[0], DOMAIN);
    assert_eq!(get(&mut peer, DOMAIN).status(), 200);

    let second = format!(
        "domain = \"other.example.fr\"\nupstream = \"{}\"\n{}",
        origin.url(),
        table(&["other"])
    );
    let setup = secured(&authority, &origin, "").site(&second);
    let firewall = with(setup, "other", &authority.issue(&["other.example.fr"])).start();
    let refused = handshake(&Arc::new(config), firewall.https[0], DOMAIN).expect_err("which one?");
    assert!(refused.to_string().contains("UnrecognisedName"), "{refused}");
    faults(&firewall, "https", "server_name", 1.0);
}

#[test]
fn clear_text_is_redirected_and_hsts_is_told_over_tls_only() {
    let authority = Authority::new();
    let origin = Origin::fixed(
        "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 0\r\n\r\n",
    );
    let tables = "[tls]\nredirect = true\nhsts = \"1 year\"\n";
    let site = format!("upstream = \"{}\"\n{CHARTER}{tables}{}", origin.url(), table(&["site"]));
    let setup = Setup::new(&site).server(HTTPS);
    let firewall = with(setup, "site", &authority.issue(&[DOMAIN])).start();
    let response = firewall.get("/a?b=c", &["Cookie: sessionid=1"]);
    assert_eq!(response.status(), 308);
    assert_eq!(response.texts("location"), [format!("https://{DOMAIN}/a?b=c")]);
    assert!(response.all("strict-transport-security").is_empty());
    assert!(origin.seen().is_empty());
    assert_eq!(firewall.get("/.well-known/acme-challenge/x", &[]).status(), 200);
    let mut peer = tls::connect(&client(&authority), firewall.https[0], DOMAIN);
    let response = get(&mut peer, DOMAIN);
    assert_eq!(response.status(), 200);
    assert_eq!(response.texts("strict-transport-security"), ["max-age=31536000"]);
}

#[test]
fn what_is_no_tls_is_told_so() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = secured(&authority, &origin, "").start();
    let mut peer = Peer::connect(firewall.https[0]);
    let response = get(&mut peer, DOMAIN);
    assert_eq!(response.status(), 400);
    assert!(response.text().contains("https://"), "{}", response.text());
    assert!(peer.is_closed());
    faults(&firewall, "https", "http_on_tls", 1.0);

    let refused = handshake(&client(&authority), firewall.http, DOMAIN).expect_err("no TLS there");
    assert!(refused.to_string().contains("HandshakeFailure"), "{refused}");
    faults(&firewall, "http", "tls_on_http", 1.0);

    let mut peer = Peer::connect(firewall.https[0]);
    peer.send(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00");
    let mut alert = Vec::new();
    let _ = peer.stream().read_to_end(&mut alert);
    assert_eq!(alert.first(), Some(&21), "an alert: {alert:?}");
    firewall.wait_for("the failed handshake", |f| errors(f, "https", "handshake") == 1.0);
}

#[test]
fn a_handshake_that_does_not_come_to_its_end_is_cut() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[]));
    let setup = secured(&authority, &origin, "").main("[timeouts]\nhandshake = \"1 s\"\n");
    let firewall = setup.start();
    let mut silent = Peer::connect(firewall.https[0]);
    let mut half = Peer::connect(firewall.https[0]);
    half.send(b"\x16\x03\x01\x02\x00\x01");
    assert!(silent.is_closed());
    assert!(half.is_closed());
    faults(&firewall, "https", "timeout", 2.0);
}

#[test]
fn check_tells_of_certificates_that_do_not_fit() {
    let authority = Authority::new();
    let origin = Origin::fixed("");
    let good = authority.issue(&[DOMAIN]);
    let check = |issued: &tls::Issued| {
        let site = format!("upstream = \"{}\"\n{CHARTER}\n{}", origin.url(), table(&["site"]));
        mistakes(&with(Setup::new(&site).server(HTTPS), "site", issued))
    };
    assert_eq!(check(&good), "");
    let expect = |issued: &tls::Issued, words: &str, severity: &str| {
        let found = check(issued);
        assert!(found.contains(words) && found.contains(severity), "{words:?} not in {found:?}");
        assert!(found.contains("0.site.toml:"), "{found}");
    };
    let key = || KeyPair::generate().expect("a key");
    let expired = authority.issue_with(&[DOMAIN], key(), |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    expect(&expired, "the certificate has expired", "warning");
    let early = authority.issue_with(&[DOMAIN], key(), |params| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
    });
    expect(&early, "not valid yet", "warning");
    expect(&authority.issue(&["other.example"]), "for other.example, not for this site", "error");
    let mismatched = tls::Issued { key: authority.issue(&[DOMAIN]).key, ..good.clone() };
    expect(&mismatched, "this key does not belong to the certificate", "error");
    let none = tls::Issued { chain: String::new(), ..good.clone() };
    expect(&none, "holds no certificate", "error");
    let swapped = tls::Issued { key: good.chain.clone(), ..good };
    expect(&swapped, "holds no private key", "error");

    let site = format!("upstream = \"{}\"\n{CHARTER}", origin.url());
    let without = mistakes(&Setup::new(&site).server(HTTPS));
    assert!(without.contains("no certificate"), "{without}");
}

#[test]
fn a_renewed_certificate_is_taken_up_by_itself() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = secured(&authority, &origin, "").start();
    let client = client(&authority);
    let served = || certificate(&handshake(&client, firewall.https[0], DOMAIN).expect("TLS"));
    let before = served();
    let renewed = authority.issue(&[DOMAIN]);
    firewall.directory.write("site.pem", &renewed.chain);
    firewall.directory.write("site.key", &renewed.key);
    firewall.wait_for("the renewed certificate", |_| served() != before);
    let expiry = firewall
        .metric("cookie_firewall_certificate_expiry_timestamp_seconds", &[("site", DOMAIN)]);
    assert!(expiry > 1e9, "{expiry}");
}

#[test]
fn early_data_is_not_taken() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = secured(&authority, &origin, "").start();
    let mut config = authority.client(&[]);
    config.enable_early_data = true;
    let config = Arc::new(config);
    for _ in 0..2 {
        let mut peer = tls::connect(&config, firewall.https[0], DOMAIN);
        assert_eq!(get(&mut peer, DOMAIN).status(), 200);
    }
    let name = rustls::pki_types::ServerName::try_from(DOMAIN).expect("a name");
    let mut connection = rustls::ClientConnection::new(config, name).expect("a connection");
    assert!(connection.early_data().is_none(), "requests must not be replayable");
}

#[test]
fn a_connection_that_ends_in_the_handshake_is_no_fault() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = secured(&authority, &origin, "").start();
    drop(Peer::connect(firewall.https[0]));
    let mut stream = std::net::TcpStream::connect(firewall.https[0]).expect("a listener");
    stream.write_all(b"\x16\x03\x01").expect("the firewall reads");
    drop(stream);
    firewall.wait_for("the end of both", |f| {
        f.metric("cookie_firewall_connections", &[("listener", "https")]) == 0.0
    });
}

#[test]
fn a_head_over_tls_that_does_not_come_to_its_end_is_counted() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[]));
    let heads = "[timeouts]\nrequest_head = \"3 s\"\n";
    let firewall = secured(&authority, &origin, "").main(heads).start();
    let connect = || tls::connect(&client(&authority), firewall.https[0], DOMAIN);
    let (mut alone, mut behind) = (connect(), connect());
    alone.send("GE");
    behind.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\nGE"));
    assert_eq!(behind.response().status(), 200);
    assert!(alone.is_closed() && behind.is_closed());
    faults(&firewall, "https", "timeout", 2.0);
}
