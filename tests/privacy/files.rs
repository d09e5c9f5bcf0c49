//! What is at rest.

use std::{
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

/// All files below a directory that were written since then, one behind the other.
pub(crate) fn written_since(since: SystemTime, directory: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    // The clock of a file system is coarse.
    add(since - Duration::from_millis(20), directory, &mut all);
    assert!(!all.is_empty(), "nothing in {}", directory.display());
    all
}

pub(crate) fn of(directory: &Path) -> Vec<u8> {
    written_since(SystemTime::UNIX_EPOCH + Duration::from_secs(10), directory)
}

fn add(since: SystemTime, directory: &Path, all: &mut Vec<u8>) {
    // A server renames and removes files meanwhile.
    let gone = |error: io::Error| assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => {
                gone(error);
                continue;
            }
        };
        if metadata.is_dir() {
            add(since, &path, all);
        } else if metadata.is_file() && metadata.modified().expect("a time") >= since {
            match fs::read(&path) {
                Ok(bytes) => add_used(&bytes, all),
                Err(error) => gone(error),
            }
        }
    }
}

/// Without the pages that nothing was ever written to.
fn add_used(bytes: &[u8], all: &mut Vec<u8>) {
    static NOTHING: [u8; 4096] = [0; 4096];
    let mut unused = 0;
    for page in bytes.chunks(NOTHING.len()) {
        unused = if page == &NOTHING[..page.len()] { unused + 1 } else { 0 };
        // What begins before an empty page does not go on behind it.
        if unused < 2 {
            all.extend_from_slice(page);
        }
    }
    all.extend_from_slice(&[0; 64]);
}
