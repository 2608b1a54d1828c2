//! Who asks: users by bearer token, and those an entitled user speaks for.

use std::collections::BTreeMap;

/// A user, as a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// User name.
    pub name: String,
    /// UID, may be empty.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// What else the authenticator said.
    pub extra: BTreeMap<String, Vec<String>>,
    /// Whether the user may do everything; otherwise what the roles bound to the user allow.
    pub admin: bool,
}

impl User {
    /// The user of requests from inside the process.
    pub fn admin() -> User {
        User {
            name: "kubernetes-admin".into(),
            uid: String::new(),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
            extra: BTreeMap::new(),
            admin: true,
        }
    }

    /// A user of these groups; who is in `system:masters` may do everything.
    pub fn of(name: &str, uid: &str, groups: Vec<String>) -> User {
        let admin = groups.iter().any(|group| group == "system:masters");
        User { name: name.into(), uid: uid.into(), groups, extra: BTreeMap::new(), admin }
    }

    /// A service account.
    pub(crate) fn account(namespace: &str, name: &str, uid: &str) -> User {
        let user = User::impersonated(&format!("system:serviceaccount:{namespace}:{name}"), Vec::new());
        User { uid: uid.into(), ..user }
    }

    /// The user somebody speaks for, with the groups that go without saying.
    pub(crate) fn impersonated(name: &str, mut groups: Vec<String>) -> User {
        let account = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
        if let (Some((namespace, _)), true) = (account, groups.is_empty()) {
            groups = vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")];
        }
        let implied = if name == "system:anonymous" { "system:unauthenticated" } else { "system:authenticated" };
        if !groups.iter().any(|group| matches!(group.as_str(), "system:authenticated" | "system:unauthenticated")) {
            groups.push(implied.into());
        }
        User::of(name, "", groups)
    }

    fn anonymous() -> User {
        User {
            name: "system:anonymous".into(),
            uid: String::new(),
            groups: vec!["system:unauthenticated".into()],
            extra: BTreeMap::new(),
            admin: false,
        }
    }
}

/// A line of a token file that names no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: expected token,user,uid or token,user,uid,\"group1,group2\"")]
pub struct BadLine {
    /// Counted from 1.
    pub number: usize,
}

/// How requests over HTTP are authenticated.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    users: BTreeMap<String, User>,
    open: bool,
}

impl Auth {
    /// Everybody is admin; for a socket only this machine can reach.
    pub fn open() -> Auth {
        Auth { users: BTreeMap::new(), open: true }
    }

    /// Users of a static token file: `token,user,uid,"group1,group2"` a line, the groups being optional. The group
    /// `system:masters` may do everything, others what roles allow them. Lines that begin with `#` are comments.
    ///
    /// # Errors
    /// For a line that says less than token, user and UID.
    pub fn tokens(file: &str) -> Result<Auth, BadLine> {
        let mut auth = Auth::default();
        for (number, line) in (1..).zip(file.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (token, user) = user_of(line).ok_or(BadLine { number })?;
            auth = auth.with_user(&token, user);
        }
        Ok(auth)
    }

    /// The same, and the user of one more token.
    #[must_use]
    pub fn with_user(mut self, token: &str, user: User) -> Auth {
        self.users.insert(token.to_owned(), user);
        self
    }

    /// The user of a request; `None` means 401.
    pub fn user(&self, authorization: Option<&str>) -> Option<User> {
        if self.open {
            return Some(User::admin());
        }
        // Like the real server: a name and a password are not looked at.
        match authorization.unwrap_or_default().trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.starts_with(' ') => {
                self.users.get(token).cloned()
            }
            _ => Some(User::anonymous()),
        }
    }
}

/// Token and user of a line.
fn user_of(line: &str) -> Option<(String, User)> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(line.as_bytes());
    let record = reader.records().next()?.ok()?;
    let token = record.get(0).filter(|token| !token.is_empty())?;
    let (name, uid) = (record.get(1)?, record.get(2)?);
    let mut groups: Vec<String> = record.get(3).unwrap_or_default().split(',').map(str::to_owned).collect();
    groups.push("system:authenticated".into());
    Some((token.to_owned(), User::of(name, uid, groups)))
}
