//! Logs that are full: how they are named, and how many are kept.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::time;

/// How many names are tried for a full file.
const ATTEMPTS: u32 = 100;

/// How long `YYYYMMDDTHHMMSSZ` is.
const STAMP: usize = 16;

/// Gives the file at `path`, which the caller has locked, the name of a full one:
/// `name.YYYYMMDDTHHMMSSZ`, and where that is taken `.1`, `.2` and so on after it.
///
/// It is the newest of them by its name, too: where one has a later time, of a clock that was once
/// ahead, it gets that time and the next number. [`prune`] goes by the names.
pub(super) fn rotate(path: &Path, at: i64) -> io::Result<()> {
    let now = time(at)?.strftime("%Y%m%dT%H%M%SZ").to_string();
    // A folder that cannot be listed cannot be pruned either.
    let newest = rotated(path).unwrap_or_default().into_iter().max();
    let (stamp, first) = match newest {
        // The greatest number is nobody's: it would end the counting for good.
        Some((stamp, number, _)) if stamp >= now && number < u32::MAX - ATTEMPTS => {
            (stamp, number + 1)
        }
        _ => (now, 0),
    };
    let names = (first..=first + ATTEMPTS).map(|number| match number {
        0 => suffixed(path, &format!(".{stamp}")),
        _ => suffixed(path, &format!(".{stamp}.{number}")),
    });
    // A rename would overwrite without a word. Whoever holds the lock is alone in renaming.
    let is_free = |name: &PathBuf| {
        std::fs::symlink_metadata(name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let free = names.into_iter().find(is_free);
    let free = free.ok_or_else(|| io::Error::other("no name is free for the full file"))?;
    std::fs::rename(path, free)
}

/// Removes the oldest of the full files beyond `keep`; none for 0. What cannot be removed stays: too
/// much evidence is no reason to refuse a choice.
pub(super) fn prune(path: &Path, keep: usize) {
    if keep == 0 {
        return;
    }
    let removed = rotated(path).and_then(|mut files| {
        let surplus = files.len().saturating_sub(keep);
        files.sort();
        files.iter().take(surplus).try_for_each(|(_, _, file)| std::fs::remove_file(file))
    });
    if let Err(error) = removed {
        tracing::warn!(path = %path.display(), %error, "old logs of choices cannot be removed");
    }
}

/// The full files of the log at `path`, each after what it is sorted by: its time and number.
fn rotated(path: &Path) -> io::Result<Vec<(String, u32, PathBuf)>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder(path))? {
        let entry = entry?;
        let file = entry.file_name();
        let suffix = file.to_str().and_then(|file| file.strip_prefix(&*name));
        if let Some((stamp, number)) = suffix.and_then(place) {
            files.push((stamp.to_owned(), number, entry.path()));
        }
    }
    Ok(files)
}

/// Time and number of `.YYYYMMDDTHHMMSSZ[.n]`; of nothing else, which is not the firewall's to remove.
fn place(suffix: &str) -> Option<(&str, u32)> {
    let (stamp, number) = suffix.strip_prefix('.')?.split_at_checked(STAMP)?;
    let is_stamp = stamp.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    let number = match number {
        "" => 0,
        _ => number.strip_prefix('.')?.parse().ok()?,
    };
    is_stamp.then_some((stamp, number))
}

/// Where the log and its full files are.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_its_own_have_a_place() {
        let cases = [
            (".20261125T214047Z", Some(("20261125T214047Z", 0))),
            (".20261125T214047Z.12", Some(("20261125T214047Z", 12))),
            ("", None),
            (".bak", None),
            (".20261125T214047Z.gz", None),
            (".20261125T214047Z.1.gz", None),
            (".20261125T214047Z1", None),
            (".20261125 214047Z", None),
            ("-20261125T214047Z", None),
            (".ééééééééé", None),
        ];
        for (suffix, expected) in cases {
            assert_eq!(place(suffix), expected, "{suffix}");
        }
    }

    #[test]
    fn numbers_are_sorted_as_numbers() {
        let mut places: Vec<_> = [".20261125T214047Z.10", ".20261125T214047Z.9"].map(place).into();
        places.sort();
        assert_eq!(places[0], Some(("20261125T214047Z", 9)));
    }
}
