//! Decimal numbers of JSON, correctly rounded to the asked type.

/// A type that numbers can be read as.
pub(super) trait Number: Copy + Default + Send + Sync {
    /// The value nearest to `decimal`, whose characters are `text`; `None` when it is not finite.
    fn nearest(decimal: &Decimal, text: &str) -> Option<Self>;
}

/// What the characters of a number say: `(-1)^negative * mantissa * 10^exponent`.
pub(super) struct Decimal {
    negative: bool,
    mantissa: u64,
    exponent: i32,
    /// Whether the mantissa lost digits.
    cut: bool,
}

/// Powers of ten that float64 holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

impl Decimal {
    /// The nearest float64, where one exact operand on another gives it (Clinger 1990, "How to read floating point
    /// numbers accurately", the fast path).
    fn exact(&self) -> Option<f64> {
        if self.cut || self.mantissa > 1 << 53 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
        let mantissa = self.mantissa as f64;
        let power = POWERS.get(self.exponent.unsigned_abs() as usize)?;
        let value = if self.exponent < 0 { mantissa / power } else { mantissa * power };
        Some(if self.negative { -value } else { value })
    }
}

impl Number for f64 {
    #[inline]
    fn nearest(decimal: &Decimal, text: &str) -> Option<Self> {
        decimal.exact().or_else(|| text.parse().ok()).filter(|value: &Self| value.is_finite())
    }
}

impl Number for f32 {
    #[inline]
    fn nearest(decimal: &Decimal, text: &str) -> Option<Self> {
        if let Some(value) = decimal.exact() {
            // Rounding twice goes wrong only where the first rounding ends exactly between two float32 (the lower 29
            // bits are 1000...) or where those are denser than that (below the normal range).
            let between = value.to_bits() & 0x1fff_ffff == 0x1000_0000;
            let normal = value.abs() >= f64::from(Self::MIN_POSITIVE) && value.abs() < f64::from(Self::MAX);
            if (normal && !between) || value == 0.0 {
                #[expect(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
                return Some(value as Self);
            }
        }
        text.parse().ok().filter(|value: &Self| value.is_finite())
    }
}

/// Reads the number at the start of `bytes`, by JSON's grammar, and how many bytes it has.
#[inline]
pub(super) fn read_number<T: Number>(bytes: &[u8]) -> Option<(T, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let mut position = usize::from(negative);
    let mut decimal = Decimal { negative, mantissa: 0, exponent: 0, cut: false };
    let n_whole = read_digits(bytes, &mut position, &mut decimal, 0);
    if n_whole == 0 || (n_whole > 1 && bytes[usize::from(negative)] == b'0') {
        return None;
    }
    if bytes.get(position) == Some(&b'.') {
        position += 1;
        if read_digits(bytes, &mut position, &mut decimal, -1) == 0 {
            return None;
        }
    }
    if matches!(bytes.get(position), Some(b'e' | b'E')) {
        position += 1;
        let below = bytes.get(position) == Some(&b'-');
        position += usize::from(matches!(bytes.get(position), Some(b'-' | b'+')));
        let start = position;
        let mut exponent = 0_i32;
        while let Some(digit) = bytes.get(position).filter(|byte| byte.is_ascii_digit()) {
            exponent = exponent.saturating_mul(10).saturating_add(i32::from(digit - b'0'));
            position += 1;
        }
        if position == start {
            return None;
        }
        decimal.exponent = decimal.exponent.saturating_add(if below { -exponent } else { exponent });
    }
    let text = std::str::from_utf8(&bytes[..position]).ok()?;
    Some((T::nearest(&decimal, text)?, position))
}

/// Appends digits to the mantissa; each changes the exponent by `shift`. Returns how many there were.
#[inline]
fn read_digits(bytes: &[u8], position: &mut usize, decimal: &mut Decimal, shift: i32) -> usize {
    let start = *position;
    while let Some(digit) = bytes.get(*position).filter(|byte| byte.is_ascii_digit()) {
        if decimal.mantissa < 1_000_000_000_000_000_000 {
            decimal.mantissa = decimal.mantissa * 10 + u64::from(digit - b'0');
            decimal.exponent += shift;
        } else {
            decimal.cut = true;
        }
        *position += 1;
    }
    *position - start
}

#[cfg(test)]
mod tests {
    use super::read_number;

    #[test]
    fn accepts_what_json_accepts() {
        for (text, value) in [("0", 0.0), ("-0.5e1", -5.0), ("12.25E+2", 1225.0), ("1e-2", 0.01)] {
            assert_eq!(read_number::<f64>(text.as_bytes()), Some((value, text.len())));
        }
        for text in ["", "-", "01", ".5", "5.", "+1", "1e", "1e+", "NaN", "Infinity", "1e999", "-x"] {
            assert_eq!(read_number::<f64>(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn rounds_once_to_float32() {
        // Just above the middle of two float32, which float64 cannot tell from the middle itself.
        let text = "1.000000059604644775390626";
        assert_eq!(read_number::<f32>(text.as_bytes()), Some((1.000_000_1, text.len())));
        for text in ["1.00000005960464477539", "1e-45", "3.4028235e38", "1.1754943e-38", "7.0064923e-46"] {
            assert_eq!(read_number::<f32>(text.as_bytes()).map(|read| read.0), text.parse().ok());
        }
        assert_eq!(read_number::<f32>(b"3.5e38"), None);
    }
}
