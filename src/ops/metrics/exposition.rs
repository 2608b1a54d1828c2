//! The two text formats of metrics, and which of them a client wants.
//!
//! The registry writes OpenMetrics, for which Prometheus asks. The older format, which curl, promtool and other collectors
//! take, is made out of it line by line. Knows no metric.

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Prometheus,
}

impl Format {
    /// What a client with this `Accept` header wants. OpenMetrics is only for those that name it.
    pub fn accepted(header: Option<&str>) -> Self {
        match header {
            Some(header) if header.contains("application/openmetrics-text") => Self::OpenMetrics,
            Some(_) | None => Self::Prometheus,
        }
    }

    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// `text`, which is OpenMetrics, in this format.
    pub fn of(self, text: String) -> String {
        match self {
            Self::OpenMetrics => text,
            Self::Prometheus => prometheus(&text),
        }
    }
}

/// OpenMetrics describes a family, the older format each name that its samples have.
fn prometheus(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    let mut help = "";
    for line in text.lines() {
        match line.strip_prefix("# ").and_then(|comment| comment.split_once(' ')) {
            Some(("HELP", described)) => help = described,
            Some(("TYPE", typed)) => {
                let (family, kind) = typed.split_once(' ').unwrap_or((typed, "unknown"));
                let (suffix, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    known => ("", known),
                };
                let help = help.split_once(' ').map_or("", |(_, help)| help);
                classic.extend(["# HELP ", family, suffix, " ", help, "\n# TYPE ", family, suffix, " ", kind, "\n"]);
            }
            _ if line.starts_with('#') => {}
            _ => {
                classic.push_str(line);
                classic.push('\n');
            }
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_names_openmetrics_gets_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(Format::accepted(Some(prometheus)), Format::OpenMetrics);
        assert_eq!(Format::accepted(Some("*/*")), Format::Prometheus);
        assert_eq!(Format::accepted(None), Format::Prometheus);
    }

    #[test]
    fn the_older_format_describes_the_names_of_samples() {
        let open = "# HELP healed Healed services.\n# TYPE healed counter\nhealed_total{name=\"a b\"} 1\n\
                    # HELP build The version.\n# TYPE build info\n# UNIT build x\nbuild_info{version=\"1\"} 1\n\
                    # HELP workers Busy.\n# TYPE workers gauge\nworkers 2\n# EOF\n";
        let classic = "# HELP healed_total Healed services.\n# TYPE healed_total counter\nhealed_total{name=\"a b\"} 1\n\
                       # HELP build_info The version.\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n\
                       # HELP workers Busy.\n# TYPE workers gauge\nworkers 2\n";
        assert_eq!(Format::Prometheus.of(open.to_owned()), classic);
        assert_eq!(Format::OpenMetrics.of(open.to_owned()), open);
    }
}
