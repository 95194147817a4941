//! What is known of whoever is connected: a stranger until its first call was
//! let in, and then bounded in what it may ask.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Strangers of one host that may be connected at once.
const STRANGERS_PER_HOST: usize = 32;

/// Most connections altogether.
const CONNECTIONS: usize = 8192;

/// Calls of a connection that are refused before it is ended.
const REFUSALS: u32 = 3;

/// Calls a second of one connection, on average, and how many of them at once.
const CALLS_PER_SECOND: f64 = 1000.0;
const BURST: f64 = 2000.0;

/// Hosts of which something was logged; of others nothing is any more.
const TOLD: usize = 1024;

/// All who are connected.
#[derive(Debug, Default)]
pub(super) struct Register {
    strangers: Mutex<HashMap<IpAddr, usize>>,
    connections: AtomicUsize,
    told: Mutex<HashSet<(IpAddr, &'static str)>>,
}

impl Register {
    fn leave(&self, host: IpAddr) {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = strangers.get_mut(&host) {
            *count -= 1;
            if *count == 0 {
                strangers.remove(&host);
            }
        }
    }

    /// Logs once what a host did.
    fn tell(&self, peer: SocketAddr, what: &'static str, why: &dyn Display) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD && told.insert((peer.ip(), what)) {
            tracing::warn!("{peer}: {what}: {why}; told once for each host");
        } else {
            tracing::debug!("{peer}: {what}: {why}");
        }
    }
}

/// One who is connected.
#[derive(Debug)]
pub struct Visitor {
    peer: SocketAddr,
    register: Arc<Register>,
    is_admitted: AtomicBool,
    refusals: AtomicU32,
    calls: Mutex<Calls>,
}

/// How many calls are free, and when that was counted.
#[derive(Debug)]
struct Calls {
    free: f64,
    counted: Instant,
}

impl Visitor {
    /// Enters one more in the register; none if there are too many already.
    pub(super) fn enter(register: &Arc<Register>, peer: SocketAddr) -> Option<Arc<Self>> {
        let host = peer.ip();
        if register.connections.load(Ordering::Relaxed) >= CONNECTIONS {
            register.tell(peer, "turned away", &format!("{CONNECTIONS} are connected"));
            return None;
        }
        let strangers = {
            let mut strangers = register.strangers.lock().unwrap_or_else(PoisonError::into_inner);
            let count = strangers.entry(host).or_default();
            let before = *count;
            if before < STRANGERS_PER_HOST {
                *count += 1;
            }
            before
        };
        if strangers >= STRANGERS_PER_HOST {
            register.tell(peer, "turned away", &"too many connections without a call let in");
            return None;
        }
        register.connections.fetch_add(1, Ordering::Relaxed);
        Some(Arc::new(Self {
            peer,
            register: Arc::clone(register),
            is_admitted: AtomicBool::new(false),
            refusals: AtomicU32::new(0),
            calls: Mutex::new(Calls { free: BURST, counted: Instant::now() }),
        }))
    }

    /// Where it connects from.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether a call of it was let in.
    pub(super) fn is_admitted(&self) -> bool {
        self.is_admitted.load(Ordering::Relaxed)
    }

    /// Whether it was refused too often.
    pub(super) fn is_banned(&self) -> bool {
        self.refusals.load(Ordering::Relaxed) >= REFUSALS
    }

    /// A call of it was let in.
    pub(super) fn admit(&self) {
        if !self.is_admitted.swap(true, Ordering::Relaxed) {
            self.register.leave(self.peer.ip());
        }
    }

    /// A call of it was refused.
    pub(super) fn refuse(&self, why: &dyn Display) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
        self.tell("refused", why);
    }

    /// Logs once what its host did.
    pub(super) fn tell(&self, what: &'static str, why: &dyn Display) {
        self.register.tell(self.peer, what, why);
    }

    /// Whether it may make one more call now.
    pub(super) fn may_call(&self, now: Instant) -> bool {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(calls.counted).as_secs_f64();
        calls.free = (calls.free + passed * CALLS_PER_SECOND).min(BURST);
        calls.counted = now;
        let may = calls.free >= 1.0;
        if may {
            calls.free -= 1.0;
        }
        may
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.register.connections.fetch_sub(1, Ordering::Relaxed);
        if !self.is_admitted() {
            self.register.leave(self.peer.ip());
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;

    fn peer(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host], port))
    }

    #[test]
    fn strangers_of_a_host_are_bounded_and_those_who_belong_are_not() {
        let register = Arc::new(Register::default());
        let strangers: Vec<_> = (0..STRANGERS_PER_HOST as u16)
            .map(|port| Visitor::enter(&register, peer(1, port)).unwrap())
            .collect();
        assert!(Visitor::enter(&register, peer(1, 99)).is_none());
        let other = Visitor::enter(&register, peer(2, 99)).unwrap();
        // One that is let in makes room for another stranger.
        strangers[0].admit();
        strangers[0].admit();
        let late = Visitor::enter(&register, peer(1, 99)).unwrap();
        assert!(Visitor::enter(&register, peer(1, 100)).is_none());
        drop((strangers, late, other));
        assert!(register.strangers.lock().unwrap().is_empty());
        assert_eq!(register.connections.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn calls_are_bounded_on_average() {
        let register = Arc::new(Register::default());
        let visitor = Visitor::enter(&register, peer(1, 1)).unwrap();
        let start = Instant::now();
        let made = (0..10_000).filter(|_| visitor.may_call(start)).count();
        assert_eq!(made, BURST as usize);
        let later = start + Duration::from_millis(100);
        let made = (0..10_000).filter(|_| visitor.may_call(later)).count();
        assert!((99..=100).contains(&made), "{made}");
        let much_later = start + Duration::from_secs(3600);
        let made = (0..10_000).filter(|_| visitor.may_call(much_later)).count();
        assert_eq!(made, BURST as usize);
    }
}
