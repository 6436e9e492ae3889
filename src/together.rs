//! What the threads of one command do together: what is made once, and what is done side by side. Whatever it is, others say.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Values that are made once, by whoever needs one first. Who needs it meanwhile waits; if it could not be made, the next
/// one makes it himself. What makes a value heeds interrupts, so a wait ends with them too.
///
/// Who makes a value may need one of other `Once`s, if those never need one of this.
#[derive(Debug)]
pub struct Once<K, V>(Mutex<BTreeMap<K, Arc<Mutex<Option<V>>>>>);

impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, V: Clone> Once<K, V> {
    /// The value of a key.
    ///
    /// # Errors
    /// What `make` returns.
    pub fn get<E>(&self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        let place = self.place(key);
        let mut place = locked(&place);
        match &*place {
            Some(made) => Ok(made.clone()),
            None => Ok(place.insert(make()?).clone()),
        }
    }

    /// The value of a key for which nobody will ask again: it is not kept.
    ///
    /// # Errors
    /// What `make` returns.
    pub fn take<E>(&self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        let made = locked(&self.place(key)).take();
        made.map_or_else(make, Ok)
    }

    fn place(&self, key: K) -> Arc<Mutex<Option<V>>> {
        Arc::clone(locked(&self.0).entry(key).or_default())
    }
}

/// Does some work for each item, for so many of them at a time; each result stands where its item does. They are begun in
/// their order, and once one fails no other one is begun.
pub fn side_by_side<T: Sync, R: Send, E: Send>(
    items: &[T],
    at_once: usize,
    work: impl Fn(usize, &T) -> Result<R, E> + Sync,
) -> Vec<Option<Result<R, E>>> {
    let done: Vec<Mutex<Option<Result<R, E>>>> = items.iter().map(|_| Mutex::default()).collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let (Some(item), Some(place)) = (items.get(n), done.get(n)) else { return };
            let result = work(n, item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            *locked(place) = Some(result);
        }
    };
    thread::scope(|scope| {
        // This thread is one of them.
        for _ in 1..at_once.min(items.len()) {
            // A system that gives no more threads has enough of them: the others do the work.
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    done.into_iter().map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::time::Duration;

    #[test]
    fn a_value_is_made_once_and_again_only_if_that_failed() {
        let (once, made) = (Once::default(), AtomicUsize::new(0));
        let get = |n: usize, _: &()| {
            once.get("key", || {
                let count = made.fetch_add(1, Ordering::Relaxed);
                // Long enough that all others wait.
                thread::sleep(Duration::from_millis(20));
                if count == 0 { Err(()) } else { Ok(n) }
            })
            .map_or_else(|()| Ok::<_, Infallible>(None), |n| Ok(Some(n)))
        };
        let got: Vec<Option<usize>> = side_by_side(&[(); 8], 8, get).into_iter().flatten().map(|Ok(one)| one).collect();
        assert_eq!(made.load(Ordering::Relaxed), 2);
        assert_eq!(got.iter().filter(|one| one.is_none()).count(), 1);
        let values: std::collections::BTreeSet<usize> = got.into_iter().flatten().collect();
        assert_eq!(values.len(), 1);
        let value = values.first().copied();
        assert_eq!(once.take("key", || Err(())).ok(), value);
        assert_eq!(once.take("key", || Err(())), Err(()));
    }

    #[test]
    fn results_stand_where_their_items_do_and_a_failure_is_the_last_one_begun() {
        for at_once in [0, 1, 3, 9] {
            let squares = side_by_side(&[1, 2, 3, 4, 5], at_once, |_, n| Ok::<_, ()>(n * n));
            assert_eq!(squares, [1, 4, 9, 16, 25].map(|n| Some(Ok(n))));
        }
        // Begun at once, the first one of two failures stands first, though it came last.
        let late = side_by_side(&[30, 0, 0], 2, |n, pause| {
            thread::sleep(Duration::from_millis(*pause));
            Err::<(), usize>(n)
        });
        assert_eq!(late.first(), Some(&Some(Err(0))));
        let results = side_by_side(&[1, 2, 3], 1, |_, n| if *n == 2 { Err(()) } else { Ok(()) });
        assert_eq!(results, [Some(Ok(())), Some(Err(())), None]);
    }
}
