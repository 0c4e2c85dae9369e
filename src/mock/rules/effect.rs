//! Bodies that come slowly, or break off.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use tokio::time::{Instant, Sleep};

/// How often a piece of a slow body is sent, a second.
const PIECES: u64 = 10;
/// How long the first half of a broken body has to be sent.
const BEFORE_BREAK: Duration = Duration::from_millis(50);

/// A body that comes at so many bytes a second.
pub struct Paced {
    rest: Bytes,
    total: u64,
    bytes_per_second: u64,
    began: Instant,
    sent: u64,
    wait: Pin<Box<Sleep>>,
}

impl Paced {
    pub fn new(body: Bytes, bytes_per_second: u32) -> Self {
        let began = Instant::now();
        let wait = Box::pin(tokio::time::sleep_until(began));
        Self {
            total: body.len() as u64,
            rest: body,
            bytes_per_second: bytes_per_second.max(1).into(),
            began,
            sent: 0,
            wait,
        }
    }
}

impl MessageBody for Paced {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.total)
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            return Poll::Ready(None);
        }
        std::task::ready!(this.wait.as_mut().poll(cx));
        let piece = usize::try_from(this.bytes_per_second.div_ceil(PIECES)).unwrap_or(usize::MAX);
        let next = this.rest.split_to(piece.min(this.rest.len()));
        this.sent += next.len() as u64;
        // As long as it takes to send that much, counted from the beginning so that no error adds up.
        let due = Duration::from_millis(this.sent.saturating_mul(1000) / this.bytes_per_second);
        this.wait.as_mut().reset(this.began + due);
        Poll::Ready(Some(Ok(next)))
    }
}

/// A body of which the first half is sent before the connection breaks.
pub struct Broken {
    half: Option<Bytes>,
    total: u64,
    /// Until the half is on its way: what is not sent yet goes down with the connection.
    wait: Pin<Box<Sleep>>,
}

impl Broken {
    pub fn new(body: &Bytes) -> Self {
        // Whoever reads has to be waiting for more.
        let total = (body.len() as u64).max(1);
        let wait = Box::pin(tokio::time::sleep(BEFORE_BREAK));
        Self { half: Some(body.slice(..body.len() / 2)), total, wait }
    }
}

/// Why a body ends early.
#[derive(Debug)]
pub struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rule breaks this body off")
    }
}

impl std::error::Error for BrokenOff {}

impl MessageBody for Broken {
    type Error = BrokenOff;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.total)
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if let Some(half) = self.half.take().filter(|half| !half.is_empty()) {
            return Poll::Ready(Some(Ok(half)));
        }
        self.wait.as_mut().poll(cx).map(|()| Some(Err(BrokenOff)))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[actix_web::test]
    async fn a_slow_body_takes_its_time_and_is_whole() {
        let began = Instant::now();
        let mut body = Box::pin(Paced::new(Bytes::from(vec![7; 300]), 1000));
        let mut read = Vec::new();
        while let Some(Ok(piece)) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
            assert!(piece.len() <= 100);
            read.extend_from_slice(&piece);
        }
        assert_eq!(read, vec![7; 300]);
        assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
    }

    #[actix_web::test]
    async fn a_broken_body_is_shorter_than_it_says() {
        let mut body = Box::pin(Broken::new(&Bytes::from_static(b"12345678")));
        assert_eq!(body.size(), BodySize::Sized(8));
        let first = poll_fn(|cx| body.as_mut().poll_next(cx)).await.expect("a piece").expect("its bytes");
        assert_eq!(first, "1234");
        assert!(poll_fn(|cx| body.as_mut().poll_next(cx)).await.expect("a failure").is_err());
    }
}
