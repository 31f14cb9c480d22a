//! A client's socket, with a client that may misbehave at either end of a message.
//!
//! One that stops reading: hyper asks for the next piece of a body only once it has written the last,
//! so such a client would hold its exchange, and the upstream's connection, for as long as it likes.
//! And one that goes on sending behind its answer: closing before that has been read would have the
//! system reset the connection, and the answer with it (RFC 9112 9.6).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::proxy::poll_write_pieces;

/// For how long, and how much of, what a client still sends is read when its connection is closed.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 8 * 1024 * 1024;

/// A stream whose writes may stand still for a limited time. The timer runs only meanwhile.
#[derive(Debug)]
pub(super) struct Stalling<S> {
    stream: S,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    stands_still: bool,
    quiet: Quiet,
    /// Bytes that are still read of a client whose connection is being closed.
    lingers: Option<usize>,
}

/// Whether nothing waits on a connection: nothing has been read since the last write, and no write
/// stands still. It tells a connection that is idle from a request that does not come to its end.
#[derive(Clone, Debug)]
pub(super) struct Quiet(Arc<State>);

#[derive(Debug)]
struct State {
    quiet: AtomicBool,
    tunnels: AtomicBool,
}

impl Quiet {
    /// Whether it is so.
    pub(super) fn is_there(&self) -> bool {
        self.0.quiet.load(Ordering::Relaxed)
    }

    /// The connection is a tunnel from now on: what comes after its end in one direction is not what
    /// nobody asked for.
    pub(super) fn tunnels(&self) {
        self.0.tunnels.store(true, Ordering::Relaxed);
    }

    /// Something that came before waits for its rest, wherever it has been read from.
    pub(super) fn ends(&self) {
        self.set(false);
    }

    fn set(&self, quiet: bool) {
        self.0.quiet.store(quiet, Ordering::Relaxed);
    }
}

impl<S> Stalling<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        let state = State { quiet: AtomicBool::new(true), tunnels: AtomicBool::new(false) };
        let quiet = Quiet(Arc::new(state));
        Self { stream, limit, timer: None, stands_still: false, quiet, lingers: None }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Whether nothing waits, for whoever asks later.
    pub(super) fn quiet(&self) -> Quiet {
        self.quiet.clone()
    }

    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.quiet.set(written.is_ready());
        if written.is_ready() {
            self.stands_still = false;
            return written;
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !self.stands_still {
            self.stands_still = true;
            timer.as_mut().reset(Instant::now() + limit);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client stopped reading")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.quiet.set(false);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = poll_write_pieces(&mut self.stream, cx, slices);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What a TCP socket has been given has left; flushing it is never a write.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.quiet.0.tunnels.load(Ordering::Relaxed) {
            return Pin::new(&mut self.stream).poll_shutdown(cx);
        }
        if self.lingers.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.lingers = Some(LINGER_BYTES);
            self.timer = Some(Box::pin(tokio::time::sleep(LINGER)));
        }
        self.poll_linger(cx)
    }
}

impl<S: AsyncRead + Unpin> Stalling<S> {
    /// Ready once the client has closed its side too, or has been given the time for it.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut piece = [0; 4096];
        while let Some(left @ 1..) = self.lingers {
            let mut piece = ReadBuf::new(&mut piece);
            match Pin::new(&mut self.stream).poll_read(cx, &mut piece) {
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {
                    self.lingers = Some(left.saturating_sub(piece.filled().len()));
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    let timer = self.timer.as_mut().map(|timer| timer.as_mut().poll(cx));
                    return if timer == Some(Poll::Pending) {
                        Poll::Pending
                    } else {
                        Poll::Ready(Ok(()))
                    };
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
