//! The part of the zip format that `npz` files need: members that are stored or deflated.

use std::io::{self, Read, Write};
use std::ops::Range;

use flate2::Crc;
use flate2::read::DeflateDecoder;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const LOCAL_LENGTH: usize = 30;
const CENTRAL_LENGTH: usize = 46;
const END_LENGTH: usize = 22;
const LOCATOR_64_LENGTH: usize = 20;
/// The longest comment that can follow the end record.
const LONGEST_COMMENT: usize = u16::MAX as usize;
/// The largest expansion of deflated bytes.
const BEST_RATIO: u64 = 1032;
/// The identifier of sizes of eight bytes.
const SIZES_64: u16 = 1;
const ENCRYPTED: u16 = 1;
/// The earliest date of the format: files do not depend on when they were written.
const DATE: u16 = 0x21;

/// The error of reading a zip archive.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZipError {
    /// There is no end record.
    #[error("not a zip archive: it has no end record")]
    NoEnd,
    /// The directory is damaged.
    #[error("the directory of the archive is damaged")]
    Directory,
    /// Members are stored at the same place.
    #[error("the members `{first}` and `{second}` of the archive overlap")]
    Overlap {
        /// The member that begins first.
        first: String,
        /// The other one.
        second: String,
    },
    /// A member is encrypted, or its compression is not supported.
    #[error(
        "the member `{name}` is encrypted or compressed with method {method}; only 0 and 8 are \
         supported"
    )]
    Method {
        /// The member.
        name: String,
        /// The compression method.
        method: u16,
    },
    /// A member is damaged.
    #[error("the member `{name}` is damaged")]
    Member {
        /// The member.
        name: String,
    },
}

tidemill_value::debug_as_report!(ZipError);

/// A file in an archive.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    method: u16,
    crc: u32,
    /// The length of its content.
    size: u64,
    /// The place of its bytes, compressed or not.
    range: Range<usize>,
}

impl Member {
    /// The place of the content in the archive, if it is not compressed.
    pub(super) fn stored(&self) -> Option<Range<usize>> {
        (self.method == 0).then(|| self.range.clone())
    }

    /// The content, or at most `limit` bytes of it. The memory grows with the output.
    pub(super) fn read(&self, archive: &[u8], limit: u64) -> Result<Vec<u8>, ZipError> {
        let damaged = |_| ZipError::Member { name: self.name.clone() };
        let stored = archive.get(self.range.clone()).unwrap_or_default();
        let mut content = Vec::new();
        let count = self.size.min(limit);
        match self.method {
            0 => stored.take(count).read_to_end(&mut content).map_err(damaged)?,
            _ => DeflateDecoder::new(stored)
                .take(count)
                .read_to_end(&mut content)
                .map_err(damaged)?,
        };
        Ok(content)
    }

    /// Checks that these bytes are the content.
    pub(super) fn check(&self, content: &[u8]) -> Result<(), ZipError> {
        let mut crc = Crc::new();
        crc.update(content);
        match content.len() as u64 == self.size && crc.sum() == self.crc {
            true => Ok(()),
            false => Err(ZipError::Member { name: self.name.clone() }),
        }
    }
}

/// The members of an archive. No two have bytes in common, and none claims to be larger than its
/// bytes can expand to, so that together they are limited by the archive's length.
pub(super) fn members(archive: &[u8]) -> Result<Vec<Member>, ZipError> {
    let mut directory = directory(archive)?;
    let mut members = Vec::new();
    while !directory.is_empty() {
        let (member, rest) = member(archive, directory)?;
        members.push(member);
        directory = rest;
    }
    let mut by_place: Vec<&Member> = members.iter().filter(|m| !m.range.is_empty()).collect();
    by_place.sort_by_key(|member| member.range.start);
    if let Some([first, second]) =
        by_place.array_windows().find(|[first, second]| first.range.end > second.range.start)
    {
        let (first, second) = (first.name.clone(), second.name.clone());
        return Err(ZipError::Overlap { first, second });
    }
    Ok(members)
}

/// The bytes of the directory.
fn directory(archive: &[u8]) -> Result<&[u8], ZipError> {
    let first = archive.len().saturating_sub(END_LENGTH + LONGEST_COMMENT);
    let last = archive.len().checked_sub(END_LENGTH).ok_or(ZipError::NoEnd)?;
    let begins = |&at: &usize| u32_at(archive, at) == Some(END);
    let end = (first..=last).rev().find(begins).ok_or(ZipError::NoEnd)?;
    let place = || {
        let (size, offset) = (u32_at(archive, end + 12)?, u32_at(archive, end + 16)?);
        if offset != u32::MAX && size != u32::MAX {
            return Some((offset.into(), size.into()));
        }
        let locator = end.checked_sub(LOCATOR_64_LENGTH)?;
        let end = usize::try_from(u64_at(archive, locator + 8)?).ok()?;
        let is_there = u32_at(archive, locator)? == LOCATOR_64 && u32_at(archive, end)? == END_64;
        let at = |field: usize| u64_at(archive, end.checked_add(field)?);
        is_there.then_some((at(48)?, at(40)?))
    };
    place().and_then(|(offset, size)| slice(archive, offset, size)).ok_or(ZipError::Directory)
}

