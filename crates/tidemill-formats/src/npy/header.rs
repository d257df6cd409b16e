use tidemill_value::{DType, Shape};

use super::NpyError;

const MAGIC: &[u8] = b"\x93NUMPY";
/// The data begins at a multiple of this.
const ALIGNMENT: usize = 64;
/// TensorFlow's limit on the number of axes, far above NumPy's.
const MAX_RANK: usize = 254;

/// The header of an `npy` file, which describes its array.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NpyHeader {
    /// The data type of the value that it is read as.
    pub dtype: DType,
    /// The shape.
    pub shape: Shape,
    pub(super) element: Element,
    pub(super) is_big_endian: bool,
    /// True if the first index changes fastest.
    pub(super) is_fortran: bool,
    /// The place of the first element.
    pub(super) begin: usize,
}

/// The way an element is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// As a number or truth value.
    Plain,
    /// As this many bytes.
    Bytes(usize),
    /// As this many characters of four bytes.
    Characters(usize),
}

impl NpyHeader {
    /// Reads the header at the beginning of the bytes. It does not check that the array follows.
    ///
    /// # Errors
    /// [`NpyError`].
    pub fn read(bytes: &[u8]) -> Result<NpyHeader, NpyError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(NpyError::Magic)?;
        let (&[major, minor], rest) = rest.split_first_chunk().ok_or(NpyError::Truncated)?;
        let length = match (major, minor) {
            (1, 0) => rest.split_first_chunk().map(|(n, _)| (u16::from_le_bytes(*n).into(), 2)),
            (2 | 3, 0) => rest.split_first_chunk().map(|(n, _)| (u32::from_le_bytes(*n), 4)),
            _ => return Err(NpyError::Version { major, minor }),
        };
        let (length, width) = length.ok_or(NpyError::Truncated)?;
        let start = MAGIC.len() + 2 + width;
        let end = start.checked_add(length as usize).ok_or(NpyError::Truncated)?;
        let dictionary =
            Dictionary { text: bytes.get(start..end).ok_or(NpyError::Truncated)?, at: 0 };
        let Fields { descr, is_fortran, shape } = dictionary.read()?;
        let (dtype, element, is_big_endian) = parse_type(&descr)?;
        Ok(NpyHeader { dtype, shape, element, is_big_endian, is_fortran, begin: end })
    }

    /// The number of bytes of the elements, if memory can address that many.
    pub(super) fn data_length(&self) -> Option<usize> {
        let size = match self.element {
            Element::Plain => self.dtype.size(),
            Element::Bytes(count) => count,
            Element::Characters(count) => count.checked_mul(4)?,
        };
        self.shape.elements()?.checked_mul(size)
    }

    /// The number of bytes of the file, according to its header.
    pub(super) fn file_length(&self) -> Option<usize> {
        self.data_length()?.checked_add(self.begin)
    }
}

/// The bytes before the elements.
pub(super) fn write_header(descr: &str, shape: &Shape) -> Vec<u8> {
    let mut dictionary = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (");
    shape.iter().for_each(|extent| dictionary.push_str(&format!("{extent}, ")));
    if shape.rank() > 1 {
        dictionary.truncate(dictionary.len() - 2);
    } else if shape.rank() == 1 {
        dictionary.pop();
    }
    dictionary.push_str("), }");
    let (version, width) = if dictionary.len() + ALIGNMENT < 1 << 16 { (1, 2) } else { (2, 4) };
    let before = MAGIC.len() + 2 + width;
    let length = (before + dictionary.len() + 1).next_multiple_of(ALIGNMENT) - before;
    let mut bytes = MAGIC.to_vec();
    bytes.extend([version, 0]);
    bytes.extend(&(length as u32).to_le_bytes()[..width]);
    bytes.extend(dictionary.as_bytes());
    bytes.resize(before + length - 1, b' ');
    bytes.push(b'\n');
    bytes
}

/// Parses a type such as `<f4`: its data type, its storage, and whether it is big-endian.
fn parse_type(descr: &str) -> Result<(DType, Element, bool), NpyError> {
    let unknown = || NpyError::Type { descr: descr.to_owned() };
    let (order, code) = descr.split_at_checked(1).ok_or_else(unknown)?;
    let is_big_endian = match order {
        "<" | "|" => false,
        "=" => cfg!(target_endian = "big"),
        ">" => true,
        _ => return Err(unknown()),
    };
    let dtype = match code {
        "f2" => DType::F16,
        "f4" => DType::F32,
        "f8" => DType::F64,
        "i1" => DType::I8,
        "i2" => DType::I16,
        "i4" => DType::I32,
        "i8" => DType::I64,
        "u1" => DType::U8,
        "u2" => DType::U16,
        "u4" => DType::U32,
        "u8" => DType::U64,
        "b1" | "?" => DType::Bool,
        _ => {
            let (kind, count) = code.split_at_checked(1).ok_or_else(unknown)?;
            let count = count.parse().map_err(|_| unknown())?;
            let element = match kind {
                "S" | "a" => Element::Bytes(count),
                "U" => Element::Characters(count),
                _ => return Err(unknown()),
            };
            return Ok((DType::String, element, is_big_endian));
        }
    };
    Ok((dtype, Element::Plain, is_big_endian))
}

struct Fields {
    descr: String,
    is_fortran: bool,
    shape: Shape,
}

/// The text of a Python dictionary, read from front to back.
struct Dictionary<'a> {
    text: &'a [u8],
    at: usize,
}

