//! A stream that hears the answer of a peer which no longer listens.
//!
//! A server may answer before it has read the whole request, and close: one that knows already that the object exists (412)
//! needs no body. What is still written to it fails then, often before the answer was read. So a write that fails is kept to
//! oneself, and the reader says how it ended: with the answer, or where none comes, with the error of the write.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(super) struct Heard<S> {
    stream: S,
    /// Why it can't be written to any more; told at most once.
    broken: Option<io::Error>,
    /// Nothing more is written.
    deaf: bool,
}

impl<S> Heard<S> {
    pub(super) fn new(stream: S) -> Heard<S> {
        Heard { stream, broken: None, deaf: false }
    }

    /// What the writer hears: that all is well.
    fn written<T>(&mut self, result: io::Result<T>, well: T) -> io::Result<T> {
        result.or_else(|error| {
            self.broken.get_or_insert(error);
            self.deaf = true;
            Ok(well)
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        let ended = result.is_err() || buf.filled().len() == before;
        Poll::Ready(match self.broken.take_if(|_| ended) {
            Some(broken) => Err(broken),
            None => result,
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.deaf {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(self.written(result, bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = slices.iter().map(|slice| slice.len()).sum();
        if self.deaf {
            return Poll::Ready(Ok(len));
        }
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        Poll::Ready(self.written(result, len))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        Poll::Ready(self.written(result, ()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
