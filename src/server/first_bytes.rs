//! The first bytes of a connection, read before it is known what they begin.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// Bytes read at once: as many as most request heads and ClientHello messages have, so that looking
/// costs no call to the system that reading would not.
const PIECE: usize = 2048;

/// How an HTTP/2 connection begins (RFC 9113 3.4), as far as no HTTP/1.1 request does.
const PREFACE: &[u8] = b"PRI * HTTP/2";

/// The types of TLS records (RFC 8446 5.1): change_cipher_spec, alert, handshake, application_data.
const RECORDS: std::ops::RangeInclusive<u8> = 20..=23;

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// TLS.
    Tls,
    /// The preface of HTTP/2.
    Http2,
    /// Perhaps a request of HTTP/1.1, or nothing that is known.
    Other,
}

/// What `bytes` begin, or `None` where more must come to tell.
fn beginning(bytes: &[u8]) -> Option<Beginning> {
    match bytes {
        [] => None,
        [first, ..] if RECORDS.contains(first) => Some(Beginning::Tls),
        _ if bytes.starts_with(PREFACE) => Some(Beginning::Http2),
        _ if PREFACE.starts_with(bytes) => None,
        _ => Some(Beginning::Other),
    }
}

/// A stream of which the first bytes have been read already.
#[derive(Debug)]
pub(super) struct Begun<S> {
    read: Vec<u8>,
    at: usize,
    stream: S,
}

impl<S> Begun<S> {
    /// `stream`, of which nothing has been read.
    pub(super) fn new(stream: S) -> Self {
        Self { read: Vec::new(), at: 0, stream }
    }

    pub(super) fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream, without what has been read of it.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// What has been read and not been consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.read[self.at..]
    }

    /// Gives back what has been consumed last.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        self.read.splice(self.at..self.at, bytes.iter().copied());
    }

    /// Consumes `count` bytes of what has been read.
    pub(super) fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.read.len());
        if self.at == self.read.len() {
            // A connection lives long, and these bytes do not.
            (self.read, self.at) = (Vec::new(), 0);
        }
    }
}

impl<S: AsyncRead + Unpin> Begun<S> {
    /// Reads on; says how much came, none at the end.
    pub(super) async fn read_on(&mut self) -> io::Result<usize> {
        // Not an array on the stack, which would be part of the connection for as long as it lives.
        self.read.reserve(PIECE);
        self.stream.read_buf(&mut self.read).await
    }

    /// As [`Begun::read_on`], without room for more than a few bytes: for who waits for long.
    pub(super) async fn read_few(&mut self) -> io::Result<usize> {
        let mut few = [0; 16];
        let count = self.stream.read(&mut few).await?;
        self.read.extend_from_slice(&few[..count]);
        Ok(count)
    }

    /// Reads until it is clear what begins; `None` where the client ends before that.
    pub(super) async fn beginning(&mut self) -> io::Result<Option<Beginning>> {
        loop {
            if let Some(beginning) = beginning(self.unread()) {
                return Ok(Some(beginning));
            }
            if self.read_on().await? == 0 {
                return Ok(None);
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.unread().len().min(buf.remaining());
        if count == 0 {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        buf.put_slice(&self.unread()[..count]);
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
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
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings() {
        let cases: &[(&[u8], Option<Beginning>)] = &[
            (b"", None),
            (b"P", None),
            (b"PRI * HTTP/", None),
            (b"PRI * HTTP/2.0\r\n", Some(Beginning::Http2)),
            (b"PRI * HTTP/1.1", Some(Beginning::Other)),
            (b"POST", Some(Beginning::Other)),
            (b"GET / HTTP/1.1", Some(Beginning::Other)),
            (b"\x16", Some(Beginning::Tls)),
            (b"\x16\x03\x01", Some(Beginning::Tls)),
            (b"\x15\x03\x01\x00\x02\x02\x28", Some(Beginning::Tls)),
            (b"\x80\x2e\x01", Some(Beginning::Other)),
            (b"\0", Some(Beginning::Other)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(beginning(bytes), *expected, "{}", bytes.escape_ascii());
        }
    }

    #[tokio::test]
    async fn what_has_been_looked_at_is_read_again() {
        let mut begun = Begun::new(&b"PRI * HTTP/2.0\r\n\r\nSM"[..]);
        assert_eq!(begun.beginning().await.expect("bytes"), Some(Beginning::Http2));
        begun.consume(4);
        let mut rest = String::new();
        begun.read_to_string(&mut rest).await.expect("bytes");
        assert_eq!(rest, "* HTTP/2.0\r\n\r\nSM");
        assert_eq!(Begun::new(&b"PR"[..]).beginning().await.expect("bytes"), None);
    }
}