/// The first member of the directory, and the rest.
fn member<'a>(archive: &[u8], directory: &'a [u8]) -> Result<(Member, &'a [u8]), ZipError> {
    let entry = || {
        let lengths = [28, 30, 32].map(|at| u16_at(directory, at).map(usize::from));
        let [Some(name), Some(extra), Some(comment)] = lengths else { return None };
        let (entry, rest) = directory.split_at_checked(CENTRAL_LENGTH + name + extra + comment)?;
        let (name, extra) = entry[CENTRAL_LENGTH..].split_at(name);
        (u32_at(entry, 0)? == CENTRAL).then_some((
            entry,
            name,
            &extra[..extra.len() - comment],
            rest,
        ))
    };
    let (entry, name, extra, rest) = entry().ok_or(ZipError::Directory)?;
    let name = String::from_utf8_lossy(name).into_owned();
    let damaged = || ZipError::Member { name: name.clone() };
    let flags = u16_at(entry, 8).unwrap_or_default();
    let method = u16_at(entry, 10).unwrap_or_default();
    if flags & ENCRYPTED != 0 || !matches!(method, 0 | 8) {
        return Err(ZipError::Method { name, method });
    }
    let (size, compressed, offset) = sizes(entry, extra).ok_or_else(damaged)?;
    let range = data_range(archive, offset, compressed).ok_or_else(damaged)?;
    let most = if method == 0 { compressed } else { compressed.saturating_mul(BEST_RATIO) };
    if size > most {
        return Err(damaged());
    }
    let crc = u32_at(entry, 16).unwrap_or_default();
    Ok((Member { name, method, crc, size, range }, rest))
}

/// The length of the content, the length of the compressed content, and the start of the member.
fn sizes(entry: &[u8], extra: &[u8]) -> Option<(u64, u64, u64)> {
    let mut wide = wide_sizes(extra).unwrap_or_default();
    let mut field = |at| match u32_at(entry, at)? {
        u32::MAX => {
            let (number, rest) = wide.split_first_chunk()?;
            wide = rest;
            Some(u64::from_le_bytes(*number))
        }
        number => Some(number.into()),
    };
    let size = field(24)?;
    Some((size, field(20)?, field(42)?))
}

/// The sizes of eight bytes each.
fn wide_sizes(mut extra: &[u8]) -> Option<&[u8]> {
    loop {
        let (id, length) = (u16_at(extra, 0)?, u16_at(extra, 2)?);
        let (data, rest) = extra[4..].split_at_checked(length.into())?;
        if id == SIZES_64 {
            return Some(data);
        }
        extra = rest;
    }
}

fn data_range(archive: &[u8], offset: u64, compressed: u64) -> Option<Range<usize>> {
    let local = slice(archive, offset, LOCAL_LENGTH as u64)?;
    let (name, extra) = (u16_at(local, 26)?, u16_at(local, 28)?);
    let begin = offset + LOCAL_LENGTH as u64 + u64::from(name) + u64::from(extra);
    let is_local = u32_at(local, 0)? == LOCAL;
    (is_local && slice(archive, begin, compressed).is_some())
        .then(|| begin as usize..(begin + compressed) as usize)
}

fn slice(bytes: &[u8], begin: u64, length: u64) -> Option<&[u8]> {
    let begin = usize::try_from(begin).ok()?;
    bytes.get(begin..begin.checked_add(usize::try_from(length).ok()?)?)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Writes members one after the other, not compressed.
pub(super) struct ZipWriter<'a> {
    output: &'a mut dyn Write,
    offset: u32,
    count: u16,
    directory: Vec<u8>,
}

impl<'a> ZipWriter<'a> {
    pub(super) fn new(output: &'a mut dyn Write) -> Self {
        ZipWriter { output, offset: 0, count: 0, directory: Vec::new() }
    }

    /// Writes a member whose content is the parts, joined.
    pub(super) fn member(&mut self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let mut crc = Crc::new();
        parts.iter().for_each(|part| crc.update(part));
        let size = parts.iter().map(|part| part.len()).sum::<usize>();
        let size = u32::try_from(size).map_err(|_| too_large())?;
        let length = u16::try_from(name.len()).map_err(|_| too_large())?;
        let shared = |bytes: &mut Vec<u8>| {
            // Version 2.0, no flags, stored, at midnight.
            for number in [20, 0, 0, 0, DATE] {
                bytes.extend(number.to_le_bytes());
            }
            for number in [crc.sum(), size, size] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.extend(length.to_le_bytes());
            bytes.extend([0; 2]);
        };
        let mut local = LOCAL.to_le_bytes().to_vec();
        shared(&mut local);
        local.extend(name.bytes());
        self.directory.extend(CENTRAL.to_le_bytes());
        self.directory.extend(20_u16.to_le_bytes());
        shared(&mut self.directory);
        self.directory.extend([0; 10]);
        self.directory.extend(self.offset.to_le_bytes());
        self.directory.extend(name.bytes());
        self.output.write_all(&local)?;
        parts.iter().try_for_each(|part| self.output.write_all(part))?;
        let end = u64::from(self.offset) + local.len() as u64 + u64::from(size);
        self.offset = u32::try_from(end).map_err(|_| too_large())?;
        self.count = self.count.checked_add(1).ok_or_else(too_large)?;
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<()> {
        let length = u32::try_from(self.directory.len()).map_err(|_| too_large())?;
        let mut end = END.to_le_bytes().to_vec();
        end.extend([0; 4]);
        end.extend([self.count.to_le_bytes(), self.count.to_le_bytes()].concat());
        end.extend([length.to_le_bytes(), self.offset.to_le_bytes()].concat());
        end.extend([0; 2]);
        self.output.write_all(&self.directory)?;
        self.output.write_all(&end)
    }
}

fn too_large() -> io::Error {
    let what = "an npz file cannot hold 4 GiB or 65536 arrays; use safetensors";
    io::Error::new(io::ErrorKind::FileTooLarge, what)
}
