//! What HTTP/2 writes, gathered until the connection has nothing more to say.
//!
//! The library flushes behind every frame that carries a piece of a body. The answers of many streams,
//! which come together, would each be a TLS record and a call to the system of their own. Here flushing
//! does nothing: whoever runs the connection sends what a turn has left.
//!
//! Not so while a request's body is on its way. One that is answered early is reset behind its answer, and
//! clients that find both in one record take the answer for lost (curl 7.88 does).

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are gathered: the plaintext of one TLS record (RFC 8446 5.1).
const FULL: usize = 16 * 1024;

/// A stream whose writes wait for [`Corked::poll_send`]. Its clones are one and the same.
#[derive(Debug)]
pub(super) struct Corked<S>(Arc<Mutex<Cork<S>>>);

/// The requests of a connection that have a body.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    under_way: AtomicUsize,
    /// Whether one has ended in this turn.
    ended: AtomicBool,
}

/// A request with a body, until its response has been made.
#[derive(Debug)]
pub(super) struct Upload(Arc<Uploads>);

impl Uploads {
    /// One more, until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Upload {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Upload(Arc::clone(self))
    }

    fn are_there(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0 || self.ended.load(Ordering::Relaxed)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Cork<S> {
    stream: S,
    uploads: Arc<Uploads>,
    gathered: Vec<u8>,
    /// How many of them have been taken by the stream.
    sent: usize,
    is_flushed: bool,
}

impl<S> Clone for Corked<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Corked<S> {
    pub(super) fn new(stream: S, uploads: Arc<Uploads>) -> Self {
        let cork = Cork { stream, uploads, gathered: Vec::new(), sent: 0, is_flushed: true };
        Self(Arc::new(Mutex::new(cork)))
    }

    fn cork(&self) -> MutexGuard<'_, Cork<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Corked<S> {
    /// Sends what has been written in this turn of the connection, which is over.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut cork = self.cork();
        cork.uploads.ended.store(false, Ordering::Relaxed);
        cork.poll_send(cx)
    }
}

impl<S: AsyncWrite + Unpin> Cork<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.gathered.len() {
            let left = &self.gathered[self.sent..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        // A connection lives long, and is silent for most of it.
        (self.gathered, self.sent) = (Vec::new(), 0);
        if !self.is_flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Room for more bytes, at least for one.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.gathered.len() >= FULL {
            ready!(self.poll_send(cx))?;
        }
        if self.gathered.is_empty() {
            self.gathered.reserve_exact(FULL);
        }
        self.is_flushed = false;
        Poll::Ready(Ok(FULL - self.gathered.len()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Corked<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.cork().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Corked<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut cork = self.cork();
        let room = ready!(cork.poll_room(cx))?;
        let before = cork.gathered.len();
        for slice in slices {
            let left = room - (cork.gathered.len() - before);
            cork.gathered.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        Poll::Ready(Ok(cork.gathered.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut cork = self.cork();
        if cork.uploads.are_there() { cork.poll_send(cx) } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut cork = self.cork();
        ready!(cork.poll_send(cx))?;
        Pin::new(&mut cork.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A stream that keeps each write apart.
    #[derive(Debug, Default)]
    struct Writes {
        writes: Vec<Vec<u8>>,
        flushes: usize,
    }

    impl AsyncWrite for Writes {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.writes.push(bytes.to_vec());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn many_writes_are_one() {
        let corked = Corked::new(Writes::default(), Arc::default());
        let mut writer = corked.clone();
        for word in ["many ", "frames"] {
            writer.write_all(word.as_bytes()).await.expect("room");
            writer.flush().await.expect("room");
        }
        assert_eq!(corked.cork().stream.writes.len(), 0);
        poll_fn(|cx| corked.poll_send(cx)).await.expect("sent");
        poll_fn(|cx| corked.poll_send(cx)).await.expect("nothing more");
        let cork = corked.cork();
        assert_eq!(cork.stream.writes, [b"many frames"]);
        assert_eq!((cork.stream.flushes, cork.gathered.capacity()), (1, 0));
    }

    #[tokio::test]
    async fn an_answer_to_an_upload_and_what_follows_it_stay_apart() {
        let uploads = Arc::<Uploads>::default();
        let corked = Corked::new(Writes::default(), Arc::clone(&uploads));
        let mut writer = corked.clone();
        let upload = uploads.begin();
        // Its response has been made, and is still to be written.
        drop(upload);
        for words in [["answer", "reset"], ["others", "together"]] {
            for word in words {
                writer.write_all(word.as_bytes()).await.expect("room");
                writer.flush().await.expect("room");
            }
            poll_fn(|cx| corked.poll_send(cx)).await.expect("sent");
        }
        let writes = &corked.cork().stream.writes;
        assert_eq!(*writes, [&b"answer"[..], b"reset", b"otherstogether"]);
    }

    #[tokio::test]
    async fn what_is_full_is_sent_and_the_end_too() {
        let corked = Corked::new(Writes::default(), Arc::default());
        let mut writer = corked.clone();
        writer.write_all(&[b'x'; FULL + 10]).await.expect("room");
        assert_eq!(corked.cork().stream.writes.len(), 1);
        writer.shutdown().await.expect("an end");
        let sizes: Vec<_> = corked.cork().stream.writes.iter().map(Vec::len).collect();
        assert_eq!(sizes, [FULL, 10]);
    }

    #[tokio::test]
    async fn who_does_not_read_is_not_written_for() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let corked = Corked::new(ours, Arc::default());
        let mut writer = corked.clone();
        let message = vec![b'x'; 3 * FULL];
        let all = async {
            writer.write_all(&message).await.expect("a reader");
            poll_fn(|cx| corked.poll_send(cx)).await.expect("a reader");
        };
        let mut all = std::pin::pin!(all);
        let waker = std::task::Waker::noop();
        assert!(all.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        assert!(corked.cork().gathered.len() <= FULL);
        let mut read = vec![0; message.len()];
        tokio::join!(all, async { theirs.read_exact(&mut read).await.expect("a writer") });
        assert_eq!(read, message);
    }
}
