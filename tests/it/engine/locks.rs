//! One apply at a time.

use nself::engine::{Attempt, Held, Holder};

use super::{Tested, look};

fn held(attempt: Attempt) -> Held {
    match attempt {
        Attempt::Held(held) => held,
        Attempt::Busy(holder) => panic!("{holder:?}"),
    }
}

pub async fn one_holds_it<E: Tested>(engine: &E, prefix: &str) {
    let here = Holder::this_process().unwrap();
    let first = held(engine.acquire(prefix, &here).await.unwrap());
    match engine.acquire(prefix, &here).await.unwrap() {
        Attempt::Busy(holder) => assert_eq!(*holder, here),
        Attempt::Held(_) => panic!("two hold it"),
    }
    assert_eq!(engine.holder(prefix).await.unwrap(), Some(here.clone()));
    // A lock is no resource, and another project has its own.
    assert!(look(engine, prefix).await.containers.is_empty());
    let other = held(engine.acquire(&format!("{prefix}-b"), &here).await.unwrap());
    engine.release(other).await.unwrap();
    engine.release(first).await.unwrap();
    assert_eq!(engine.holder(prefix).await.unwrap(), None);
    engine.release(held(engine.acquire(prefix, &here).await.unwrap())).await.unwrap();
}

pub async fn the_dead_hold_nothing<E: Tested>(engine: &E, prefix: &str) {
    let here = Holder::this_process().unwrap();
    // This process id, in the life of an earlier process.
    let dead = Holder { started: here.started + 1, ..here.clone() };
    let _dead = held(engine.acquire(prefix, &dead).await.unwrap());
    let lock = held(engine.acquire(prefix, &here).await.unwrap());
    engine.release(lock).await.unwrap();
    // Of somebody on another machine nothing is known.
    let elsewhere = Holder { boot: "b".into(), host: "far".into(), ..dead };
    let lock = held(engine.acquire(prefix, &elsewhere).await.unwrap());
    match engine.acquire(prefix, &here).await.unwrap() {
        Attempt::Busy(holder) => assert_eq!(holder.host, "far"),
        Attempt::Held(_) => panic!("stolen"),
    }
    engine.release(lock).await.unwrap();
}

pub async fn giving_back_twice_is_once<E: Tested>(engine: &E, prefix: &str) {
    let here = Holder::this_process().unwrap();
    let first = held(engine.acquire(prefix, &here).await.unwrap());
    let again = Held { id: first.id.clone() };
    engine.release(first).await.unwrap();
    let second = held(engine.acquire(prefix, &here).await.unwrap());
    // The old lock is not the new one, although it has its name.
    engine.release(again).await.unwrap();
    assert_eq!(engine.holder(prefix).await.unwrap(), Some(here));
    engine.release(second).await.unwrap();
}

pub async fn it_is_taken_from_the_one_who_has_it<E: Tested>(engine: &E, prefix: &str) {
    let here = Holder::this_process().unwrap();
    let far = Holder { boot: "b".into(), host: "far".into(), ..here.clone() };
    assert!(!engine.take_away(prefix, &far).await.unwrap(), "nobody has it");
    let lock = held(engine.acquire(prefix, &far).await.unwrap());
    let earlier = Holder { since: far.since - 1, ..far.clone() };
    assert!(!engine.take_away(prefix, &earlier).await.unwrap(), "another one has it");
    assert!(engine.take_away(prefix, &far).await.unwrap());
    let next = held(engine.acquire(prefix, &here).await.unwrap());
    // Whoever lost it does not give back what is somebody else's.
    engine.release(lock).await.unwrap();
    assert_eq!(engine.holder(prefix).await.unwrap(), Some(here));
    engine.release(next).await.unwrap();
}