impl Dictionary<'_> {
    fn read(mut self) -> Result<Fields, NpyError> {
        let (mut descr, mut is_fortran, mut shape) = (None, None, None);
        self.expect(b'{', "expected `{`")?;
        while !self.take(b'}') {
            let key = self.string()?;
            self.expect(b':', "expected `:`")?;
            match key.as_str() {
                "descr" => descr = Some(self.descr()?),
                "fortran_order" => is_fortran = Some(self.truth()?),
                "shape" => shape = Some(self.shape()?),
                _ => return Err(self.error("unknown key")),
            }
            if !self.take(b',') {
                self.expect(b'}', "expected `}`")?;
                break;
            }
        }
        match (descr, is_fortran, shape) {
            (Some(descr), Some(is_fortran), Some(shape)) => Ok(Fields { descr, is_fortran, shape }),
            _ => Err(self.error("missing key")),
        }
    }

    fn error(&self, what: &'static str) -> NpyError {
        NpyError::Header { what, at: self.at }
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, byte: u8) -> bool {
        self.at += self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let is_next = self.rest().first() == Some(&byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), NpyError> {
        if self.take(byte) { Ok(()) } else { Err(self.error(what)) }
    }

    fn string(&mut self) -> Result<String, NpyError> {
        let quote = if self.take(b'"') { b'"' } else { b'\'' };
        if quote == b'\'' {
            self.expect(quote, "expected a quoted string")?;
        }
        let length = self.rest().iter().position(|&byte| byte == quote);
        let length = length.ok_or_else(|| self.error("unterminated string"))?;
        let text = String::from_utf8_lossy(&self.rest()[..length]).into_owned();
        self.at += length + 1;
        Ok(text)
    }

    /// The type of the elements. The type of records is a list, which is shown in the error.
    fn descr(&mut self) -> Result<String, NpyError> {
        if self.take(b'[') {
            let rest = String::from_utf8_lossy(self.rest());
            let fields = rest.split_once(']').map_or(&*rest, |(fields, _)| fields);
            return Err(NpyError::Type { descr: format!("[{fields}]") });
        }
        self.string()
    }

    fn truth(&mut self) -> Result<bool, NpyError> {
        self.take(b' ');
        for (word, truth) in [("True", true), ("False", false)] {
            if self.rest().starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(truth);
            }
        }
        Err(self.error("expected `True` or `False`"))
    }

    fn shape(&mut self) -> Result<Shape, NpyError> {
        self.expect(b'(', "expected `(`")?;
        let mut extents = Vec::new();
        while !self.take(b')') {
            let length = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
            let digits = str::from_utf8(&self.rest()[..length]).unwrap_or_default();
            let extent = digits.parse().map_err(|_| self.error("expected an extent"))?;
            extents.push(extent);
            if extents.len() > MAX_RANK {
                return Err(self.error("too many axes"));
            }
            self.at += length;
            // Python 2 wrote long integers this way.
            self.take(b'L');
            if !self.take(b',') {
                self.expect(b')', "expected `)`")?;
                break;
            }
        }
        Ok(extents.into())
    }
}
