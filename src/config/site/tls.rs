//! The `[tls]` table: certificates that fit the site, the redirect, HSTS.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use http::HeaderValue;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::config::reader::{At, Document, Table};
use crate::config::{Certificate, Tls, contents};

/// The remedy where a file is not what is wanted.
pub(super) const OTHER_CERTIFICATE: &str =
    "name a PEM file (-----BEGIN CERTIFICATE-----) relative to this file";

/// How long before its end a certificate that is still there is worth a warning.
const RENEWAL: i64 = 7 * 86_400;

/// The table, and what is wrong with its certificates for a site that has these `hosts`.
pub(super) fn read(
    document: &Document<'_>,
    table: Option<&Table<'_, '_>>,
    hosts: &[&str],
    now: i64,
) -> Tls {
    let Some(table) = table else { return Tls::default() };
    let certificates: Vec<_> = table
        .tables("certificate")
        .iter()
        .filter_map(|entry| certificate(document, entry, hosts, now))
        .collect();
    if !certificates.is_empty() {
        report_uncovered(document, table, &certificates, hosts);
    }
    Tls { certificates, redirect: redirect(document, table), hsts: hsts(document, table) }
}

fn redirect(document: &Document<'_>, table: &Table<'_, '_>) -> Option<u16> {
    let redirects = table.bool("redirect").is_some_and(|at| at.value);
    let port = table.integer("redirect_port", usize::from(u16::MAX));
    if let Some(port) = &port
        && !redirects
    {
        document.warning(port, "nothing is redirected", "add redirect = true, or remove this key");
    }
    let port = port.map_or(443, |at| u16::try_from(at.value).unwrap_or(443));
    redirects.then_some(port)
}

fn hsts(document: &Document<'_>, table: &Table<'_, '_>) -> Option<HeaderValue> {
    let max_age = table.duration("hsts");
    let mut value = max_age.as_ref().map(|at| format!("max-age={}", at.value));
    for (key, directive) in
        [("hsts_subdomains", "; includeSubDomains"), ("hsts_preload", "; preload")]
    {
        let Some(at) = table.bool(key) else { continue };
        match &mut value {
            Some(value) if at.value => value.push_str(directive),
            None if at.value => {
                let remedy = "add for example hsts = \"1 year\", or remove this key";
                document.warning(&at, "without hsts, this says nothing", remedy);
            }
            _ => {}
        }
    }
    HeaderValue::from_maybe_shared(value?).ok()
}

fn certificate(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    hosts: &[&str],
    now: i64,
) -> Option<Certificate> {
    let (chain_at, key_at) = (table.string("chain"), table.string("key"));
    let chain = chain_at.as_ref().and_then(|at| chain(document, at));
    let key = key_at.as_ref().and_then(|at| private_key(document, at));
    let (chain_at, key_at, chain, key) = (chain_at?, key_at?, chain?, key?);
    let leaf = chain.first().cloned()?;
    let certified = match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Ok(certified) => certified,
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let remedy = "name the key that the certificate was issued for";
            document.error(&key_at, "this key does not belong to the certificate", remedy);
            return None;
        }
        Err(error) => {
            let (message, remedy) = match weak_rsa(&leaf) {
                Some(bits) => (
                    format!("an RSA key of {bits} bits is too weak for TLS"),
                    "have the certificate issued for an RSA key of 2048 bits or more, or for ECDSA",
                ),
                None => (
                    format!("the key cannot be used: {error}"),
                    "name a key in PKCS#8, SEC1 or PKCS#1 form: ECDSA, Ed25519 or RSA",
                ),
            };
            document.error(&key_at, message, remedy);
            return None;
        }
    };
    let Some((names, from, to)) = facts(&leaf) else {
        document.error(&chain_at, "the certificate cannot be read", "have it issued again");
        return None;
    };
    report_validity(document, &chain_at, from, to, now);
    let certificate = Certificate { key: Arc::new(certified), names, not_after: to };
    if !hosts.is_empty() && !hosts.iter().any(|host| certificate.covers(host)) {
        document.error(
            &chain_at,
            format!("the certificate is for {}, not for this site", listed(&certificate.names)),
            "name the certificate of this site's domain",
        );
        return None;
    }
    Some(certificate)
}

fn report_validity(document: &Document<'_>, at: &At<&str>, from: i64, to: i64, now: i64) {
    let remedy = "renew it; the new one is taken up when it stands in this file";
    if to < now {
        document.warning(
            at,
            format!("the certificate has expired, {} ago", days(now - to)),
            remedy,
        );
    } else if from > now {
        let message = format!("the certificate is not valid yet, for another {}", days(from - now));
        document.warning(at, message, "check the clock of this machine");
    } else if to - now < RENEWAL {
        document.warning(at, format!("the certificate expires in {}", days(to - now)), remedy);
    }
}

