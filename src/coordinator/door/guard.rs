//! What every call passes through before anything of it is read.

use std::sync::Arc;
use std::time::Instant;

use sweep_proto::secret::Token;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::Visitor;

/// Lets calls in that present the token, and not too many of them.
#[derive(Debug, Clone)]
pub struct Guard {
    token: Option<Token>,
}

impl Guard {
    pub(super) fn new(token: Option<Token>) -> Self {
        Self { token }
    }

    /// # Errors
    ///
    /// Why a call with this header is not let in.
    fn check(&self, presented: Option<&[u8]>) -> Result<(), &'static str> {
        let Some(token) = &self.token else { return Ok(()) };
        let presented = presented.ok_or("no token was presented")?;
        let presented = presented.strip_prefix(b"Bearer ").unwrap_or_default();
        if token.is(presented) { Ok(()) } else { Err("the token is not this coordinator's") }
    }
}

impl Interceptor for Guard {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let visitor = request.extensions().get::<Arc<Visitor>>().cloned();
        let presented = request.metadata().get("authorization").map(|value| value.as_bytes());
        if let Err(reason) = self.check(presented) {
            if let Some(visitor) = &visitor {
                visitor.refuse(&reason);
            }
            return Err(Status::unauthenticated(reason));
        }
        if let Some(visitor) = visitor {
            visitor.admit();
            if !visitor.may_call(Instant::now()) {
                visitor.tell("slowed down", &"too many calls a second");
                return Err(Status::resource_exhausted("too many calls a second"));
            }
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_the_token_lets_in() {
        let token: Token = "abcdefghijklmnop".parse().unwrap();
        let guard = Guard::new(Some(token));
        assert_eq!(guard.check(Some(b"Bearer abcdefghijklmnop")), Ok(()));
        for wrong in
            [&b""[..], b"Bearer", b"Bearer ", b"abcdefghijklmnop", b"Bearer abcdefghijklmnopq"]
        {
            assert!(guard.check(Some(wrong)).is_err(), "{wrong:?}");
        }
        assert_eq!(guard.check(None), Err("no token was presented"));
        assert_eq!(Guard::new(None).check(None), Ok(()));
    }
}
