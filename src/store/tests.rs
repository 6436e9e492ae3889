use super::*;
use std::io::Write;

static RUN: AtomicBool = AtomicBool::new(false);

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("cache"));
    (folder, store)
}

#[test]
fn what_is_kept_is_found_and_what_is_damaged_is_removed() {
    let (_folder, store) = store();
    let (digest, path) = store.add(b"hello", &RUN).unwrap();
    assert_eq!(digest, Digest::of(b"hello"));
    assert_eq!(store.find(digest, &RUN).unwrap(), Found::Sound(path.clone()));
    assert_eq!(store.entries().unwrap(), [Entry { digest, size: 5 }]);
    assert_eq!(store.find(Digest::of(b"other"), &RUN).unwrap(), Found::Missing);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&path, b"hellO").unwrap();
    assert_eq!(store.find(digest, &RUN).unwrap(), Found::Damaged);
    assert_eq!(store.find(digest, &RUN).unwrap(), Found::Missing);
    store.add(b"hello", &RUN).unwrap();
    assert_eq!(store.find(digest, &RUN).unwrap(), Found::Sound(path));
}

#[test]
fn a_part_goes_on_where_it_stopped() {
    let (_folder, store) = store();
    let digest = Digest::of(b"one two");
    let mut part = store.part(Some(digest), &RUN).unwrap();
    part.write_all(b"one").unwrap();
    drop(part);
    let mut part = store.part(Some(digest), &RUN).unwrap();
    assert_eq!(part.len(), 3);
    part.write_all(b" two").unwrap();
    store.keep(part, Some(digest)).unwrap();
    assert!(matches!(store.find(digest, &RUN).unwrap(), Found::Sound(_)));
    assert!(files(&store.folder.join("partial")).unwrap().is_empty());
}

#[test]
fn a_part_that_is_another_file_is_thrown_away() {
    let (_folder, store) = store();
    let expected = Digest::of(b"wanted");
    let mut part = store.part(Some(expected), &RUN).unwrap();
    part.write_all(b"xx").unwrap();
    part.restart().unwrap();
    part.write_all(b"other").unwrap();
    let error = store.keep(part, Some(expected)).unwrap_err();
    assert!(matches!(error, StoreError::Digest { found, .. } if found == Digest::of(b"other")));
    assert!(store.entries().unwrap().is_empty());
    assert!(files(&store.folder.join("partial")).unwrap().is_empty());
}

#[test]
fn two_at_once_receive_one_file_once() {
    let (_folder, store) = store();
    let digest = Digest::of(&[7; 1000]);
    let writers = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut part = store.part(Some(digest), &RUN).unwrap();
                if matches!(store.find(digest, &RUN).unwrap(), Found::Sound(_)) {
                    return;
                }
                writers.fetch_add(1, Ordering::Relaxed);
                assert_eq!(part.len(), 0);
                part.write_all(&[7; 1000]).unwrap();
                store.keep(part, Some(digest)).unwrap();
            });
        }
    });
    assert_eq!(writers.into_inner(), 1);
    assert_eq!(store.entries().unwrap().len(), 1);
}

#[test]
fn what_a_killed_rebake_left_without_a_digest_is_swept() {
    let (_folder, store) = store();
    let busy = store.part(None, &RUN).unwrap();
    let partial = store.folder.join("partial");
    let left = ["new-old", "new-young"].map(|name| {
        let file = File::create(partial.join(name)).unwrap();
        (partial.join(name), file)
    });
    let hours_ago = busy.reader().unwrap().metadata().unwrap().modified().unwrap() - Duration::from_secs(7200);
    left[0].1.set_modified(hours_ago).unwrap();
    busy.reader().unwrap().set_modified(hours_ago).unwrap();
    drop(store.part(None, &RUN).unwrap());
    assert!(!left[0].0.exists(), "nobody holds it");
    assert!(left[1].0.exists(), "it may be about to be held");
    assert_eq!(files(&partial).unwrap().len(), 2, "and one is held");
}

#[test]
fn prune_leaves_what_is_wanted_and_what_is_being_received() {
    let (_folder, store) = store();
    let (one, _) = store.add(b"one", &RUN).unwrap();
    let (two, _) = store.add(b"two", &RUN).unwrap();
    let mut busy = store.part(Some(Digest::of(b"busy")), &RUN).unwrap();
    busy.write_all(b"bu").unwrap();
    let mut left = store.part(Some(Digest::of(b"left")), &RUN).unwrap();
    left.write_all(b"le").unwrap();
    drop(left);
    assert_eq!(store.prune(|digest| digest == one).unwrap(), [Entry { digest: two, size: 3 }]);
    assert_eq!(files(&store.folder.join("partial")).unwrap().len(), 1);
    busy.write_all(b"sy").unwrap();
    store.keep(busy, None).unwrap();
    assert_eq!(store.entries().unwrap().len(), 2);
}

#[test]
fn what_was_hashed_is_hashed_again_if_it_may_have_changed_or_nobody_trusts_notes() {
    let (folder, store) = store();
    let (digest, path) = store.add(b"hello", &RUN).unwrap();
    let notes = folder.path().join("notes");
    let changed = fs::metadata(&path).unwrap().mtime();
    // As young as the file is: nothing is noted.
    let young = store.clone().with_notes(notes.clone(), changed + 1);
    assert_eq!(young.find(digest, &RUN).unwrap(), Found::Sound(path.clone()));
    assert!(!notes.exists());
    let old = store.clone().with_notes(notes.clone(), changed + 10);
    assert_eq!(old.find(digest, &RUN).unwrap(), Found::Sound(path.clone()));
    assert!(notes.exists());

    // A change that the stamp does not show cannot be made here: the note is given another digest instead.
    let other = Digest::of(b"other");
    let file = |digest: Digest| notes.join(format!("seen-{}", digest.hex()));
    fs::copy(file(digest), file(other)).unwrap();
    fs::hard_link(&path, path.with_file_name(other.hex())).unwrap();
    // The second name gave the file another ctime.
    assert_eq!(old.look(other, &RUN).unwrap(), Found::Damaged);
    assert_eq!(old.look(digest, &RUN).unwrap(), Found::Sound(path));
    fs::copy(file(digest), file(other)).unwrap();
    assert!(matches!(old.look(other, &RUN).unwrap(), Found::Sound(_)), "not hashed");
    assert_eq!(store.look(other, &RUN).unwrap(), Found::Damaged, "hashed");
}