fn report_uncovered(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    certificates: &[Certificate],
    hosts: &[&str],
) {
    for host in hosts {
        if !certificates.iter().any(|certificate| certificate.covers(host)) {
            document.warning(
                &table.at(),
                format!("no certificate is for {host:?}, which cannot be reached over https"),
                "have the name added to the certificate, or add another [[tls.certificate]]",
            );
        }
    }
}

/// The names and the validity of a certificate. Names stand in its subjectAltName alone (RFC 9525 2).
fn facts(der: &CertificateDer<'_>) -> Option<(Vec<Box<str>>, i64, i64)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    let names = certificate.subject_alternative_name().ok()?;
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase().into()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(Ipv4Addr::from(v4).to_string().into()),
            Err(_) => {
                let v6 = <[u8; 16]>::try_from(*bytes).ok()?;
                Some(format!("[{}]", Ipv6Addr::from(v6)).into())
            }
        },
        _ => None,
    });
    Some((names.collect(), validity.not_before.timestamp(), validity.not_after.timestamp()))
}

/// The bits of the certificate's RSA key, if those are fewer than anybody accepts.
fn weak_rsa(der: &CertificateDer<'_>) -> Option<usize> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => Some(key.key_size()).filter(|bits| *bits < 2048),
        _ => None,
    }
}

/// The certificates in a PEM file.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_slice_iter(&pem(path)?).collect()
}

/// A PEM file, without the mark with which some editors begin a text.
fn pem(path: &Path) -> Result<Vec<u8>, pem::Error> {
    let mut bytes = contents(path).map_err(pem::Error::Io)?;
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    Ok(bytes)
}

fn chain(document: &Document<'_>, at: &At<&str>) -> Option<Vec<CertificateDer<'static>>> {
    let path = document.named(at);
    let (message, remedy) = match certificates(&path) {
        Ok(chain) if !chain.is_empty() => return Some(chain),
        Ok(_) => (format!("{} holds no certificate", path.display()), OTHER_CERTIFICATE),
        Err(error) => unreadable(&path, &error, OTHER_CERTIFICATE),
    };
    document.error(at, message, remedy);
    None
}

fn private_key(document: &Document<'_>, at: &At<&str>) -> Option<PrivateKeyDer<'static>> {
    let path = document.named(at);
    let other = "name a PEM file (-----BEGIN PRIVATE KEY-----) relative to this file";
    let (message, remedy) = match pem(&path).and_then(|key| PrivateKeyDer::from_pem_slice(&key)) {
        Ok(key) => return Some(key),
        Err(pem::Error::NoItemsFound) => {
            let message =
                format!("{} holds no private key, or one with a passphrase", path.display());
            (message, other)
        }
        Err(error) => unreadable(&path, &error, other),
    };
    document.error(at, message, remedy);
    None
}

/// Why a PEM file cannot be read, and the remedy; `other` where it is another file that is wanted.
pub(super) fn unreadable(
    path: &Path,
    error: &pem::Error,
    other: &'static str,
) -> (String, &'static str) {
    let path = path.display();
    let again = "copy the file again, whole";
    match error {
        pem::Error::Io(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::NotFound => "check the path, which is relative to this file",
                io::ErrorKind::PermissionDenied => "let the user that the firewall runs as read it",
                _ => other,
            };
            (format!("cannot read {path}: {error}"), remedy)
        }
        pem::Error::MissingSectionEnd { .. } => {
            (format!("{path} breaks off before its END line"), again)
        }
        pem::Error::IllegalSectionStart { .. } => {
            (format!("a BEGIN line of {path} is not well formed"), again)
        }
        pem::Error::Base64Decode(_) => {
            (format!("{path} is damaged between BEGIN and END: it is no base64"), again)
        }
        error => (format!("cannot read {path}: {error}"), other),
    }
}

fn listed(names: &[Box<str>]) -> String {
    if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
}

/// `1 day`, `12 days`; less than a day is hours.
fn days(seconds: i64) -> String {
    let (count, unit) =
        if seconds < 86_400 { (seconds / 3600, "hour") } else { (seconds / 86_400, "day") };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever runs the tests may be allowed to read everything, so that no file denies it.
    #[test]
    fn a_key_that_may_not_be_read_has_its_own_remedy() {
        let denied = pem::Error::Io(io::ErrorKind::PermissionDenied.into());
        let (message, remedy) = unreadable(Path::new("key.pem"), &denied, OTHER_CERTIFICATE);
        assert!(message.contains("permission denied"), "{message}");
        assert!(remedy.contains("the user that the firewall runs as"), "{remedy}");
    }
}
