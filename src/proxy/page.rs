//! The short pages that the firewall answers with itself. They say nothing about the inside.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode};

use super::body::ResponseBody;
use crate::charter::Language;

/// A status's heading and sentence in French and in English.
fn words(status: StatusCode) -> [(&'static str, &'static str); 2] {
    match status.as_u16() {
        308 => [
            ("Connexion chiffrée", "Cette page se trouve à son adresse https."),
            ("Encrypted connection", "This page is at its https address."),
        ],
        400 => [
            ("Requête invalide", "Le serveur n'a pas compris cette requête."),
            ("Bad request", "The server did not understand this request."),
        ],
        403 => [
            ("Envoi refusé", "Ce formulaire ne vient pas de ce site. Rien n'a été enregistré."),
            ("Form refused", "This form does not come from this site. Nothing has been stored."),
        ],
        404 => [
            ("Page introuvable", "Il n'y a rien à cette adresse."),
            ("Page not found", "There is nothing at this address."),
        ],
        415 => [
            ("Envoi illisible", "Ce site attend ici un formulaire."),
            ("Unreadable upload", "This site expects a form here."),
        ],
        405 | 501 => [
            ("Méthode non prise en charge", "Ce site ne répond pas à ce type de requête."),
            ("Method not supported", "This site does not answer this kind of request."),
        ],
        408 => [
            (
                "Requête interrompue",
                "Le navigateur a cessé d'envoyer sa requête. Veuillez réessayer.",
            ),
            ("Request interrupted", "The browser stopped sending its request. Please try again."),
        ],
        421 => [
            ("Site inconnu", "Ce serveur n'héberge pas le site demandé."),
            ("Unknown site", "This server does not host the site you asked for."),
        ],
        413 => [
            ("Envoi trop volumineux", "Ce site n'accepte pas d'envoi de cette taille."),
            ("Upload too large", "This site does not accept uploads of this size."),
        ],
        431 => [
            (
                "Trop de cookies",
                "Supprimez les cookies de ce site dans votre navigateur, puis réessayez.",
            ),
            ("Too many cookies", "Delete this site's cookies in your browser, then try again."),
        ],
        503 => [
            (
                "Site surchargé",
                "Le site reçoit trop de visites en ce moment. Veuillez réessayer dans un instant.",
            ),
            (
                "Site overloaded",
                "The site has too many visitors right now. Please try again in a moment.",
            ),
        ],
        504 => [
            (
                "Pas de réponse à temps",
                "Le site met trop de temps à répondre. Veuillez réessayer dans un instant.",
            ),
            (
                "No answer in time",
                "The site takes too long to answer. Please try again in a moment.",
            ),
        ],
        _ => [
            (
                "Site indisponible",
                "Le site ne répond pas en ce moment. Veuillez réessayer dans un instant.",
            ),
            (
                "Site unavailable",
                "The site does not answer right now. Please try again in a moment.",
            ),
        ],
    }
}

/// The page for `status`, in `language`.
pub(super) fn error(status: StatusCode, language: Language) -> Response<ResponseBody> {
    let [french, english] = words(status);
    let lang = language.tag();
    let (title, text) = match language {
        Language::French => french,
        Language::English => english,
    };
    let code = status.as_u16();
    let page = format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n<p><small>{code}</small></p>\n"
    );
    let mut response = Response::new(ResponseBody::Page(Some(Bytes::from(page))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(lang));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        headers.insert(ALLOW, allowed);
    }
    response
}

/// Sends the client to the same address over TLS.
pub(super) fn redirect(location: &str, language: Language) -> Response<ResponseBody> {
    let mut response = error(StatusCode::PERMANENT_REDIRECT, language);
    // What cannot be a field value was no request target either.
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
