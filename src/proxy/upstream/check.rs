//! Active health checks: each address is asked now and then, on a connection of its own, so that
//! what is checked is what a new connection would meet.

use std::time::Instant;

use http::header::{HOST, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Request, StatusCode, Uri};

use super::connect::{Made, Speaks};
use super::{Purpose, Upstreams};
use crate::proxy::body::RequestBody;
use crate::proxy::error::UpstreamError;

const AGENT: HeaderValue = HeaderValue::from_static("cookie-firewall");

impl Upstreams {
    /// Checks an address for ever, if that is configured.
    pub(super) async fn keep_checking(&self, endpoint: usize) {
        let health = &self.config.health;
        let Some(path) = &health.path else { return };
        loop {
            let asked = tokio::time::timeout(health.timeout, self.ask(endpoint, path)).await;
            let asked = asked.unwrap_or(Err(UpstreamError::FirstByteTimeout));
            let is_good = matches!(&asked, Ok(status) if is_good(*status));
            if !is_good {
                let upstream = &self.endpoints[endpoint].config;
                tracing::debug!(site = %self.domain, %upstream, ?asked, "a health check failed");
            }
            self.endpoints[endpoint].health.checked(is_good, Instant::now());
            tokio::time::sleep(health.interval).await;
        }
    }

    async fn ask(&self, endpoint: usize, path: &PathAndQuery) -> Result<StatusCode, UpstreamError> {
        let mut request = Request::new(RequestBody::none());
        *request.uri_mut() = Uri::from(path.clone());
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().insert(USER_AGENT, AGENT);
        let (address, limit) = (&self.endpoints[endpoint], self.config.health.timeout);
        // It takes up none of the connections that exchanges may have.
        let made = self.connector.connect(address, Purpose::Exchange, None, limit).await?;
        let Made { mut speaks, .. } = made;
        let response = match &mut speaks {
            Speaks::Http1(http1) => http1.send(request).await,
            Speaks::Http2(http2) => http2.send(request).await,
        };
        let response = response.map_err(|error| UpstreamError::Closed(error.into_error()))?;
        Ok(response.status())
    }
}

/// A redirect is an answer too: what a portal's front page often is.
fn is_good(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
}
