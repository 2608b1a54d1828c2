//! Quantities such as `500m`, `2` or `24684092Ki`: compared, added, and written the one way the real server writes them.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Add;

use serde_json::Value;

/// An amount in billionths, and how it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity {
    nano: i128,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `k`, `M`, …: powers of 1000.
    Decimal,
    /// `Ki`, `Mi`, …: powers of 1024.
    Binary,
    /// `e3`, `e6`, …
    Exponent,
}

const ONE: i128 = 1_000_000_000;
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// What is said of a text that is none.
pub(crate) const MALFORMED: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

impl Quantity {
    /// Nothing.
    pub(crate) const ZERO: Quantity = Quantity { nano: 0, form: Form::Decimal };

    /// What a text or a number says.
    pub(crate) fn of(value: &Value) -> Option<Quantity> {
        match value {
            Value::String(text) => Quantity::parse(text),
            Value::Number(number) => Quantity::parse(&number.to_string()),
            _ => None,
        }
    }

    /// What a text says.
    pub(crate) fn parse(text: &str) -> Option<Quantity> {
        let end = text
            .char_indices()
            .find(|(index, c)| !(c.is_ascii_digit() || *c == '.' || *index == 0 && matches!(c, '+' | '-')))
            .map_or(text.len(), |(index, _)| index);
        let (number, unit) = text.split_at(end);
        let (digits, places) = digits(number)?;
        let (form, factor, power) = scale(unit)?;
        let power = power - i32::try_from(places).ok()? + 9;
        let scaled = digits.checked_mul(factor)?;
        let ten = |power: i32| 10i128.checked_pow(u32::try_from(power).unwrap_or(u32::MAX));
        // What is smaller than a billionth is rounded up.
        let nano = if power >= 0 {
            scaled.checked_mul(ten(power)?)?
        } else {
            let divisor = ten(-power)?;
            scaled.div_euclid(divisor) + i128::from(scaled.rem_euclid(divisor) != 0)
        };
        Some(Quantity { nano, form })
    }

    /// A whole number.
    pub(crate) fn count(number: usize) -> Quantity {
        Quantity { nano: i128::try_from(number).unwrap_or(i128::MAX / ONE) * ONE, form: Form::Decimal }
    }

    /// Less than nothing.
    pub(crate) fn is_negative(self) -> bool {
        self.nano < 0
    }

    /// More than nothing.
    pub(crate) fn is_positive(self) -> bool {
        self.nano > 0
    }
}

/// The digits of a decimal number as a whole, and how many of them stand behind the point.
fn digits(number: &str) -> Option<(i128, usize)> {
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
    Some((if negative { -digits } else { digits }, fraction.len()))
}

/// The form of a unit, what it multiplies by, and the power of ten besides.
fn scale(unit: &str) -> Option<(Form, i128, i32)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(known, _)| *known == unit) {
        return Some((Form::Decimal, 1, *power));
    }
    if let Some(index) = BINARY.iter().position(|known| *known == unit) {
        return Some((Form::Binary, 1024i128.checked_pow(u32::try_from(index).ok()? + 1)?, 0));
    }
    let exponent = unit.strip_prefix(['e', 'E'])?;
    Some((Form::Exponent, 1, exponent.parse().ok().filter(|power| (-18..=18).contains(power))?))
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Quantity) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Quantity) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Quantity) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl Add for Quantity {
    type Output = Quantity;

    fn add(self, other: Quantity) -> Quantity {
        let form = if self.nano == 0 { other.form } else { self.form };
        Quantity { nano: self.nano.saturating_add(other.nano), form }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return formatter.write_str("0");
        }
        let whole = self.nano % ONE == 0;
        if self.form == Form::Binary && whole && (self.nano / ONE).abs() >= 1024 {
            let (mut number, mut unit) = (self.nano / ONE, "");
            for larger in BINARY {
                if number % 1024 != 0 {
                    break;
                }
                (number, unit) = (number / 1024, larger);
            }
            return write!(formatter, "{number}{unit}");
        }
        let (mut number, mut unit) = (self.nano, 0);
        while number % 1000 == 0 && unit + 1 < DECIMAL.len() {
            (number, unit) = (number / 1000, unit + 1);
        }
        let (name, power) = DECIMAL.get(unit).copied().unwrap_or_default();
        match (self.form, power) {
            (Form::Exponent, 0) => write!(formatter, "{number}"),
            (Form::Exponent, power) => write!(formatter, "{number}e{power}"),
            _ => write!(formatter, "{number}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_one_way() {
        for (given, written) in [
            ("0.5", "500m"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1000m", "1"),
            ("1000", "1k"),
            ("512", "512"),
            ("1Ki", "1Ki"),
            ("0.5Ki", "512"),
            ("2e3", "2e3"),
            ("-1", "-1"),
            ("0005", "5"),
            ("+1.50", "1500m"),
            ("0.0000000001", "1n"),
            ("0", "0"),
            ("24684092Ki", "24684092Ki"),
        ] {
            assert_eq!(Quantity::parse(given).unwrap().to_string(), written, "{given}");
        }
        for none in ["", "lots", "1.2.3", "1Xi", ".", "1e", "m"] {
            assert!(Quantity::parse(none).is_none(), "{none:?}");
        }
    }

    #[test]
    fn amounts_are_compared_and_added_whatever_their_units() {
        let amount = |text| Quantity::parse(text).unwrap();
        assert!(amount("2") > amount("1900m"));
        assert_eq!(amount("1Ki"), amount("1024"));
        assert_eq!((amount("128Mi") + amount("128Mi")).to_string(), "256Mi");
        assert_eq!((Quantity::ZERO + amount("64Mi")).to_string(), "64Mi");
        assert_eq!((amount("500m") + amount("600m")).to_string(), "1100m");
    }
}
