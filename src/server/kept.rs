//! A client's stream that outlives what speaks HTTP/1.1 on it, and how it is got back.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::server::conn::http1::{Parts, UpgradeableConnection};
use hyper::service::HttpService;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::first_bytes::Begun;
use super::parking::Sending;
use crate::proxy::empty_lines;

/// A stream that can outlive whoever shuts it down.
#[derive(Debug)]
pub(super) struct Kept<S> {
    stream: S,
    keep: Keep,
}

/// Has a stream stay open when it is shut down.
#[derive(Clone, Debug, Default)]
pub(super) struct Keep(Arc<AtomicBool>);

/// Such a stream as hyper takes it.
type Io<S> = TokioIo<Begun<Kept<S>>>;

impl Keep {
    fn set(&self, keep: bool) {
        self.0.store(keep, Ordering::Relaxed);
    }

    /// Ends hyper's part in a connection on which nothing is under way, and leaves its stream open.
    /// Pending where something is under way all the same: the connection goes on to the end of that,
    /// and its stream ends with it.
    pub(super) async fn end<S, V, E>(
        &self,
        connection: &mut UpgradeableConnection<Io<S>, V>,
    ) -> Poll<hyper::Result<()>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        V: HttpService<Incoming, ResBody = Sending<E>, Error = Infallible>,
        E: Unpin + 'static,
    {
        self.set(true);
        Pin::new(&mut *connection).graceful_shutdown();
        // Not waited for: what looks at the time of a head and at a stop is not asked meanwhile.
        let ended = poll_fn(|cx| Poll::Ready(Pin::new(&mut *connection).poll(cx))).await;
        self.set(false);
        ended
    }
}

/// The stream of a connection that has ended, with what hyper had read of a request: empty lines begin
/// none.
pub(super) fn stream_of<S, V>(parts: Parts<Io<S>, V>) -> Begun<Kept<S>> {
    let mut stream = parts.io.into_inner();
    stream.put_back(&parts.read_buf[empty_lines(&parts.read_buf)..]);
    stream
}

impl<S> Kept<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, keep: Keep::default() }
    }

    /// What has it stay open.
    pub(super) fn keep(&self) -> Keep {
        self.keep.clone()
    }

    pub(super) fn get_ref(&self) -> &S {
        &self.stream
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Kept<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Kept<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.keep.0.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use http::Response;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;
    use crate::proxy::ResponseBody;

    /// Has hyper serve what has come and then end; returns how that went, and the stream.
    async fn end(
        begun: &[u8],
    ) -> (Poll<hyper::Result<()>>, Option<Begun<Kept<DuplexStream>>>, DuplexStream) {
        let (client, server) = tokio::io::duplex(1024);
        let mut stream = Begun::new(Kept::new(server));
        stream.put_back(begun);
        let keep = stream.get_ref().keep();
        let service = service_fn(async |_| {
            Ok::<_, Infallible>(Response::new(Sending::new(ResponseBody::Page(None), ())))
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let mut connection = connection.with_upgrades();
        let turn = poll_fn(|cx| Poll::Ready(Pin::new(&mut connection).poll(cx))).await;
        assert!(turn.is_pending());
        let ended = keep.end(&mut connection).await;
        (ended, connection.into_parts().map(stream_of), client)
    }

    #[tokio::test]
    async fn a_stream_is_given_back_open_and_with_what_has_come() {
        for (left, expected) in [("", ""), ("\r\n", ""), ("GE", "GE")] {
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\n\r\n{left}");
            let (ended, stream, mut client) = end(request.as_bytes()).await;
            assert!(matches!(ended, Poll::Ready(Ok(()))), "{left:?}");
            let mut stream = stream.expect("no upgrade");
            assert_eq!(stream.unread(), expected.as_bytes());
            stream.write_all(b"again").await.expect("it is open");
            drop(stream);
            let mut answers = String::new();
            client.read_to_string(&mut answers).await.expect("text");
            assert!(
                answers.starts_with("HTTP/1.1 200 ") && answers.ends_with("again"),
                "{answers}"
            );
        }
    }

    #[tokio::test]
    async fn a_head_that_has_begun_is_not_waited_for() {
        let (ended, ..) = end(b"GE").await;
        assert!(ended.is_pending());
    }

    #[test]
    fn empty_lines_begin_nothing() {
        let cases: [(&[u8], &[u8]); 6] = [
            (b"", b""),
            (b"\r\n", b""),
            (b"\n\r\n\n", b""),
            (b"\r\nGE", b"GE"),
            // Half of one may begin anything.
            (b"\r\n\r", b"\r"),
            (b"G\r\n", b"G\r\n"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(&bytes[empty_lines(bytes)..], expected, "{}", bytes.escape_ascii());
        }
    }
}
